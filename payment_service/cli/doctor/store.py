"""Checks PostgreSQL: reachable, durable, at the newest schema; and what piles up."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString, TypeVar

import psycopg

from fsm.domain.durations import format_duration
from fsm.domain.errors import Fault
from handlers.ports.backlog import Backlog
from payment_service.cli.doctor import parked, people
from payment_service.cli.doctor.findings import Area, Finding
from payment_service.cli.errors import in_one_line
from payment_service.settings import Settings
from payment_service.storage import migrate
from payment_service.storage.database import Database
from payment_service.storage.gauges import standing
from payment_service.storage.postgres_errors import mend_of, mend_of_connection
from payment_service.storage.rights import beyond_need, lacking
from payment_service.storage.session import (
    NAME,
    Connection,
    Door,
    connect_plainly,
    look,
)

Answer = TypeVar("Answer")

AREA: Final = Area("database")
WORK: Final = Area("work")
NAMED: Final = f"{NAME} doctor"
SKEW_MAX: Final = timedelta(seconds=2)
CONNECTIONS_A_PROCESS: Final = 18
LAG_MAX: Final = timedelta(minutes=1)
SETTINGS: Final[LiteralString] = """
SELECT name, setting FROM pg_settings WHERE name = ANY(%s)
"""
WANTED: Final = {
    "fsync": ("on", "a power cut may lose what was acknowledged"),
    "full_page_writes": ("on", "a power cut may tear pages"),
}
OVERDUE: Final[LiteralString] = """
SELECT (SELECT count(*) FROM order_tasks
        WHERE watch_at < clock_timestamp() - %(g)s
        AND wake_at < clock_timestamp() - %(g)s)
    + (SELECT count(*) FROM order_queues WHERE wake_at < clock_timestamp() - %(g)s)
    + (SELECT count(*) FROM webhook_inbox WHERE wake_at < clock_timestamp() - %(g)s)
