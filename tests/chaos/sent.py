"""What the load sends: an order, and the ways in which its neighbours will end it."""

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar, Final

import orjson

from tests.chaos.fleet import TIMEOUT_SECONDS

LOST: Final = TIMEOUT_SECONDS + 5.0
"""What clearing up a lost answer adds at most."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way for a provider to end an attempt, and the longest that it takes."""

    script: str
    weight: float
    seconds_max: float


@dataclass(slots=True, kw_only=True)
class Sent:
    """An order, what its providers will do with it, and when it was answered."""

    subject: ClassVar[str] = "withdrawal.requested"
    path: ClassVar[str] = "/v1/withdrawals"

    order_id: str
    amount: int
    cascade: tuple[str, ...]
    ways: tuple[Way, ...]
    tries: int = 0
    answered_at: float | None = None
    answer: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def own_seconds(self) -> float:
        """The longest that its providers may take, all of them together."""
        return sum(way.seconds_max for way in self.ways)

    def script_at(self, provider: str) -> str:
        """Return what this provider does with it."""
        return self.ways[self.cascade.index(provider)].script

    @property
    def token(self) -> str:
        """What it is paid to, or with: it tells the simulators what to do."""
        told = zip(self.cascade, self.ways, strict=True)
        scripts = ",".join(f"{name}={way.script}" for name, way in told)
        return f"tok_sim:{scripts}#{self.order_id}"

    @property
    def body(self) -> bytes:
        """The request as an upstream core service would send it."""
        return orjson.dumps(
            {
                "order_id": self.order_id,
                "merchant_id": "m-chaos",
                "customer_id": f"c-{self.order_id[-2:]}",
                "amount": self.amount,
                "currency": "EUR",
                "destination": {"type": "card", "token": self.token},
                "cascade": [{"provider": name} for name in self.cascade],
                "metadata": {"channel": "chaos"},
            }
        )
