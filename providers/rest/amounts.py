"""Writes amounts as providers want them and reads them back, in whole numbers only."""

import re
from typing import Final

from fsm.domain.money import AMOUNT_MAX, EXPONENTS, Money, decimal
from fsm.domain.reading import UnreadableField

# A parser's binary number stands for the text it was read from up to so many digits.
EXACT_DIGITS: Final = 15

_DECIMAL: Final = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,12}))?", re.ASCII)
_WHOLE: Final = re.compile(r"[0-9]{1,16}", re.ASCII)


def decimal_of(money: Money) -> str:
    """Write the amount with its currency's decimals: 12550 EUR is ``125.50``."""
    return decimal(money.amount, money.currency)


def minor_in(value: object, form: str, currency: str | None) -> int:
    """Read an amount in minor units or, by the currency, as a decimal.

    :raises UnreadableField: it is none, or finer than the currency.
    """
    text = _text(value)
    if form == "minor":
        return _bounded(text if _WHOLE.fullmatch(text) else "")
    found = _DECIMAL.fullmatch(text)
    if found is None or currency not in EXPONENTS:
        raise UnreadableField("amount")
    exponent = EXPONENTS[currency]
    part = (found[2] or "").ljust(exponent, "0")
    if part[exponent:].strip("0"):
        raise UnreadableField("amount")
    return _bounded(found[1] + part[:exponent])


def _bounded(digits: str) -> int:
    amount = int(digits or "0")
    if not 1 <= amount <= AMOUNT_MAX:
        raise UnreadableField("amount")
    return amount


def _text(value: object) -> str:
    if isinstance(value, bool):
        return ""
    if isinstance(value, float):
        text = repr(value)
        exact = sum(map(str.isdigit, text)) <= EXACT_DIGITS
        return text if exact else ""
    return str(value) if isinstance(value, int | str) else ""
