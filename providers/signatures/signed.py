"""Verifies a signature in a header: one machine for all schemes that differ in form."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from fsm.domain.errors import InvalidRequest
from fsm.domain.text import parse_time
from providers.port import Rejected, Verified
from providers.signatures.encodings import decoder
from providers.signatures.pointer import Pointer
from providers.signatures.scheme import (
    SIGNATURES_MAX,
    TOLERANCE_MAX,
    RejectionReason,
    header,
    tolerance_in,
    untimely,
    without_tolerance,
)
from providers.signatures.settings import SchemeSettings, SignatureForm
from providers.signatures.template import read_template

_ITEMS_MAX: Final = SIGNATURES_MAX + 4
_SPACE: Final = " \t"


class VerificationKeys(Protocol):
    """What a signature is held against: keys, each of them within its window."""

    def fits(self, signature: bytes) -> bool:
        """True where it is as long as one of these can be."""
        ...

    def holds(self, signatures: Sequence[bytes], content: bytes, now: datetime) -> bool:
        """True where one of them was made of the content, by a key that counts."""
        ...


@dataclass(frozen=True, slots=True)
class _Time:
    form: re.Pattern[str]
    seconds: Callable[[str], float]


_TIMES: Final = {
    "s": _Time(re.compile(r"[0-9]{1,12}", re.ASCII), float),
    "ms": _Time(re.compile(r"[0-9]{1,15}", re.ASCII), lambda text: int(text) / 1000),
    "rfc3339": _Time(
        re.compile(r"[0-9TtZz:.+-]{20,40}", re.ASCII),
        lambda text: parse_time(text).timestamp(),
    ),
}


class SignatureVerifier:
    """Verifies one form; the event's id is in a header, in the body, or left to it."""

    def __init__(
        self, form: SignatureForm, settings: SchemeSettings, proof: VerificationKeys
    ) -> None:
        _require_plain(form)
        self._form = form
        self._template = read_template(form)
        self._pointer = pointer_of(form)
        self._proof = proof
        self._decoded = decoder(form.encoding, exact=form.exact)
        self._time = _TIMES[form.timestamp_unit]
        self._past = tolerance_in(settings)
        self._future = form.tolerance_future or self._past

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Check every signature against every key that counts."""
        told = header(headers, self._form.header)
        if isinstance(told, Rejected):
            return told
        items = self._items(told)
        sent = self._sent(headers, items)
        event = self._event(headers)
        if isinstance(sent, Rejected):
            return sent
        if isinstance(event, Rejected) and self._template.signs_event:
            return event
        if late := self._late(sent, now):
            return late
        known = None if isinstance(event, Rejected) else event
        content = self._template.filled(body, sent, known)
        if wrong := self._wrong(items, content, now):
            return wrong
        if isinstance(event, Rejected):
            return nameless(event, self._form)
        return named(event, body, self._pointer)

    def _items(self, told: str) -> list[str]:
        separator = self._form.separator
        if separator is None:
            return [told]
        first, *more = told.split(separator)
        if self._form.exact:
            return [first, *more]
        # Who joins headers of one name puts a space after the comma.
        return [first, *(item.lstrip(_SPACE) for item in more)]

    def _sent(
        self, headers: Mapping[str, list[str]], items: Sequence[str]
    ) -> str | Rejected | None:
        if self._form.timestamp_header is not None:
            return header(headers, self._form.timestamp_header, self._time.form)
        mark = self._form.timestamp_item
        if mark is None:
            return None
        times = [item.removeprefix(mark) for item in items if item.startswith(mark)]
        if len(times) != 1 or not self._time.form.fullmatch(times[0]):
            return Rejected(RejectionReason.MALFORMED)
        return times[0]

    def _event(self, headers: Mapping[str, list[str]]) -> str | Rejected | None:
        name = self._form.event_id_header
        return name and header(headers, name, self._template.event_form)

    def _late(self, sent: str | None, now: datetime) -> Rejected | None:
        if sent is None:
            return None
        try:
            seconds = self._time.seconds(sent)
        except ValueError:
            return Rejected(RejectionReason.MALFORMED)
        return untimely(seconds, now, self._past, self._future)

    def _wrong(
        self, items: Sequence[str], content: bytes, now: datetime
    ) -> Rejected | None:
        given = self._given(items)
        if "" in items or len(items) > _ITEMS_MAX or len(given) > SIGNATURES_MAX:
            return Rejected(RejectionReason.MALFORMED)
        decoded = [self._decoded(text) for text in given]
        plain = [each for each in decoded if each and self._proof.fits(each)]
        if not plain:
            return Rejected(RejectionReason.MALFORMED)
        holds = self._proof.holds(plain, content, now)
        return None if holds else Rejected(RejectionReason.WRONG)

    def _given(self, items: Sequence[str]) -> list[str]:
        prefix, optional = self._form.prefix, self._form.prefix_optional
        return [
            item.removeprefix(prefix)
            for item in items
            if optional or item.startswith(prefix)
        ]


def nameless(event: Rejected, form: SignatureForm) -> Verified | Rejected:
    """Return that a header has no event's id in it, though all is rightly signed.

    Where there is no such header, as in a ping, it is left to the body.
    """
    if event.reason is RejectionReason.MISSING:
        return Verified(None)
    problem = f"the header {form.event_id_header} has no event's id: {event.reason}"
    return Rejected(event.reason, problem)


def named(
    event_id: str | None, body: bytes, pointer: Pointer | None
) -> Verified | Rejected:
    """Return which event it is, where a pointer says that, or a header did.

    Where nothing stands, as in a ping, it is left to the body.
    """
    if pointer is None:
        return Verified(event_id)
    try:
        return Verified(pointer.event_id(body))
    except InvalidRequest as error:
        return Rejected(RejectionReason.NO_EVENT, error.problem)


def pointer_of(form: SignatureForm) -> Pointer | None:
    """Return where the event's id stands in the body.

    :raises Unsafe: it is no pointer.
    """
    if form.event_id_pointer is None:
        return None
    try:
        return Pointer(form.event_id_pointer)
    except ValueError as error:
        raise form.unsafe("event_id_pointer", str(error)) from None


def require_one_event(form: SignatureForm) -> None:
    """Require that a form of the configuration has one place for the event's id.

    Where it has none the id is the body's own.
    """
    if form.event_id_header is not None and form.event_id_pointer is not None:
        problem = "has no meaning beside event_id_pointer"
        raise form.unsafe("event_id_header", problem)


def require_spelt_out(form: SignatureForm, settings: SchemeSettings) -> None:
    """Require what a form of the configuration must say, and a named one need not."""
    require_one_event(form)
    if not form.timed:
        without_tolerance(settings, form.table)


def _require_plain(form: SignatureForm) -> None:
    require_headers_apart(form)
    _require_items(form)
    _require_time(form)


def require_headers_apart(form: SignatureForm) -> None:
    """Require that one header is for one thing."""
    names = (form.header, form.timestamp_header, form.event_id_header)
    said = [name for name in names if name is not None]
    if len(set(said)) != len(said):
        raise form.unsafe("header", "must not be the header of anything else")


def _require_items(form: SignatureForm) -> None:
    separator, mark, prefix = form.separator, form.timestamp_item, form.prefix
    if separator is not None:
        if len(separator) != 1 or separator.isalnum() or separator in "+/=-_":
            problem = "must be one sign that no signature can have"
            raise form.unsafe("separator", problem)
        if separator in prefix + (mark or ""):
            raise form.unsafe("separator", "must be in no prefix")
        if form.prefix_optional:
            problem = "has no meaning where separator makes items of the header"
            raise form.unsafe("prefix_optional", problem)
    elif mark is not None:
        raise form.unsafe("separator", "is missing: the time is an item of its own")
    if mark is not None and (mark.startswith(prefix) or prefix.startswith(mark)):
        raise form.unsafe("timestamp_item", "must not begin as prefix does")


def _require_time(form: SignatureForm) -> None:
    if form.timestamp_header is not None and form.timestamp_item is not None:
        raise form.unsafe("timestamp_item", "has no meaning beside timestamp_header")
    future = form.tolerance_future
    if future is None:
        return
    if not form.timed:
        raise form.unsafe("tolerance_future", "has no meaning where no time is signed")
    if future > TOLERANCE_MAX:
        raise form.unsafe("tolerance_future", "must not be longer than 1h")
