"""Streams all orders with their trails out of one read-only snapshot."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from itertools import groupby
from operator import attrgetter, itemgetter
from types import TracebackType
from typing import Any, Final, LiteralString, NamedTuple, Self

import orjson
import psycopg
from psycopg.types.json import set_json_loads

from fsm.domain.acts import SERVICE
from fsm.domain.audit_keys import AuditKeys
from fsm.domain.canonical import written
from fsm.domain.decided import Decided, Subject
from fsm.domain.webhook_events import WebhookEvent, WebhookEventType
from fsm.invariants import (
    Line,
    OrderRow,
    TaskRow,
    Trail,
    trail_of,
)
from fsm.tampering import CaseRow
from payment_service.cli.database import connected
from payment_service.cli.errors import Wrong
from payment_service.storage.session import NAME, UNLIMITED, Door
from payment_service.storage.webhook_rows import webhook_from

FETCHED: Final = 5_000
"""Rows that one fetch brings: what is in memory at a time."""

SETTINGS: Final[Mapping[str, LiteralString]] = {
    **UNLIMITED,
    "cursor_tuple_fraction": "1.0",
    "enable_hashjoin": "off",
}
# The indexes have these orders, so nothing is sorted. A bare name would sort its text.
ORDERS: Final[LiteralString] = """
SELECT q.queue_id::text, q.order_id, q.amount, q.currency, q.state, q.version,
    q.waiting_for, q.wake_at, q.audit_hash,
    q.kind, q.merchant_id, q.customer_id, q.request -> 'destination',
    q.content_hash, q.signed_by, q.signature, q.request -> 'metadata',
    q.cancel_requested, q.tries, q.created_at, q.finished_at, q.customer_message,
    q.customer_id = '' AND q.request =
        '{"destination": {}, "metadata": {}, "erased": true}'::jsonb,
    q.flow_version, q.exclusive_key, q.loaded,
    coalesce(q.request -> 'details', '{}'::jsonb),
    t.task_id::text, t.position, t.provider, t.state, t.version, t.waiting_for,
    t.wake_at, t.verdict, t.sla, t.sla_at, t.audit_hash, t.returned,
    t.terminal_id, t.proposed_by, t.proposed_decision, t.provider_reference,
    t.sent_first_at, t.sent_last_at, t.tries, t.taken, t.cancel_requested,
    t.deadline_at, t.code, t.created_at, t.updated_at, t.lifecycle, t.step, t.name
FROM order_queues q LEFT JOIN order_tasks t ON t.queue_id = q.queue_id
ORDER BY q.queue_id
"""
LINES: Final[LiteralString] = """
SELECT entity_id::text, version, queue_id::text, source, target,
    trigger, actor, at, trace_id, detail, key_id, hash
FROM order_task_events e ORDER BY e.entity_id, e.version
"""
# What people have decided, as the rows say it: (kind, id) of the subject, then what a
# line says of it. Of a settled return the audit line is its task's.
DECIDED: Final[LiteralString] = """
SELECT 'provider', provider, state, changed_by, changed_at, reason, to_char(
    until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), NULL
FROM provider_controls
UNION ALL SELECT 'owner of case', id::text, 'assigned', NULL, NULL, NULL, owner,
    queue_id::text
FROM cases WHERE owner IS NOT NULL
UNION ALL SELECT 'vote to close case', id::text, 'proposed', NULL, NULL, NULL,
    close_voter, queue_id::text
FROM cases WHERE close_voter IS NOT NULL
UNION ALL SELECT 'case', id::text, state, closed_by, closed_at, reason, NULL,
    queue_id::text
FROM cases WHERE closed_at IS NOT NULL AND state <> 'settled'
UNION ALL SELECT DISTINCT 'return of task', task_id::text, state, closed_by, closed_at,
    NULL, NULL, queue_id::text
FROM cases WHERE state = 'settled'
UNION ALL SELECT 'dead letter', id::text, 'replayed', replayed_by, replayed_at, NULL,
    NULL, NULL
