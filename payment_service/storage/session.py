"""The one door to PostgreSQL: how every connection is made, and what it is found to be.

Settings travel in no start-up parameter, which poolers refuse. They are set for the
session where it is ours, by the statement that looks at it; behind a pooler, where each
transaction may meet another server connection, each transaction brings its own.
"""

import asyncio
import os
import secrets
import socket
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal, LiteralString, TypeVar

import psycopg
from psycopg import sql
from psycopg.abc import PQGen

from payment_service.storage import address
from payment_service.storage.fitness import ConnectionFacts, Unfit, require_fit

Prepare = Literal["auto", "on", "off"]
Row = tuple[Any, ...]
Result = TypeVar("Result")
AnyConnection = psycopg.Connection[Row] | psycopg.AsyncConnection[Row]

NAME: Final = "payment-service"
ANSWER_SECONDS_MAX: Final = 12.0
"""A little more than the server allows a statement: after it nothing comes any more."""
PING_SECONDS_MAX: Final = 2.0
"""Who has nothing to do but to say so does it in this time, or is not there."""

# Nobody can mean another one: accepted orders could not be read, or steps would mix.
OURS: Final[Mapping[str, LiteralString]] = {
    # What values look like on the way in and out.
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    # What a statement sees.
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "exit_on_error": "off",
}
SETTINGS: Final[Mapping[str, LiteralString]] = {
    **OURS,
    # How long it may take, and how it is planned.
    "statement_timeout": "10s",
    "lock_timeout": "4s",
    "idle_in_transaction_session_timeout": "15s",
    "plan_cache_mode": "auto",
    "jit": "off",
}
# A plan made while the tables are empty would read them whole, and is kept.
HOT: Final[Mapping[str, LiteralString]] = {**SETTINGS, "enable_seqscan": "off"}
# A command's statement may read everything there is, and a person waits for it.
UNLIMITED: Final[Mapping[str, LiteralString]] = {
    **SETTINGS,
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}

# Nobody who acknowledges money wants a commit that a crash takes back.
_COMMITS: Final[LiteralString] = """set_config('synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
    ELSE current_setting('synchronous_commit') END"""
# Where this server process is ours alone it is set up, and looked at in any case.
_LOOK: Final[LiteralString] = f"""
SELECT pg_backend_pid(), current_setting('server_version_num')::int / 10000,
    current_setting('server_encoding'), pg_is_in_recovery(),
    current_setting('transaction_read_only') = 'on',
    current_setting('session_replication_role'),
    CASE WHEN ours THEN {_COMMITS}, false) END,
    (SELECT count(CASE WHEN ours THEN set_config(name, value, false) END)
        FROM unnest(%(names)s::text[], %(values)s::text[]) AS wanted(name, value))
FROM (SELECT pg_backend_pid() = %(pid)s AS ours) o
"""
# A setting that came with the connection says so; one that a pooler dropped does not.
_KEPT: Final[LiteralString] = """
SELECT lower(name) FROM pg_settings WHERE lower(name) = ANY(%(names)s::text[])
AND source IN ('client', 'session')
"""
_PREPARED: Final[LiteralString] = """
SELECT name FROM pg_prepared_statements WHERE statement = %(statement)s
"""


@dataclass(frozen=True, slots=True)
class Door:
    """How connections to one database are made; the address is a secret."""

    url: str = field(repr=False)
    name: str = NAME
    prepare: Prepare = "auto"
    settings: Mapping[str, LiteralString] = field(default_factory=lambda: SETTINGS)

    def parameters(self) -> dict[str, Any]:
        """Return what libpq is given."""
        return address.parameters(self.url, name=self.name)

    def wanted(self) -> dict[str, LiteralString]:
        """Return the settings to make: what the user may set himself is kept."""
        kept = address.given_settings(self.url).keys() - OURS.keys()
        return {n: v for n, v in self.settings.items() if n not in kept}

    def local(self) -> LiteralString:
        """Return the statement with which each transaction behind a pooler begins."""
        calls: list[LiteralString] = [
            f"set_config('{name}', '{value}', true)"
            for name, value in self.wanted().items()
            # The transaction is there already: it says itself what it is.
            if not name.startswith("default_transaction")
        ]
        return f"SELECT {', '.join(calls)}, {_COMMITS}, true)"


class Connection(psycopg.AsyncConnection[Row]):
    """One that knows what it is, and ends itself where the other end goes silent."""

    went_silent = False
    facts = ConnectionFacts()
    local: LiteralString | None = None
    """What each transaction has to begin with; None where the session holds it."""
    _patience: float | None = None

    async def answers(self) -> bool:
        """Whether the other end is there still; one that is not is given up."""
        commits = self.autocommit
        self._patience = PING_SECONDS_MAX
        try:
            await self.set_autocommit(True)
            await self.execute("SELECT 1", prepare=False)
            await self.set_autocommit(commits)
        except psycopg.Error:
            return False
        finally:
            self._patience = None
        return True

    async def wait(
        self,
        gen: PQGen[Result],
        interval: float = 0.1,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's own
    ) -> Result:
        """Wait for an answer, but not for ever."""
        loop = asyncio.get_running_loop()
        patience = loop.call_later(self._patience or ANSWER_SECONDS_MAX, self.give_up)
        try:
            return await super().wait(gen, interval, timeout)
        finally:
            patience.cancel()

    def give_up(self) -> None:
        """Count it for silent: who waits for its answer hears of its end at once."""
        self.went_silent = True
        _cut(self)


