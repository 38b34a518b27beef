"""Statements: what the service asks PostgreSQL for an order, from PostgreSQL's own log.

A read is a statement that changes nothing. A write is one that does; each of them is a
transaction, and so a commit of its own. What names no order comes by time, such as a
look for what is overdue, and is told apart.
"""

import json
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from payment_service.storage import record, statements
from payment_service.storage.session import NAME

POSTGRES: Final = {
    "logging_collector": "on",
    "log_destination": "jsonlog",
    "log_filename": "statements",
    "log_rotation_age": "0",
    "log_rotation_size": "0",
}
WRITES: Final = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM)\b")
LOCKS: Final = re.compile(r"\bFOR (NO KEY )?UPDATE\b")
EXECUTED: Final = re.compile(r"(?:execute [^:]+|statement): (?P<text>.*)", re.DOTALL)
IDS: Final[LiteralString] = """
SELECT queue_id::text FROM order_queues UNION SELECT task_id::text FROM order_tasks
"""
ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FLUSH_SECONDS_MAX: Final = 10.0
SHOWN: Final = 60
"""How much is shown of a statement that has no name."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One that was run: its name, whether it changes anything, whose it is."""

    name: str
    writes: bool
    of_order: bool


@dataclass(frozen=True, slots=True)
class Told:
    """The statements of some orders."""

    orders: int
    statements: Sequence[Statement]

    @property
    def reads(self) -> float:
        """Return the statements of one order that change nothing."""
        return self._each(writes=False)

    @property
    def writes(self) -> float:
        """Return the commits of one order."""
        return self._each(writes=True)

    def by_name(self, *, of_order: bool = True) -> dict[str, float]:
        """Return how often each statement is run, for an order."""
        counted = Counter(s.name for s in self.statements if s.of_order is of_order)
        return {n: round(c / self.orders, 2) for n, c in counted.most_common()}

    def _each(self, *, writes: bool) -> float:
        found = [s for s in self.statements if s.of_order and s.writes is writes]
        return len(found) / self.orders


class Log:
    """PostgreSQL's log of one database, from when it is made on."""

    def __init__(self, data_dir: Path, url: str) -> None:
        self._file = data_dir / "log" / "statements.json"
        self._url = url
        with psycopg.connect(url, autocommit=True) as connection:
            self._database = connection.info.dbname
            logged = sql.SQL("ALTER DATABASE {} SET log_statement = 'all'")
            connection.execute(logged.format(sql.Identifier(self._database)))
        self._from = self._file.stat().st_size
        self.mark()

    def mark(self) -> None:
        """Leave out what was run until now."""
        self._from += len(self._written())

    def read(self, orders: int) -> Told:
        """Return what the service has run since the mark, for so many orders."""
        lines = self._written().splitlines()
        with psycopg.connect(self._url) as connection:
            ids = {found for (found,) in connection.execute(IDS)}
        entries = (json.loads(line) for line in lines)
        mine = (e for e in entries if e.get("dbname") == self._database)
        return Told(orders, list(statements_of(mine, ids)))

    def _written(self) -> bytes:
        """Return the log since the mark, with all that was run until now."""
        mark = f"mark {secrets.token_hex(8)}"
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.SQL("SELECT {}").format(mark))
        deadline = time.monotonic() + FLUSH_SECONDS_MAX
        while time.monotonic() < deadline:
            with self._file.open("rb") as file:
                file.seek(self._from)
                written = file.read()
            at = written.find(mark.encode())
            end = written.find(b"\n", at) + 1
            if at >= 0 and end > 0:
                return written[:end]
            time.sleep(0.01)
        raise RuntimeError(f"PostgreSQL logs no statement in {self._file}")


def names() -> dict[str, str]:
    """Return the names of the hot statements, by their text as PostgreSQL logs it."""
    known = {name: text for name, text in vars(statements).items() if name.isupper()}
    texts = {_plain(t): name for name, t in known.items() if isinstance(t, str)}
    return texts | {_plain(text): "RECORD" for text in record.RECORD.values()}


def statements_of(
    entries: Iterable[Mapping[str, Any]], ids: Iterable[str]
) -> Iterator[Statement]:
    """Return what the service has run; ``ids`` are those of the orders and tasks."""
    known, named = frozenset(ids), names()
    for entry in entries:
        found = EXECUTED.match(entry.get("message", ""))
        if found is None or not entry.get("application_name", "").startswith(NAME):
            continue
        text = _plain(found["text"])
        yield Statement(
            name=named.get(text, text[:SHOWN]),
            writes=bool(WRITES.search(LOCKS.sub("", text))),
            of_order=not known.isdisjoint(ID.findall(entry.get("detail", ""))),
        )


def _plain(text: str) -> str:
    """Return a statement in one line, with one sign for each of its parameters."""
    return " ".join(re.sub(r"%\(\w+\)s|\$\d+", "?", text).split())