FROM dead_letters WHERE replayed_at IS NOT NULL
UNION ALL SELECT 'dead letter', id::text, 'discarded', discarded_by, discarded_at,
    discard_reason, NULL, NULL
FROM dead_letters WHERE discarded_at IS NOT NULL
UNION ALL SELECT 'key', name, CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
        WHEN takes_two AND agreed_at IS NULL THEN 'waiting' ELSE 'live' END,
    coalesce(revoked_by, agreed_by, made_by), coalesce(revoked_at, agreed_at, made_at),
    revoke_reason, left(encode(sha256, 'hex'), 16), NULL
FROM api_keys
UNION ALL SELECT 'four_eyes', currency, 'set', set_by, set_at, reason, amount::text,
    NULL
FROM four_eyes WHERE set_by IS NOT NULL OR amount IS NOT NULL
"""
CASES: Final[LiteralString] = """
SELECT k.kind, k.queue_id::text, k.task_id::text, k.amount, k.currency,
    k.money_at_risk, k.detail, k.order_id, q.order_id, q.amount, q.currency,
    EXISTS (SELECT FROM order_task_events e
        WHERE e.entity_id = k.task_id AND e.at = k.opened_at)
FROM cases k JOIN order_queues q USING (queue_id)
"""
WEBHOOK: Final[LiteralString] = """
SELECT i.inbox_id::text, i.state, i.provider, i.event_id, i.type, i.reference,
    i.provider_reference, i.amount, i.currency, i.code, i.message, i.received_at,
    i.body_hash, i.detail, i.content_hash, i.sequence, i.seen_as, i.signed_by,
    i.signature
"""
"""What :func:`webhook_of` reads a webhook from."""
INBOX: Final[LiteralString] = f"{WEBHOOK} FROM webhook_inbox i"
HOMELESS: Final[LiteralString] = """
SELECT t.task_id::text, t.queue_id::text FROM order_tasks t
WHERE NOT EXISTS (SELECT FROM order_queues q WHERE q.queue_id = t.queue_id)
"""
FACTS: Final[LiteralString] = """
SELECT clock_timestamp(), (SELECT count(*) FROM order_queues),
    (SELECT min(created_at) FROM order_queues)
