"""The table of requests: how each kind is read, and the path that takes it over HTTP.

`fsm.domain.request_kinds` has the subjects. A kind without a reader is spoken for, and
refused until there is one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from fsm.domain.orders import Request
from fsm.domain.request_kinds import KINDS, SUBJECTS
from fsm.engine.words import Kind
from handlers.ports.provider import Providers
from handlers.ports.services import StepServices
from payment_service.wire import checkout, withdrawal
from payment_service.wire.checkout import Checkout, read_checkout
from payment_service.wire.models import WireModel
from payment_service.wire.requests import refuse_unsupported
from payment_service.wire.withdrawal import Withdrawal, read_withdrawal


class Parties(Protocol):
    """Who is configured: nobody else can be asked for."""

    @property
    def providers(self) -> Providers:
        """The providers that a cascade may name."""
        ...

    @property
    def services(self) -> StepServices:
        """The services that do the steps of a checkout."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReader:
    """How requests of one kind are read, and how the documents show them."""

    model: type[WireModel]
    read: Callable[[bytes, Parties], Request]
    does: str
    example: Mapping[str, Any]


PATHS: Final[Mapping[Kind, str]] = {
    Kind.WITHDRAWAL: "/v1/withdrawals",
    Kind.CHECKOUT: "/v1/checkouts",
    Kind.PARTNER_LINK: "/v1/partner-links",
}
READERS: Final[Mapping[Kind, RequestReader]] = {
    Kind.WITHDRAWAL: RequestReader(
        model=Withdrawal,
        read=lambda data, known: read_withdrawal(data, known.providers.names()),
        does="Pay out through a cascade of providers.",
        example=withdrawal.EXAMPLE,
    ),
    Kind.CHECKOUT: RequestReader(
        model=Checkout,
        read=lambda data, known: read_checkout(data, known.services.names()),
        does="Have every step of a purchase done, or all of them undone.",
        example=checkout.EXAMPLE,
    ),
}


def read_request(kind: Kind, data: bytes, known: Parties) -> Request:
    """Return a request of that kind.

    :raises InvalidRequest: names every problem, or says that the kind is not known yet.
    """
    reader = READERS.get(kind)
    if reader is None:
        raise refuse_unsupported(data, SUBJECTS[kind])
    return reader.read(data, known)


def read_message(subject: str, data: bytes, known: Parties) -> Request:
    """Return the request that came on a subject.

    :raises InvalidRequest: as above.
    """
    return read_request(KINDS[subject], data, known)
