"""What people and upstream systems may look at: read only, from the primary."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from fsm.domain.audit import AuditLine
from fsm.domain.dead_letters import DeadLetter
from fsm.domain.orders import Order
from fsm.engine.words import CaseKind, CaseState, Kind, OrderState, State

Item_co = TypeVar("Item_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item_co]):
    """Some items, and where the next ones begin; None where there are none.

    ``left_out`` are those that belong among them, and this version cannot read.
    """

    items: Sequence[Item_co]
    next_cursor: str | None = None
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which orders are sought; what is None matches all.

    ``since`` is included, ``until`` is not; both are about ``created_at``. Orders of
    others than ``merchants`` do not match, whatever else is sought.
    """

    customer_id: str | None = None
    merchant_id: str | None = None
    merchants: Collection[str] | None = None
    kind: Kind | None = None
    state: OrderState | None = None
    task_state: State | None = None
    provider: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the audit trail with its place in it."""

    seq: int
    line: AuditLine


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRecord:
    """A stored case; ``closed_at`` is None while it is open or being settled.

    ``money_at_risk`` is in minor units of ``currency``. ``close_voter`` is who
    was the first of two to vote for closing it.
    """

    id: str
    kind: CaseKind
    order_id: str
    queue_id: str
    task_id: str
    money_at_risk: int
    currency: str | None
    state: CaseState = CaseState.OPEN
    owner: str | None = None
    opened_at: datetime
    closed_at: datetime | None = None
    reason: str | None = None
    detail: Mapping[str, object] = field(default_factory=dict)
    close_voter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSearch:
    """Which cases are sought; what is None matches all.

    ``OPEN`` includes those that are being settled, ``CLOSED`` those that are.
    """

    state: CaseState | None = None
    kind: CaseKind | None = None
    owner: str | None = None
    queue_id: str | None = None
    limit: int = 50
    cursor: str | None = None


class Reads(Protocol):
    """The rows, as readers see them; every method may raise StoreUnavailable.

    A cursor is opaque to everybody else: one that was not handed out here raises
    :class:`InvalidRequest`.
    """

    async def find(
        self, asked: str, *, merchants: Collection[str] | None = None
    ) -> Order:
        """Return the order with this queue_id or order_id, of these merchants' alone.

        :raises UnknownOrder: there is none.
        :raises AmbiguousOrder: several merchants or kinds share it; a candidate is
            ``{"queue_id", "order_id", "merchant_id", "kind"}``.
        """
        ...

    async def search(self, search: Search) -> Page[Order]:
        """Return the orders that match, newest first."""
        ...

    async def events(self, queue_id: str) -> Sequence[AuditEntry]:
        """Return the audit trail of an order and all its tasks, by ``seq``."""
        ...

    async def histories(
        self, queue_ids: Collection[str]
    ) -> Mapping[str, Sequence[AuditEntry]]:
        """Return the trails of several orders by queue, each by ``seq``; in one read.

        Of a trail that is too long for it the beginning is returned.
        """
        ...

    async def service_events(
        self, *, limit: int, cursor: str | None
    ) -> Page[AuditEntry]:
        """Return the trail of the service itself, newest first."""
        ...

    async def cases(self, sought: CaseSearch) -> Page[CaseRecord]:
        """Return the cases that match, newest first."""
        ...

    async def dead_letters(self, *, limit: int, cursor: str | None) -> Page[DeadLetter]:
        """Return the dead letters neither replayed nor discarded, newest first."""
        ...


class ProviderState(StrEnum):
    """Whether a provider is given new work."""

    READY = "ready"
    PAUSED = "paused"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderStatus:
    """How a provider does; ``success_rate`` is None where there were no calls.

    ``because`` says why it is given no new work.
    """

    name: str
    adapter: str
    state: ProviderState
    in_flight: int = 0
    success_rate: float | None = None
    because: str | None = None
