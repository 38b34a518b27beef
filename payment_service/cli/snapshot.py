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
from payment_service.cli.snapshot_statements import (
    CASES,
    DECIDED,
    FACTS,
    HOMELESS,
    INBOX,
    LINES,
    ORDERS,
    UNKNOWN,
)
from payment_service.storage.session import NAME, UNLIMITED, Door
from payment_service.storage.webhook_rows import webhook_from

FETCHED: Final = 5_000
"""Rows that one fetch brings: what is in memory at a time."""

SETTINGS: Final[Mapping[str, LiteralString]] = {
    **UNLIMITED,
    "cursor_tuple_fraction": "1.0",
    "enable_hashjoin": "off",
}
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
            tasks = [_task_row(row) for row in ours if row[0]]
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

    def homeless(self) -> Iterator[tuple[str, str, str]]:
        """Return (task_id, queue_id, what) of rows that belong to none."""
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


def _task_row(row: tuple[Any, ...]) -> TaskRow:
    task = TaskRow._make(row)
    if task.result is None:
        return task
    return task._replace(result=written(task.result))


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
