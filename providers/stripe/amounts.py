"""Amounts as Stripe counts them, which is not always in ISO's minor unit.

After docs.stripe.com/currencies, "Zero-decimal currencies" and "Special cases".
"""

from typing import Final

from fsm.domain.money import EXPONENTS, Money
from fsm.domain.reading import UnreadableField
from providers.config.stripe import Makes

HUNDRED: Final = 100
CENTS: Final = 2

# Zero-decimal by ISO and in life, yet written with two decimals that are always 00.
_WITH_ZEROS: Final = frozenset({"ISK", "UGX"})
# Two decimals by ISO (a fifth is the smallest coin), none at Stripe.
_WITHOUT_DECIMALS: Final = frozenset({"MGA"})
# Three decimals, of which the last has to be 0.
_THREE: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
# Two decimals in payments, but only whole units are paid out.
_WHOLE_PAYOUTS: Final = frozenset({"HUF", "TWD"})


class NotPayable(Exception):
    """Stripe has no number for this amount."""


def theirs(money: Money, makes: Makes) -> int:
    """Write an amount as Stripe wants it.

    :raises NotPayable: it is finer than Stripe takes, or nobody knows how it counts.
    """
    currency, amount = money.currency, money.amount
    if currency in _WITH_ZEROS:
        return amount * HUNDRED
    if amount % _step(currency, makes):
        raise NotPayable(f"{money} is finer than Stripe takes")
    return amount // HUNDRED if currency in _WITHOUT_DECIMALS else amount


def ours(amount: int, currency: str) -> int:
    """Read an amount of Stripe's in the currency's ISO minor unit.

    :raises UnreadableField: it cannot be one.
    """
    if currency in _WITH_ZEROS:
        whole, rest = divmod(amount, HUNDRED)
        if rest:
            raise UnreadableField("amount")
        return whole
    return amount * HUNDRED if currency in _WITHOUT_DECIMALS else amount


def _step(currency: str, makes: Makes) -> int:
    if currency in _WITHOUT_DECIMALS:
        return HUNDRED
    if currency in _WHOLE_PAYOUTS and makes == "payout":
        return HUNDRED
    if currency in _THREE:
        return 10
    # A decimal more or less is ten times the money.
    if EXPONENTS[currency] > CENTS:
        raise NotPayable(f"how Stripe counts {currency} is not documented")
    return 1
