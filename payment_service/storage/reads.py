"""What people and upstream systems may look at: searches, trails, cases, letters."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, LiteralString

from sqlalchemy import ColumnElement, Select, select, tuple_

from fsm.domain.acts import SERVICE
from fsm.domain.dead_letters import DeadLetter, Reason
from fsm.domain.errors import (
    AmbiguousOrder,
    InvalidRequest,
    UnknownOrder,
    UnreadableRow,
)
from fsm.domain.ids import is_uuid
from fsm.domain.orders import Order
from fsm.domain.vouched import VOUCHER
from fsm.engine.flow import Rules
from fsm.engine.words import CaseKind, CaseState
from fsm.flows import RULES
from handlers.ports.reads import (
    AuditEntry,
    CaseRecord,
    CaseSearch,
    Page,
    Search,
)
from payment_service.storage import statements as sql
from payment_service.storage.audit_lines import line_from
from payment_service.storage.database import Database
from payment_service.storage.readable import readable
from payment_service.storage.searching import checked, searching
from payment_service.storage.tables import (
    CASES,
    DEAD_LETTERS,
)

CANDIDATES_MAX: Final = 20
EVENTS_MAX: Final = 10_000
HISTORY_MAX: Final = 1_000
"""Lines of each of several trails: a long one is read by itself."""

VERSION_MAX: Final = 2**31 - 1
# The trails of several orders, each up to a limit of its own.
TRAILS: Final[LiteralString] = """
SELECT t.seq, t.entity_id::text, t.queue_id::text, t.version, t.source, t.target,
    t.trigger, t.actor, t.at, t.trace_id, t.detail, t.key_id, t.hash
FROM unnest(%(queue_ids)s::uuid[]) AS wanted(id), LATERAL (
    SELECT e.* FROM (SELECT wanted.id AS id UNION ALL
        SELECT o.task_id FROM order_tasks o WHERE o.queue_id = wanted.id) ids,
    LATERAL (SELECT * FROM order_task_events e WHERE e.entity_id = ids.id OFFSET 0) e
    ORDER BY e.seq LIMIT %(limit)s) t
