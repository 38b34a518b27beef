"""Verifies an HMAC in a header: one machine for all schemes that differ in form."""

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from providers.port import Rejected, Verified
from providers.signatures.pointer import Pointer
from providers.signatures.scheme import (
    SIGNATURES_MAX,
    TOLERANCE_MAX,
    Keys,
    Reason,
    any_equal,
    from_base64,
    from_hex,
    header,
    tolerance_in,
    untimely,
    without_tolerance,
)
from providers.signatures.settings import Form, Settings, Unsafe
from providers.signatures.template import read_template

DIGESTS: Final = {"sha256": 32, "sha384": 48, "sha512": 64}
"""By name, how many bytes it makes; what is not here is broken, or not known."""

_ITEMS_MAX: Final = SIGNATURES_MAX + 4
_TIMES: Final = {
    "s": (re.compile(r"[0-9]{1,12}", re.ASCII), 1),
    "ms": (re.compile(r"[0-9]{1,15}", re.ASCII), 1000),
}


class Keyed:
    """Verifies one form; the event's id is in a header, in the body, or left to it."""

    def __init__(self, form: Form, settings: Settings) -> None:
        _require_plain(form)
        self._form = form
        self._template = read_template(form)
        self._pointer = (
            Pointer(form.event_id_pointer) if form.event_id_pointer else None
        )
        self._keys = Keys(settings.secrets, lambda secret: _key(secret, form))
        self._signature = _signature_form(form)
        self._past = tolerance_in(settings)
        self._future = form.tolerance_future or self._past

    def verify(
        self, headers: Mapping[str, list[str]], body: bytes, now: datetime
    ) -> Verified | Rejected:
        """Check every signature against every secret that counts."""
        told = header(headers, self._form.header)
        if isinstance(told, Rejected):
            return told
        items = self._items(told)
        sent = self._sent(headers, items)
        event = self._event(headers)
        if isinstance(sent, Rejected):
            return sent
        if isinstance(event, Rejected):
            return event
        if late := self._late(sent, now):
            return late
        content = self._template.filled(body, sent, event)
        if wrong := self._wrong(items, content, now):
            return wrong
        return self._verified(event, body)

    def _items(self, told: str) -> list[str]:
        separator = self._form.separator
        return told.split(separator) if separator else [told]

    def _sent(
        self, headers: Mapping[str, list[str]], items: Sequence[str]
    ) -> str | Rejected | None:
        pattern, _ = _TIMES[self._form.timestamp_unit]
        if self._form.timestamp_header is not None:
            return header(headers, self._form.timestamp_header, pattern)
        mark = self._form.timestamp_item
        if mark is None:
            return None
        times = [item.removeprefix(mark) for item in items if item.startswith(mark)]
        if len(times) != 1 or not pattern.fullmatch(times[0]):
            return Rejected(Reason.MALFORMED)
        return times[0]

    def _event(self, headers: Mapping[str, list[str]]) -> str | Rejected | None:
        name = self._form.event_id_header
        return name and header(headers, name, self._template.event_form)

    def _late(self, sent: str | None, now: datetime) -> Rejected | None:
        if sent is None:
            return None
        _, of_a_second = _TIMES[self._form.timestamp_unit]
        return untimely(int(sent) / of_a_second, now, self._past, self._future)

    def _wrong(
        self, items: Sequence[str], content: bytes, now: datetime
    ) -> Rejected | None:
        prefix = self._form.prefix
        given = [item.removeprefix(prefix) for item in items if item.startswith(prefix)]
        if "" in items or len(items) > _ITEMS_MAX or len(given) > SIGNATURES_MAX:
            return Rejected(Reason.MALFORMED)
        plain = [text for text in given if self._signature.fullmatch(text)]
        if not plain:
            return Rejected(Reason.MALFORMED)
        expected = [self._encoded(key, content) for key in self._keys.at(now)]
        ours = [self._bytes(text) for text in plain]
        return None if any_equal(ours, expected) else Rejected(Reason.WRONG)

    def _bytes(self, text: str) -> bytes:
        return (text.lower() if self._form.any_case else text).encode("ascii")

    def _encoded(self, key: bytes, content: bytes) -> bytes:
        mac = hmac.digest(key, content, self._form.digest)
        if self._form.encoding == "base64":
            return base64.b64encode(mac)
        return mac.hex().encode("ascii")

    def _verified(self, event_id: str | None, body: bytes) -> Verified | Rejected:
        if self._pointer is None:
            return Verified(event_id)
        found = self._pointer.event_id(body)
        return Rejected(Reason.NO_EVENT) if found is None else Verified(found)


def of_the_configuration(settings: Settings) -> Keyed:
    """Make the check of a form that the configuration spells out.

    :raises Unsafe: it would protect less than it seems to.
    """
    form = settings.hmac
    if form is None:
        raise Unsafe("hmac", "is missing")
    if (form.event_id_header is None) == (form.event_id_pointer is None):
        problem = "must be said, or event_id_pointer, and not both"
        raise Unsafe("hmac.event_id_header", problem)
    if not form.timed:
        without_tolerance(settings, "hmac")
    return Keyed(form, settings)


def _require_plain(form: Form) -> None:
    if form.digest not in DIGESTS:
        raise Unsafe("hmac.digest", f"must be one of {', '.join(DIGESTS)}")
    names = (form.header, form.timestamp_header, form.event_id_header)
    said = [name for name in names if name is not None]
    if len(set(said)) != len(said):
        raise Unsafe("hmac.header", "must not be the header of anything else")
    _require_items(form)
    _require_time(form)


def _require_items(form: Form) -> None:
    separator, mark, prefix = form.separator, form.timestamp_item, form.prefix
    if separator is not None:
        if len(separator) != 1 or separator.isalnum() or separator in "+/=":
            problem = "must be one sign that no signature can have"
            raise Unsafe("hmac.separator", problem)
        if separator in prefix + (mark or ""):
            raise Unsafe("hmac.separator", "must be in no prefix")
    elif mark is not None:
        raise Unsafe("hmac.separator", "is missing: the time is an item of its own")
    if mark is not None and (mark.startswith(prefix) or prefix.startswith(mark)):
        raise Unsafe("hmac.timestamp_item", "must not begin as prefix does")


def _require_time(form: Form) -> None:
    if form.timestamp_header is not None and form.timestamp_item is not None:
        raise Unsafe("hmac.timestamp_item", "has no meaning beside timestamp_header")
    future = form.tolerance_future
    if future is None:
        return
    if not form.timed:
        raise Unsafe("hmac.tolerance_future", "has no meaning where no time is signed")
    if future > TOLERANCE_MAX:
        raise Unsafe("hmac.tolerance_future", "must not be longer than 1h")


def _signature_form(form: Form) -> re.Pattern[str]:
    size = DIGESTS[form.digest]
    if form.encoding == "base64":
        length, padding = -(-size * 4 // 3), -size % 3
        return re.compile(rf"[A-Za-z0-9+/]{{{length}}}={{{padding}}}", re.ASCII)
    signs = "0-9A-Fa-f" if form.any_case else "0-9a-f"
    return re.compile(rf"[{signs}]{{{2 * size}}}", re.ASCII)


def _key(secret: str, form: Form) -> bytes | None:
    if not secret.startswith(form.key_prefix):
        return None
    text = secret.removeprefix(form.key_prefix)
    match form.key_encoding:
        case "hex":
            return from_hex(text)
        case "base64":
            return from_base64(text)
        case "utf-8":
            return text.encode()