class PlainConnection(psycopg.Connection[Row]):
    """One for a command, which waits as long as it takes."""

    facts = ConnectionFacts()
    local: LiteralString | None = None

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """Give it up where what the block asks is not answered soon.

        :raises psycopg.OperationalError: it was not.
        """
        too_late = threading.Event()

        def give_up() -> None:
            too_late.set()
            _cut(self)

        patience = threading.Timer(ANSWER_SECONDS_MAX, give_up)
        patience.daemon = True
        patience.start()
        try:
            yield
        except psycopg.OperationalError as error:
            if too_late.is_set():
                told = f"PostgreSQL has not answered in {ANSWER_SECONDS_MAX:.0f} s"
                raise psycopg.OperationalError(told) from error
            raise
        finally:
            patience.cancel()


def _cut(connection: AnyConnection) -> None:
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as end,
    ):
        end.shutdown(socket.SHUT_RDWR)


async def connect(door: Door, *, writes: bool = True) -> Connection:
    """Return a connection in autocommit, set up and found fit.

    :raises psycopg.Error: it cannot be made.
    :raises Unfit: it can, but is of no use; says how to mend that.
    """
    connection = await look(door)
    try:
        require_fit(connection.facts, writes=writes)
    except BaseException:
        await connection.close()
        raise
    return connection


async def require_session(connection: Connection, door: Door) -> None:
    """Refuse to prepare where the next transaction may meet another server process.

    A pooler of transactions gives two idle clients the same one by turns.

    :raises Unfit: it is one, and was not to be found out about.
    """
    facts = connection.facts
    if door.prepare != "on" or not facts.is_pooled or facts.keeps_statements:
        return
    async with await look(door) as other:
        met = {await _process_behind(each) for each in (connection, other)}
    if len(met) == 1:
        raise Unfit(
            "PAYMENT_DATABASE_PREPARE is on, and the pooler loses what was prepared: "
            "set it to auto"
        )


async def _process_behind(connection: Connection) -> int:
    row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    return int(row[0]) if row else 0


async def look(door: Door) -> Connection:
    """Return a connection in autocommit, set up, whatever it was found to be.

    :raises psycopg.Error: it cannot be made.
    """
    connection = await Connection.connect(
        **door.parameters(), autocommit=True, prepare_threshold=None
    )
    try:
        await _set_up(connection, door)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _set_up(connection: Connection, door: Door) -> None:
    found = await (await connection.execute(_LOOK, _asked(connection, door))).fetchall()
    kept: Collection[str] = ()
    if given := address.given_settings(door.url):
        rows = await connection.execute(_KEPT, {"names": list(given)})
        kept = {row[0] for row in await rows.fetchall()}
    pooled = found[0][0] != connection.pgconn.backend_pid
    keeps = await _keeps_statements(connection) if pooled else True
    connection.facts = _facts(found[0], given.keys() - kept, pooled=pooled, keeps=keeps)
    connection.local = door.local() if pooled else None
    await connection.set_isolation_level(psycopg.IsolationLevel.READ_COMMITTED)
    prepares = keeps if door.prepare == "auto" else door.prepare == "on"
    # A statement is prepared when it is first seen: there are few of them.
    connection.prepare_threshold = 0 if prepares else None


async def _keeps_statements(connection: Connection) -> bool:
    """Find out whether a pooler looks after prepared statements.

    One that does gives them names of its own. One that does not hands ours through to
    a server connection that the next transaction need not meet.
    """
    mark = f"SELECT '{NAME} {secrets.token_hex(8)}'"
    async with connection.transaction():
        connection.prepare_threshold = 0
        await connection.execute(mark.encode())
        connection.prepare_threshold = None
        rows = await connection.execute(_PREPARED, {"statement": mark})
        names = [row[0] for row in await rows.fetchall()]
        ours = [name for name in names if name.startswith("_pg3_")]
        for name in ours:
            forget = sql.SQL("DEALLOCATE {}").format(sql.Identifier(name))
            await connection.execute(forget)
    return bool(names) and not ours


def connect_plainly(door: Door, *, writes: bool = False) -> PlainConnection:
    """Return a connection for a command, in transactions, set up and found fit.

    Behind a pooler each of its transactions has to begin with ``local``.

    :raises psycopg.Error: it cannot be made.
    :raises Unfit: it can, but is of no use; says how to mend that.
    """
    connection = PlainConnection.connect(**door.parameters(), prepare_threshold=None)
    try:
        with connection.in_time():
            _set_up_plainly(connection, door)
        require_fit(connection.facts, writes=writes)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up_plainly(connection: PlainConnection, door: Door) -> None:
    found = connection.execute(_LOOK, _asked(connection, door)).fetchall()
    kept: Collection[str] = ()
    if given := address.given_settings(door.url):
        rows = connection.execute(_KEPT, {"names": list(given)})
        kept = {row[0] for row in rows}
    connection.commit()
    pooled = found[0][0] != connection.pgconn.backend_pid
    connection.facts = _facts(found[0], given.keys() - kept, pooled=pooled, keeps=False)
    connection.local = door.local() if pooled else None
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED


def _asked(connection: AnyConnection, door: Door) -> dict[str, object]:
    wanted = door.wanted()
    return {
        "pid": connection.pgconn.backend_pid,
        "names": list(wanted),
        "values": list(wanted.values()),
    }


def _facts(
    row: Row, lost: Collection[str], *, pooled: bool, keeps: bool
) -> ConnectionFacts:
    _, version, encoding, standby, read_only, role, *_ = row
    return ConnectionFacts(
        version=version,
        encoding=encoding,
        is_pooled=pooled,
        keeps_statements=keeps,
        is_standby=standby,
        is_read_only=read_only,
        replication_role=role,
        lost=tuple(sorted(lost)),
    )
