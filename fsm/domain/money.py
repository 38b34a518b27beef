"""Money is an integer of minor units and a currency, never a float."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

AMOUNT_MAX: Final = 2**53 - 1

_TWO = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN "
    "BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD "
    "FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR "
    "KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN "
    "MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD "
    "SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD "
    "TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG"
)
_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
EXPONENTS: Final[dict[str, int]] = {
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_NONE.split(), 0),
    **dict.fromkeys(_THREE.split(), 3),
}
"""ISO 4217: how many decimals the minor unit of a currency stands for."""


def decimal(amount: int, currency: str) -> str:
    """Write an amount with its currency's decimals: 12550 EUR is ``125.50``.

    :raises KeyError: no such currency is known.
    """
    exponent = EXPONENTS[currency]
    whole, part = divmod(abs(amount), 10**exponent)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{part:0{exponent}d}" if exponent else f"{sign}{whole}"


def written(amount: object, currency: object) -> str:
    """Write an amount as people read it, everywhere alike; ``-`` where there is none.

    What is no amount in a currency that is known, as a stranger may say, is told as it
    stands.
    """
    if amount is None:
        return "-"
    if isinstance(amount, int) and isinstance(currency, str) and currency in EXPONENTS:
        return f"{decimal(amount, currency)} {currency}"
    return f"{amount} minor units" + (f" of {currency}" if currency else "")


def with_money(told: object) -> object:
    """Return a tree of JSON for people: an amount stands with its currency in it."""
    if isinstance(told, list | tuple):
        return [with_money(each) for each in told]
    if not isinstance(told, Mapping):
        return told
    shown = {name: with_money(value) for name, value in told.items()}
    amount, currency = told.get("amount"), told.get("currency")
    if type(amount) is int and isinstance(currency, str):
        shown["amount"] = written(amount, currency)
        del shown["currency"]
    return shown


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units, from 1 to 2^53-1, of a known currency."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if not 1 <= self.amount <= AMOUNT_MAX:
            raise ValueError(f"amount {self.amount} is not between 1 and {AMOUNT_MAX}")
        if self.currency not in EXPONENTS:
            raise ValueError(f"currency {self.currency!r} is unknown")

    def __str__(self) -> str:
        """Write the amount as people do, by integer arithmetic only."""
        return written(self.amount, self.currency)
