"""The tables that declare a provider's wire form: requests, answers, webhooks."""

import ssl
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr

from providers.config.fields import Duration
from providers.config.oauth2 import OAuth2Auth
from providers.config.places import WHOLE, Place, parse_place
from providers.config.table import Table
from providers.config.values import Many
from providers.http.connection import Method
from providers.http.trust import trusting

WORD_LENGTH_MAX: Final = 128


class Meaning(StrEnum):
    """What a provider's own word for a payout stands for.

    ``not_found`` is for one that is made ready, and that nobody has asked to pay.
    """

    SUCCEEDED = "succeeded"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RETURNED = "returned"
    TOO_LATE = "too_late"
    NOT_FOUND = "not_found"
    UNCLEAR = "unclear"


class Failing(StrEnum):
    """What an error of the call itself stands for."""

    DECLINED = "declined"
    UNCLEAR = "unclear"
    NOT_FOUND = "not_found"
    EXISTS = "exists"
    RETRY_LATER = "retry_later"
    TOO_LATE = "too_late"


class Telling(StrEnum):
    """What the type of a webhook stands for."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ACCEPTED = "accepted"
    RETURNED = "returned"


class Listed(StrEnum):
    """What the word of a line in a statement stands for."""

    SUCCEEDED = "succeeded"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RETURNED = "returned"


def _place(value: object) -> Place:
    if isinstance(value, Place):
        return value
    return parse_place(value if isinstance(value, str) else "")


def _list_place(value: object) -> Place:
    return WHOLE if value == "" else _place(value)


def _places(value: object) -> tuple[Place, ...]:
    return tuple(map(_place, value if isinstance(value, list | tuple) else [value]))


def _meaning(value: object) -> object:
    return _one_of(Meaning, value)


def _failing(value: object) -> object:
    return _one_of(Failing, value)


def _telling(value: object) -> object:
    return _one_of(Telling, value)


def _listed(value: object) -> object:
    return _one_of(Listed, value)


def _one_of(words: type[StrEnum], value: object) -> StrEnum:
    try:
        return words(str(value))
    except ValueError:
        known = ", ".join(words)
        raise ValueError(f"must be one of {known}") from None


At = Annotated[Place, BeforeValidator(_place)]
# A list may be the whole body: "" (the JSON pointer of all of it).
ListAt = Annotated[Place, BeforeValidator(_list_place)]
# The first place where something is counts.
AtFirst = Annotated[tuple[Place, ...], BeforeValidator(_places)]
HttpStatus = Annotated[int, Field(ge=100, le=599)]
Word = Annotated[str, Field(min_length=1, max_length=WORD_LENGTH_MAX)]
Means = Annotated[Meaning, BeforeValidator(_meaning)]
Templates = Mapping[str, str]
AmountForm = Literal["minor", "decimal"]


class ErrorEntry(Table):
    """One line of an ``error_map``: all that is given of it must hold."""

    http: Many[HttpStatus] = ()
    codes: Many[Word] = ()
    means: Annotated[Failing, BeforeValidator(_failing)]


class AnswersTable(Table):
    """Where an answer says what, and what its words stand for.

    ``items_at`` is a list of payouts: then all other places but ``more_at`` are those
    of one item, and a list with nothing in it says not found. ``sub_status_at`` is
    where a second word narrows the first: ``failed/pending`` counts before ``failed``,
    and ``failed/`` is for where there is none.
    """

    items_at: ListAt | None = None
    more_at: At | None = None
    status_at: At | None = None
    sub_status_at: At | None = None
    status_map: Mapping[Word, Means] = {}
    success_codes: Many[HttpStatus] = ()
    accepted: Many[HttpStatus] = ()
    reference_at: At | None = None
    provider_reference_at: At | None = None
    code_at: AtFirst = ()
    message_at: AtFirst = ()
    amount_at: At | None = None
    currency_at: At | None = None
    amount_form: AmountForm = "minor"
    error_map: Many[ErrorEntry] = ()

    def over(self, shared: "AnswersTable | None") -> "AnswersTable":
        """Return these answers, and what they leave unsaid from the shared ones."""
        if shared is None:
            return self
        mine = {name: getattr(self, name) for name in self.model_fields_set}
        return shared.model_copy(update=mine)


class RequestTable(Table):
    """A request: templates, read by :mod:`providers.config.unsafe_calls`."""

    method: Method
    path: str
    query: Templates = Field(default={}, repr=False)
    headers: Templates = Field(default={}, repr=False)
    body: Mapping[str, Any] = Field(default={}, repr=False)
    body_form: Literal["json", "urlencoded"] = "json"


class CallTable(RequestTable):
    """A request about a payout, and how its answers are read."""

    answers: AnswersTable = AnswersTable()


class StatusTable(CallTable):
    """How it is asked what became of one."""

    method: Literal["GET", "POST"] = "GET"


class CancelTable(CallTable):
    """How it is asked not to pay one; ``cancelled`` statuses need no word."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    cancelled: Many[HttpStatus] = ()
    too_late: Many[HttpStatus] = (404, 405, 409, 501)


