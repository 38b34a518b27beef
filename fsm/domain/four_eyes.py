"""From which amount on a decision about money takes two persons."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from fsm.domain.money import EXPONENTS, Money


@dataclass(frozen=True, slots=True)
class FourEyes:
    """The amounts from which two decide, in minor units; None: from none on.

    ``floor`` is the environment's, for every currency: what is set beside it can
    only be stricter. A currency that has no amount of its own goes by ``default``.
    """

    floor: int | None = None
    default: int | None = None
    by_currency: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        amounts = (self.floor, self.default, *self.by_currency.values())
        if any(amount is not None and amount < 1 for amount in amounts):
            raise ValueError("an amount from which two decide is at least 1")
        if unknown := sorted(set(self.by_currency) - set(EXPONENTS)):
            raise ValueError(f"currency {unknown[0]!r} is unknown")
        frozen = MappingProxyType(dict(self.by_currency))
        object.__setattr__(self, "by_currency", frozen)

    @property
    def exists(self) -> bool:
        """Return whether any amount of any currency takes two persons."""
        return any((self.floor, self.default, self.by_currency))

    def begins_at(self, currency: str) -> int | None:
        """Return the amount from which two decide in a currency."""
        set_here = self.by_currency.get(currency, self.default)
        known = [each for each in (self.floor, set_here) if each is not None]
        return min(known, default=None)

    def is_looser_than(self, other: "FourEyes") -> bool:
        """Return whether it lets one person decide where the other asked for two."""
        return any(
            (asked := other.begins_at(currency)) is not None
            and ((now := self.begins_at(currency)) is None or now > asked)
            for currency in EXPONENTS
        )

    def needs_two(self, money: Money | None) -> bool:
        """Return whether a decision about so much money takes two persons."""
        if money is None:
            return False
        begins_at = self.begins_at(money.currency)
        return begins_at is not None and money.amount >= begins_at
