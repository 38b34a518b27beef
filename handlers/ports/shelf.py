"""The shelf: orders and messages parked for a version that knows their words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from handlers.ports.bus import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """An order (``id`` is its queue's), or a message, which may be another hand's."""

    id: str
    message: Delivery | None = None
    is_ours: bool = True


class Shelf(Protocol):
    """What is parked, as a worker sees it."""

    async def known(self, *, limit: int) -> Sequence[Parked]:
        """Return what is parked and may be known here by now, oldest first."""
        ...

    async def expired(self, *, after: timedelta, limit: int) -> Sequence[Parked]:
        """Return messages that nobody has known for so long."""
        ...

    async def webhooks_of(self, queue_id: str) -> Sequence[tuple[str, str]]:
        """Return (provider, event_id) of the webhooks that wait for an order."""
        ...

    async def remove(self, ids: Sequence[str]) -> None:
        """Take from the shelf what was dealt with."""
        ...
