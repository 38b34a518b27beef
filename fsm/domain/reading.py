"""Reads single fields out of what strangers write, strictly or not at all."""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from fsm.domain.ids import ID_LENGTH_MAX
from fsm.domain.masking import masked_prose
from fsm.domain.money import AMOUNT_MAX
from fsm.domain.odd import Odd
from fsm.domain.webhook_events import WebhookEventType

CODE_LENGTH_MAX: Final = 64
MESSAGE_LENGTH_MAX: Final = 300

_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_CODE: Final = re.compile(rf"[!-~]{{1,{CODE_LENGTH_MAX}}}", re.ASCII)

Value = TypeVar("Value", int, str)


class UnreadableField(ValueError):
    """A field is there, and is not what it must be."""


def amount_in(body: Mapping[str, object]) -> int | None:
    """Return the amount, None where it is not given.

    :raises UnreadableField: it is not an integer from 1 to 2^53-1.
    """
    value = body.get("amount")
    if value is None:
        return None
    # True is an int to isinstance.
    if type(value) is not int or not 1 <= value <= AMOUNT_MAX:
        raise UnreadableField("amount")
    return value


def currency_in(body: Mapping[str, object]) -> str | None:
    """Return the currency, None where it is not given.

    :raises UnreadableField: it is not three capital letters.
    """
    value = body.get("currency")
    if value is None:
        return None
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise UnreadableField("currency")
    return value


def money_in(
    body: Mapping[str, object], kind: WebhookEventType
) -> tuple[int | None, str | None, dict[str, str]]:
    """Return amount and currency, and what of them is there and cannot be read.

    The last stands in the detail of news as ``unreadable``: what cannot be compared
    does not agree, and a person has to see what was said. A null is there, too, where
    money is said to have moved; in a refusal it is what providers write for nothing.
    """
    unreadable: dict[str, str] = {}
    amount = _clear(amount_in, "amount", body, unreadable)
    currency = _clear(currency_in, "currency", body, unreadable)
    for name in ("amount", "currency") if kind.moved_money else ():
        if name in body and body[name] is None:
            unreadable[name] = shown(None)
    return amount, currency, unreadable


def _clear(
    read: Callable[[Mapping[str, object]], Value | None],
    name: str,
    body: Mapping[str, object],
    unreadable: dict[str, str],
) -> Value | None:
    try:
        return read(body)
    except UnreadableField:
        unreadable[name] = shown(body[name])
        return None


def identifier_in(body: Mapping[str, object], name: str) -> str | None:
    """Return an id, None where it is missing, too long or not printable."""
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= ID_LENGTH_MAX:
        return None
    return value if value.isprintable() else None


def code_in(body: Mapping[str, object]) -> str | None:
    """Return a machine's word for what happened, None where there is none."""
    value = body.get("code")
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        return None
    return masked_prose(value)


def message_in(body: Mapping[str, object]) -> str | None:
    """Return a person's words for what happened: one short line, numbers masked."""
    value = body.get("message")
    if isinstance(value, Odd):
        value = value.shown
    if not isinstance(value, str) or not value.strip():
        return None
    return shortened(masked_prose(value))


def shown(value: object) -> str:
    """Return what somebody said, for a person to see; not the whole of it, perhaps."""
    if isinstance(value, Odd):
        return (
            value.problem
            if value.shown is None
            else shortened(masked_prose(value.shown))
        )
    if value is None:
        return "null"
    plain = isinstance(value, str | int | float)
    return shortened(masked_prose(str(value))) if plain else f"a {type(value).__name__}"


def says_error(body: Mapping[str, object]) -> bool:
    """True for what a gateway writes under a 200 of its own: nothing was done."""
    if body.get("ok") is False or body.get("success") is False:
        return True
    return bool(body.get("error") or body.get("errors"))


def shortened(text: str) -> str:
    """Return one printable line of bounded length."""
    line = text[:MESSAGE_LENGTH_MAX]
    if not line.isprintable():
        line = "".join(c if c.isprintable() else " " for c in line)
    return line.strip()