"""
UNKNOWN: Final[LiteralString] = """
SELECT asked FROM unnest(%s::text[]) AS asked
WHERE NOT EXISTS (SELECT FROM order_tasks t WHERE t.task_id::text = asked)
"""
_ORDER_COLUMNS: Final = len(OrderRow._fields)


class SnapshotFacts(NamedTuple):
    """What the snapshot is of."""

    taken_at: datetime
    orders: int
    oldest: datetime | None


class Whole(NamedTuple):
    """An order with everything of ours about it."""

    order: OrderRow
    tasks: list[TaskRow]
    trails: dict[str, Trail]


class Snapshot(AbstractContextManager["Snapshot"]):
    """One REPEATABLE READ, read-only transaction: every statement sees the same."""

    def __init__(self, url: str, keys: AuditKeys) -> None:
        self._url = url
        self._keys = keys
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        door = Door(self._url, name=f"{NAME} verify", settings=SETTINGS)
        connection = self._stack.enter_context(connected(door))
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        if connection.local is not None:
            connection.execute(connection.local)
        set_json_loads(orjson.loads, connection)
        self._connection = connection
        self._trails = Trails((), self._keys)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def facts(self) -> SnapshotFacts:
        """Return what the snapshot is of."""
        row = self._connection.execute(FACTS).fetchone()
        if row is None:  # pragma: no cover - the statement gives one row
            raise Wrong("PostgreSQL gave no answer")
        return SnapshotFacts(*row)

    def wholes(self) -> Iterator[Whole]:
        """Return every order, by its id."""
        lines = map(Line._make, self._stream("lines", LINES))
        self._trails = Trails(lines, self._keys)
        for _, rows in groupby(self._stream("orders", ORDERS), key=itemgetter(0)):
            joined = list(rows)
            order = OrderRow._make(joined[0][:_ORDER_COLUMNS])
            if order.loaded is not None:
                order = order._replace(loaded=written(order.loaded))
            ours = [row[_ORDER_COLUMNS:] for row in joined]
            tasks = [TaskRow._make(row) for row in ours if row[0]]
            tasks.sort(key=attrgetter("position"))
            wanted = [order.queue_id, *(task.task_id for task in tasks)]
            yield Whole(order, tasks, self._trails.claim(wanted))

    def service(self) -> Trail | None:
        """Return the trail of the service itself, after ``wholes``."""
        return self._trails.claim([SERVICE]).get(SERVICE)

    def decided(self) -> Iterator[tuple[Subject, Decided]]:
        """Return what the rows say that people have decided."""
        for kind, subject_id, *said in self._stream("decided", DECIDED):
            yield Subject(kind, subject_id), Decided(*said)

    def unclaimed(self) -> Iterator[Trail]:
        """Return the trails that no order has claimed, after ``wholes``."""
        return self._trails.rest()

    def homeless(self) -> Iterator[tuple[str, str]]:
        """Return (task_id, queue_id) of tasks whose order is gone."""
        yield from self._stream("homeless", HOMELESS)

    def cases(self) -> frozenset[str]:
        """Return the tasks about which a case was opened."""
        rows = self._connection.execute("SELECT DISTINCT task_id::text FROM cases")
        return frozenset(row[0] for row in rows)

    def opened(self) -> Iterator[CaseRow]:
        """Return every case beside its order."""
        for row in self._stream("opened", CASES):
            yield CaseRow._make((*row[:8], tuple(row[8:11]), row[11]))

    def inbox(self) -> Iterator[WebhookEvent]:
        """Return every webhook that is kept."""
        for row in self._stream("inbox", INBOX):
            yield webhook_of(row)

    def unknown(self, task_ids: Collection[str]) -> list[str]:
        """Return which of these are not the ids of our tasks."""
        return [row[0] for row in self._connection.execute(UNKNOWN, [list(task_ids)])]

    def rows(
        self, name: str, statement: LiteralString, asked: Mapping[str, object]
    ) -> Iterator[Any]:
        """Return the rows of any statement, in pages."""
        return self._stream(name, statement, asked)

    def _stream(
        self,
        name: str,
        statement: LiteralString,
        asked: Mapping[str, object] | None = None,
    ) -> Iterator[Any]:
        with self._connection.cursor(name) as cursor:
            cursor.itersize = FETCHED
            cursor.execute(statement, asked, binary=True)
            yield from cursor


def webhook_of(row: tuple[Any, ...]) -> WebhookEvent:
    """Read a webhook; of one that nobody here can have written only its name."""
    try:
        return webhook_from(row).webhook
    except ValueError:
        return WebhookEvent(
            provider=row[2],
            event_id=row[3],
            type=WebhookEventType.UNKNOWN,
            reference=row[5],
            received_at=row[11],
        )


class Trails:
    """Trails by id, read no further than they are asked for.

    An order and its tasks are made in the same millisecond, so their ids lie close
    together and few trails wait here for their order.
    """

    def __init__(self, lines: Iterable[Line], keys: AuditKeys) -> None:
        self._keys = keys
        self._groups = groupby(lines, key=itemgetter(0))
        self._read_to = ""
        self._kept: dict[str, Trail] = {}

    def claim(self, ids: Collection[str]) -> dict[str, Trail]:
        """Return the trails of these ids; what has none is left out."""
        last = max(ids)
        while self._read_to < last and self._read():
            pass
        return {each: self._kept.pop(each) for each in ids if each in self._kept}

    def rest(self) -> Iterator[Trail]:
        """Return all that nobody has claimed."""
        while self._read():
            if len(self._kept) >= FETCHED:
                yield from self._give()
        yield from self._give()

    def _read(self) -> bool:
        entity_id, lines = next(self._groups, ("", None))
        if lines is None:
            self._read_to = "~"
            return False
        self._kept[entity_id] = trail_of(lines, self._keys)
        self._read_to = entity_id
        return True

    def _give(self) -> Iterator[Trail]:
        yield from self._kept.values()
        self._kept.clear()