"""
PARTITION: Final[LiteralString] = """
SELECT to_regclass('order_task_events_'
    || to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY_MM'))
"""


@dataclass(slots=True)
class ClockOffset:
    """How far the database's clock is ahead of this machine's; None where unknown."""

    ahead: timedelta | None = None

    def now(self) -> datetime:
        """Return the database's time, or this machine's."""
        return datetime.now(UTC) + (self.ahead or timedelta())


async def check(settings: Settings, clock: ClockOffset) -> AsyncIterator[Finding]:
    """Check the database; ``clock`` learns its time."""
    url = settings.database_url.get_secret_value() if settings.database_url else ""
    door = Door(url, name=NAMED, prepare=settings.database_prepare)
    try:
        connection = await look(door)
    except psycopg.Error as error:
        mend = mend_of_connection(error)
        yield AREA.wrong("connection", in_one_line(str(error)), mend)
        return
    try:
        async with connection:
            async for finding in _looked_at(connection, settings, clock, door):
                yield finding
    except psycopg.Error as error:
        mend = mend_of(error) or "see the database's log"
        yield AREA.wrong("questions", in_one_line(str(error)), mend)


async def _looked_at(
    connection: Connection, settings: Settings, clock: ClockOffset, door: Door
) -> AsyncIterator[Finding]:
    for finding in _server(connection, settings):
        yield finding
    for trouble in connection.facts.troubles(writes=True):
        yield AREA.wrong(*trouble)
    for finding in await _durability(connection):
        yield finding
    yield await _clock(connection, clock)
    if list(connection.facts.troubles(writes=False)):
        return
    for grant in await asyncio.to_thread(_asked, door, lacking):
        yield AREA.wrong("rights", "something is not granted", grant)
    yield _powers(await asyncio.to_thread(_asked, door, beyond_need))
    found = await asyncio.to_thread(_asked, door, migrate.revision_in)
    if mend := migrate.mend_of(found):
        told = f"it is {found or 'none'}, this version needs {migrate.newest()}"
        yield AREA.wrong("schema", told, mend)
        return
    yield AREA.ok("schema", f"{found}, the newest")
    yield await _partition(connection)
    async for finding in _work(connection, settings, door.url, clock):
        yield finding


def _powers(more: list[str]) -> Finding:
    """Say whether who takes the service over could change its books unseen."""
    if not more:
        return AREA.ok("powers", "this user may do what it needs, and no more")
    mend = "run as the role `service` of `payment-service migrate --grants`"
    return AREA.advice("powers", f"this user {'; '.join(more)}", mend)


def _server(connection: Connection, settings: Settings) -> Iterator[Finding]:
    info, facts = connection.info, connection.facts
    version = f"PostgreSQL {facts.version} at {info.host}"
    yield AREA.ok("connection", f"{version}, database {info.dbname}")
    if not facts.is_pooled:
        return
    kept = "that looks after" if facts.keeps_statements else "without"
    told = f"there is one, {kept} prepared statements"
    if settings.database_prepare == "on" and not facts.keeps_statements:
        mend = "set PAYMENT_DATABASE_PREPARE to auto, unless its pool_mode is session"
        yield AREA.advice("pooler", told, mend)
    else:
        yield AREA.ok("pooler", told)


def _asked(door: Door, question: Callable[[psycopg.Connection[Any]], Answer]) -> Answer:
    with connect_plainly(door) as connection:
        return question(connection)


async def _durability(connection: Connection) -> list[Finding]:
    names = [*WANTED, "synchronous_commit", "max_connections"]
    async with connection.transaction():
        # As the service has it: behind a pooler its settings come with a transaction.
        if connection.local is not None:
            await connection.execute(connection.local)
        cursor = await connection.execute(SETTINGS, [names])
        have: dict[str, str] = dict(await cursor.fetchall())
    found = []
    for name, (wanted, because) in WANTED.items():
        if have.get(name) == wanted:
            found.append(AREA.ok(name, wanted))
        else:
            told = f"{have.get(name)}: {because}"
            found.append(AREA.wrong(name, told, f"set it to {wanted}"))
    return [*found, *_commit(have), *_connections(have)]


def _commit(have: dict[str, str]) -> Iterator[Finding]:
    value = have.get("synchronous_commit", "unknown")
    if value == "off":
        told = "off: a crash loses what was acknowledged"
        yield AREA.wrong("synchronous_commit", told, "set it to on")
    else:
        yield AREA.ok("synchronous_commit", value)


def _connections(have: dict[str, str]) -> Iterator[Finding]:
    limit = int(have.get("max_connections", "0"))
    processes = limit // CONNECTIONS_A_PROCESS
    told = f"{limit}: enough for {processes} processes of {CONNECTIONS_A_PROCESS} each"
    if processes:
        yield AREA.ok("max_connections", told)
    else:
        mend = f"set it to {2 * CONNECTIONS_A_PROCESS} at least"
        yield AREA.wrong("max_connections", told, mend)


async def _clock(connection: psycopg.AsyncConnection, clock: ClockOffset) -> Finding:
    before = time.time()
    cursor = await connection.execute("SELECT clock_timestamp()")
    row = await cursor.fetchone()
    after = time.time()
    theirs = row[0] if row else datetime.now(UTC)
    clock.ahead = theirs - datetime.fromtimestamp((before + after) / 2, UTC)
    way = timedelta(seconds=after - before)
    return skew(AREA, clock.ahead, way, "this machine's")


def skew(area: Area, ahead: timedelta, way: timedelta, whose: str) -> Finding:
    """Judge how far a clock is from another one, at the middle of the ``way`` to it.

    Somewhere on that way it was read: half of the way may be no skew.
    """
    what = "clock"
    told = f"{abs(ahead).total_seconds() * 1000:.0f} ms from {whose}"
    if abs(ahead) <= SKEW_MAX + way / 2:
        return area.ok(what, told)
    return area.wrong(what, told, "let every machine follow NTP")


async def _partition(connection: psycopg.AsyncConnection) -> Finding:
    cursor = await connection.execute(PARTITION)
    row = await cursor.fetchone()
    if row and row[0]:
        return AREA.ok("partitions", f"{row[0]} is there")
    mend = "run `payment-service migrate`; a running sweeper makes the next ones"
    return AREA.advice("partitions", "none for this month: the rest takes it", mend)


async def _work(
    connection: psycopg.AsyncConnection,
    settings: Settings,
    url: str,
    clock: ClockOffset,
) -> AsyncIterator[Finding]:
    grace = settings.sweep_grace + 2 * settings.sweep_interval
    cursor = await connection.execute(OVERDUE, {"g": grace})
    row = await cursor.fetchone()
    late = int(row[0]) if row else 0
    if late:
        told = f"{late} rows are overdue by more than {format_duration(grace)}"
        yield WORK.wrong("overdue", told, "run a worker and a sweeper")
    else:
        yield WORK.ok("overdue", "nothing is late")
    database = Database(
        url, connections_max=1, prepare=settings.database_prepare, name=NAMED
    )
    try:
        await database.require_write()
        yield WORK.ok("a write", "is taken")
        for finding in _piles(await standing(database)):
            yield finding
        for finding in await parked.check(WORK, database):
            yield finding
        async for finding in people.check(database, settings, clock.now()):
            yield finding
    except Fault as fault:
        yield WORK.wrong("counts", str(fault), "see the database's log")
    finally:
        await database.close()


def _piles(now: Backlog) -> Iterator[Finding]:
    lag = timedelta(seconds=now.outbox_lag_seconds)
    told = f"{now.outbox_pending} messages, the oldest {_age(lag)} old"
    if now.outbox_pending and lag > LAG_MAX:
        yield WORK.wrong("outbox", told, "run a relay, and see NATS")
    else:
        yield WORK.ok("outbox", told)
    yield _pile("dead letters", now.dlq_size, "see `payment-service dlq list`")
    cases = sum(count for _, count in now.cases_open)
    yield _pile("open cases", cases, "see GET /v1/cases?state=open, or the console")
    checks = sum(n for state, _, n in now.tasks if state == "MANUAL_CHECK")
    if checks:
        oldest = _age(timedelta(seconds=now.manual_check_oldest_seconds))
        told = f"{checks} wait for a person, the oldest for {oldest}"
        mend = "see `payment-service order list --task-state MANUAL_CHECK`"
        yield WORK.advice("manual checks", told, mend)
    else:
        yield WORK.ok("manual checks", "none")


def _pile(what: str, count: int, mend: str) -> Finding:
    if count:
        return WORK.advice(what, f"{count} wait for a person", mend)
    return WORK.ok(what, "none")


def _age(length: timedelta) -> str:
    return str(timedelta(seconds=int(length.total_seconds())))
