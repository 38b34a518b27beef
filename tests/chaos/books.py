"""The oracle: four books that must agree, and an audit trail that explains them.

Judges S1, S2, S4, S5, S8, L3, M3 of docs/promises.md.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString

import psycopg

from providers.testing.simulator import Book
from providers.testing.simulator.core import SimulatedCore
from tests.chaos.checkouts import Checkouts, checkouts_of
from tests.chaos.fleet import Fleet
from tests.chaos.sent import Sent

REST_LOOK_SECONDS: Final = 0.2

UNREST: Final[LiteralString] = """
SELECT
    (SELECT count(*) FROM order_queues
        WHERE state IN ('ACTIVE', 'REVERSING') OR wake_at IS NOT NULL),
    (SELECT count(*) FROM outbox),
    (SELECT count(*) FROM order_queues)
"""
ORDERS: Final[LiteralString] = """
SELECT order_id, queue_id::text, kind, state, wake_at IS NULL,
    extract(epoch FROM created_at)::float8, extract(epoch FROM finished_at)::float8
FROM order_queues
"""
LETTERS: Final[LiteralString] = "SELECT reason, count(*) FROM dead_letters GROUP BY 1"
CASES: Final[LiteralString] = "SELECT kind, order_id FROM cases"
STEPS: Final[LiteralString] = "SELECT count(*) FROM order_task_events"
CHECKED: Final[LiteralString] = """
SELECT count(DISTINCT entity_id) FROM order_task_events WHERE target = 'MANUAL_CHECK'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as its row says."""

    order_id: str
    queue_id: str
    kind: str
    state: str
    told: bool
    created_at: float
    finished_at: float | None

    @property
    def seconds(self) -> float:
        """How long it took; without an end it takes for ever."""
        return (self.finished_at or float("inf")) - self.created_at


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What the oracle found; ``wrong`` empty means that every promise was kept."""

    orders: Sequence[Order]
    sent: int
    answered: int
    repeats: int
    completed: int
    failed: int
    lost: Sequence[str]
    stuck: Sequence[str]
    paid_twice: Sequence[str]
    payouts: int
    commits: int
    holds: int
    steps: int
    manual_checks: int
    dead_letters: dict[str, int]
    cases: dict[str, int]
    checkouts: Checkouts
    wrong: list[str] = field(default_factory=list)


async def at_rest(fleet: Fleet, *, orders: int, seconds: float) -> bool:
    """Wait until every order has ended and core knows; False if that takes longer."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            async with await _connected(fleet) as connection:
                cursor = await connection.execute(UNREST)
                row = await cursor.fetchone()
        except psycopg.Error:
            row = None
        if row is not None and row[0] == 0 and row[1] == 0 and row[2] >= orders:
            return True
        await asyncio.sleep(REST_LOOK_SECONDS)
    return False


async def orders_of(fleet: Fleet) -> list[Order]:
    """Return all orders as they stand."""
    return [
        Order(
            order_id=row[0],
            queue_id=row[1],
            kind=row[2],
            state=row[3],
            told=row[4],
            created_at=row[5],
            finished_at=row[6],
        )
        for row in await _rows(fleet, ORDERS)
    ]


async def judge(fleet: Fleet, sent: Sequence[Sent]) -> Verdict:
    """Stop core, providers and services, read their books, and compare everything.

    `verify` runs first, as long as it can still ask them.
    """
    verified = await _verified(fleet)
    await asyncio.gather(fleet.core.stop(), fleet.providers.stop())
    core, book = SimulatedCore(book=fleet.books[0]), Book(fleet.books[1])
    orders = await orders_of(fleet)
    answered = [each for each in sent if each.answered_at is not None]
    known = {order.order_id for order in orders}
    states = [order.state for order in orders]
    carts = {o.queue_id: (o.order_id, o.state) for o in orders if o.kind == "checkout"}
    verdict = Verdict(
        orders=orders,
        sent=len(sent),
        answered=len(answered),
        repeats=sum(each.tries - 1 for each in sent),
        completed=states.count("COMPLETED"),
        failed=states.count("FAILED"),
        lost=[each.order_id for each in answered if each.order_id not in known],
        stuck=[o.order_id for o in orders if o.finished_at is None or not o.told],
        paid_twice=[
            f"{token.rpartition('#')[2]} was paid {count} times"
            for token, count in book.executed_by_destination().items()
            if count > 1
        ],
        payouts=book.executed(),
        commits=sum(1 for entry in core.entries if entry.operation == "commit"),
        holds=len(core.holds()),
        steps=(await _rows(fleet, STEPS))[0][0],
        manual_checks=(await _rows(fleet, CHECKED))[0][0],
        dead_letters=dict(await _rows(fleet, LETTERS)),
        cases=_counted(await _rows(fleet, CASES)),
        checkouts=checkouts_of(carts, fleet.service_book, fleet.charge_book),
    )
    verdict.wrong = [*verified, *_wrong(verdict, core, book)]
    return verdict


def _wrong(verdict: Verdict, core: SimulatedCore, book: Book) -> Iterator[str]:
    yield from (f"LOST: order {o} was accepted and is not stored" for o in verdict.lost)
    yield from (f"STUCK: order {order_id} is not at rest" for order_id in verdict.stuck)
    yield from (f"core: {problem}" for problem in core.check())
    yield from (f"providers: {problem}" for problem in book.check())
    yield from (f"books: {problem}" for problem in book.against(core.statement()))
    yield from (f"PAID TWICE: {whom}" for whom in verdict.paid_twice)
    yield from (f"ORPHAN: task {t} still holds {a}" for t, a in core.holds().items())
    yield from verdict.checkouts.wrong
    paid = verdict.completed - verdict.checkouts.completed
    if verdict.commits != paid:
        yield f"{paid} withdrawals completed, core committed {verdict.commits}"
    if verdict.answered != verdict.sent:
        yield f"{verdict.sent - verdict.answered} requests were never answered"
    # Nobody here breaks his word, so a contradiction is one of the service's own.
    yield from (f"a case of {kind}" for kind in verdict.cases)


async def _verified(fleet: Fleet) -> list[str]:
    code, output = await fleet.command("verify", "--core", "--providers")
    if code == 0:
        return []
    return [f"verify: {line}" for line in output.splitlines() if line.strip()]


def _counted(rows: Sequence[Any]) -> dict[str, int]:
    kinds = [f"{kind} at order {order_id}" for kind, order_id in rows]
    return {kind: kinds.count(kind) for kind in kinds}


async def _connected(fleet: Fleet) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(
        fleet.database_url, autocommit=True, connect_timeout=3
    )


async def _rows(fleet: Fleet, statement: LiteralString) -> list[Any]:
    async with await _connected(fleet) as connection:
        return await (await connection.execute(statement)).fetchall()