class StatementTable(RequestTable):
    """How the provider's own list of payouts is read, page by page.

    ``kinds`` are the words at ``kind_at`` of the lines that are payouts; ``sign`` is
    how their amounts are written, as money that comes or that goes.
    """

    method: Literal["GET", "POST"] = "GET"
    pause: Duration = timedelta(milliseconds=50)
    deadline: Duration = timedelta(minutes=30)
    rows_at: ListAt
    kind_at: At | None = None
    kinds: Many[Word] = ()
    sign: Literal["plus", "minus"] = "plus"
    next_cursor_at: At | None = None
    reference_at: At
    status_at: At
    status_map: Mapping[Word, Annotated[Listed, BeforeValidator(_listed)]]
    amount_at: At
    currency_at: At
    amount_form: AmountForm = "minor"
    time_at: At | None = None


class WebhookBodyTable(Table):
    """Where a webhook says what; ``order_at`` is the provider's own order."""

    type_at: At
    type_map: Mapping[Word, Annotated[Telling, BeforeValidator(_telling)]]
    reference_at: At
    provider_reference_at: At | None = None
    event_id_at: At | None = None
    code_at: AtFirst = ()
    message_at: AtFirst = ()
    amount_at: At | None = None
    currency_at: At | None = None
    amount_form: AmountForm = "minor"
    order_at: At | None = None


class BearerAuth(Table):
    """``Authorization: Bearer …``."""

    token: SecretStr


class BasicAuth(Table):
    """``Authorization: Basic …`` (RFC 7617, UTF-8)."""

    user: str = Field(min_length=1, repr=False)
    password: SecretStr


class HmacAuth(Table):
    """A signature over the request; ``headers`` say how it is sent."""

    key: SecretStr
    key_encoding: Literal["text", "hex", "base64"] = "text"
    algorithm: Literal["sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    timestamp: Literal["seconds", "milliseconds", "rfc3339"] = "seconds"
    signed: str
    headers: Templates = Field(repr=False)


class AuthTable(Table):
    """How the provider knows a request to be ours: one of these."""

    bearer: BearerAuth | None = None
    basic: BasicAuth | None = None
    hmac: HmacAuth | None = None
    oauth2: OAuth2Auth | None = None


class TlsTable(Table):
    """How TLS with the provider is made, in PEM files.

    ``certificate`` and ``key`` are those by which it knows us. ``authority`` alone
    vouches for it, where the system does not know who issued its certificate.
    """

    certificate: str | None = None
    key: str | None = None
    authority: str | None = None

    def context(self) -> ssl.SSLContext:
        """Read the files.

        :raises OSError: one cannot be read, or the certificate and the key are no pair.
        """
        known = self.authority
        made = ssl.create_default_context() if known is None else trusting(known)
        if self.certificate is not None:
            # Without a password of its own, OpenSSL would ask the terminal for one.
            made.load_cert_chain(self.certificate, self.key, password="")
        return made