"""
VERSION: Final = re.compile("[1-9][0-9]{0,9}", re.ASCII)


class PostgresReads:
    """Implements ``ports.reads.Reads``. Cursors are the last id of a page."""

    def __init__(self, database: Database, *, rules: Rules = RULES) -> None:
        self._database = database
        self._rules = rules

    async def find(
        self, asked: str, *, merchants: Collection[str] | None = None
    ) -> Order:
        """Return the order with this queue_id or order_id, of these merchants."""
        queue_id = asked if is_uuid(asked) else None
        rows = await self._database.run(
            sql.FIND,
            {
                "order_id": asked,
                "queue_id": queue_id,
                "merchants": None if merchants is None else sorted(merchants),
                "limit": CANDIDATES_MAX,
            },
        )
        found = [readable(row[0], row[1], self._rules) for row in rows]
        if not found:
            raise UnknownOrder(asked)
        if len(found) > 1:
            orders = [each for each in found if isinstance(each, Order)]
            raise AmbiguousOrder(asked, [_candidate(order) for order in orders])
        if isinstance(found[0], UnreadableRow):
            raise found[0]
        return found[0]

    async def search(self, search: Search) -> Page[Order]:
        """Return the orders that match, newest first."""
        ids = [row[0] for row in await self._rows(searching(search))]
        every = await self._orders(ids[: search.limit])
        # What this version does not know is shown by one that does.
        orders = [each for each in every if isinstance(each, Order)]
        left_out = len(every) - len(orders)
        cursor = ids[search.limit - 1] if len(ids) > search.limit else None
        return Page(items=orders, next_cursor=cursor, left_out=left_out)

    async def events(self, queue_id: str) -> Sequence[AuditEntry]:
        """Return the audit trail of an order and all its tasks, by ``seq``."""
        rows = await self._database.run(
            sql.TRAIL, {"queue_id": queue_id, "limit": EVENTS_MAX}
        )
        return [_entry(row) for row in rows]

    async def histories(
        self, queue_ids: Collection[str]
    ) -> Mapping[str, Sequence[AuditEntry]]:
        """Return the trails of several orders, by queue."""
        rows = await self._database.run(
            TRAILS, {"queue_ids": [*queue_ids], "limit": HISTORY_MAX}
        )
        found: dict[str, list[AuditEntry]] = {queue_id: [] for queue_id in queue_ids}
        for row in rows:
            found[row[2]].append(_entry(row))
        return found

    async def service_events(
        self, *, limit: int, cursor: str | None
    ) -> Page[AuditEntry]:
        """Return the trail of the service itself, newest first."""
        before = VERSION_MAX if cursor is None else _version(cursor)
        asked = {"service": SERVICE, "before": before, "limit": limit + 1}
        entries = [
            _entry(r) for r in await self._database.run(sql.SERVICE_TRAIL, asked)
        ]
        versions = [str(entry.line.version) for entry in entries[:limit]]
        return Page(items=entries[:limit], next_cursor=_next(versions, entries, limit))

    async def cases(self, sought: CaseSearch) -> Page[CaseRecord]:
        """Return the cases that match, newest first."""
        c, limit = CASES.c, sought.limit
        wanted = select(*CASE).where(*_case_conditions(sought))
        if sought.cursor is not None:
            # Many may bear the same time; ids tell them apart.
            last = select(c.opened_at, c.id).where(c.id == checked(sought.cursor))
            wanted = wanted.where(tuple_(c.opened_at, c.id) < last.scalar_subquery())
        wanted = wanted.order_by(c.opened_at.desc(), c.id.desc()).limit(limit + 1)
        rows = await self._rows(wanted)
        items = [case_from(row) for row in rows[:limit]]
        return Page(items=items, next_cursor=_next([i.id for i in items], rows, limit))

    async def dead_letters(self, *, limit: int, cursor: str | None) -> Page[DeadLetter]:
        """Return the dead letters neither replayed nor discarded, newest first."""
        d = DEAD_LETTERS.c
        wanted = select(*LETTER).where(
            d.replayed_at.is_(None), d.discarded_at.is_(None)
        )
        if cursor is not None:
            last = select(d.at, d.id).where(d.id == checked(cursor))
            wanted = wanted.where(tuple_(d.at, d.id) < last.scalar_subquery())
        wanted = wanted.order_by(d.at.desc(), d.id.desc()).limit(limit + 1)
        rows = await self._rows(wanted)
        items = [letter_from(row) for row in rows[:limit]]
        return Page(items=items, next_cursor=_next([i.id for i in items], rows, limit))

    async def _orders(self, queue_ids: Sequence[str]) -> list[Order | UnreadableRow]:
        rows = await self._database.run(sql.LOAD, {"queue_ids": list(queue_ids)})
        found = {row[0]: readable(row[0], row[1], self._rules) for row in rows}
        return [found[queue_id] for queue_id in queue_ids if queue_id in found]

    async def _rows(self, statement: Select[Any]) -> list[Any]:
        async with self._database.connection() as connection:
            return list(await connection.execute(statement))


CASE: Final = (
    CASES.c.id,
    CASES.c.kind,
    CASES.c.order_id,
    CASES.c.queue_id,
    CASES.c.task_id,
    CASES.c.money_at_risk,
    CASES.c.currency,
    CASES.c.state,
    CASES.c.owner,
    CASES.c.opened_at,
    CASES.c.closed_at,
    CASES.c.reason,
    CASES.c.detail,
    CASES.c.close_voter,
)
LETTER: Final = (
    DEAD_LETTERS.c.id,
    DEAD_LETTERS.c.subject,
    DEAD_LETTERS.c.reason,
    DEAD_LETTERS.c.error,
    DEAD_LETTERS.c.deliveries,
    DEAD_LETTERS.c.body,
    DEAD_LETTERS.c.headers,
    DEAD_LETTERS.c.at,
    DEAD_LETTERS.c.task_id,
    DEAD_LETTERS.c.queue_id,
    DEAD_LETTERS.c.order_id,
)


def letter_from(row: Any) -> DeadLetter:  # noqa: ANN401 - a row of the columns above
    """Read a dead letter."""
    return DeadLetter(
        id=row[0],
        subject=row[1],
        reason=Reason(row[2]),
        error=row[3],
        deliveries=row[4],
        body=bytes(row[5]),
        headers={n: v for n, v in row[6].items() if n != VOUCHER},
        at=row[7],
        task_id=row[8],
        queue_id=row[9],
        order_id=row[10],
    )


def _candidate(order: Order) -> dict[str, str]:
    return {
        "queue_id": order.queue_id,
        "order_id": order.order_id,
        "merchant_id": order.merchant_id,
        "kind": order.queue.kind.value,
    }


def _version(cursor: str) -> int:
    if VERSION.fullmatch(cursor) is None or int(cursor) > VERSION_MAX:
        raise InvalidRequest.of_parameter(
            "cursor", f"{cursor!r} was not handed out here"
        )
    return int(cursor)


def _next(ids: Sequence[str], rows: Sequence[object], limit: int) -> str | None:
    return ids[-1] if len(rows) > limit else None


def _entry(row: Any) -> AuditEntry:  # noqa: ANN401 - a row of the columns above
    return AuditEntry(
        seq=row[0],
        line=line_from(row[1:]),
    )


def _case_conditions(sought: CaseSearch) -> list[ColumnElement[bool]]:
    c = CASES.c
    equal = {c.kind: sought.kind, c.owner: sought.owner, c.queue_id: sought.queue_id}
    conditions = [
        column == value for column, value in equal.items() if value is not None
    ]
    match sought.state:
        case CaseState.OPEN:
            conditions.append(c.closed_at.is_(None))
        case CaseState.CLOSED:
            conditions.append(c.closed_at.is_not(None))
        case CaseState.SETTLING | CaseState.SETTLED:
            conditions.append(c.state == sought.state)
        case None:
            pass
    return conditions


def case_from(row: Any) -> CaseRecord:  # noqa: ANN401 - a row of the columns above
    """Read a case."""
    return CaseRecord(
        id=row[0],
        kind=CaseKind(row[1]),
        order_id=row[2],
        queue_id=row[3],
        task_id=row[4],
        money_at_risk=row[5],
        currency=row[6],
        state=CaseState(row[7]),
        owner=row[8],
        opened_at=row[9],
        closed_at=row[10],
        reason=row[11],
        detail=row[12],
        close_voter=row[13],
    )
