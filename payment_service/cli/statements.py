"""Fetches core's ledger and the providers' statements into a file, by task.

Millions of lines fit: they go to a temporary SQLite file, not into memory.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from fsm.domain.events import stamp
from fsm.reconciliation import LedgerEntry, StatementEntry
from payment_service.cli.errors import Wrong
from payment_service.settings import Settings, proxies
from providers.answering import Answer
from providers.config import ProviderTable
from providers.config.unsafe import OWN_ADAPTERS
from providers.http.outbound import ConnectionLimit, Outbound, Response
from providers.http.trust import trusting
from providers.http.unreadable import kind_of
from providers.rest.statement import DeclaredStatement, statement_of
from providers.statements import (
    PAGE_BYTES_MAX,
    NoStatement,
    NotOffered,
    Oddity,
    StatementPage,
    UnreadableLine,
    Walk,
)
from providers.stripe.statement import StripeStatement

LISTED_MAX: Final = 100
BATCH: Final = 1000
OK: Final = 200


@dataclass(frozen=True, slots=True)
class Unread:
    """A line of a statement about a task of ours that does not say enough."""

    provider: str
    task_id: str
    page: int
    row: int
    why: str

    def __str__(self) -> str:
        where = f"provider {self.provider}'s statement, page {self.page} row {self.row}"
        return f"{where}: the line about task {self.task_id} {self.why}"


class Books:
    """What core and the providers say, looked up by task."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("")
        self._rows.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE ledger (task, operation, amount, currency, at);"
            "CREATE TABLE payouts (provider, task, status, amount, currency);"
            "CREATE TABLE unread (provider, task, page, line, why, is_known);"
        )
        self.core = False
        self.odd_entries: list[UnreadableLine] = []
        self.stated: set[str] = set()
        self.charging: set[str] = set()
        self.partial: dict[str, str] = {}
        self.odd: dict[str, Counter[str]] = {}
        self.listed: dict[str, list[UnreadableLine]] = {}

    def index(self) -> None:
        """Make the look-ups fast, once everything is there."""
        self._rows.execute("CREATE INDEX ledger_task ON ledger (task)")
        self._rows.execute("CREATE INDEX payouts_task ON payouts (task)")

    def keep_ledger(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Keep entries of core's ledger."""
        self._rows.executemany(
            "INSERT INTO ledger VALUES (?, ?, ?, ?, ?)",
            [
                (e["task_id"], e["operation"], e["amount"], e["currency"], e.get("at"))
                for e in entries
            ],
        )

    def keep_payouts(self, provider: str, lines: Iterable[Mapping[str, Any]]) -> None:
        """Keep lines of a provider's statement."""
        self._rows.executemany(
            "INSERT INTO payouts VALUES (?, ?, ?, ?, ?)",
            [
                (provider, p["reference"], p["status"], p["amount"], p["currency"])
                for p in lines
            ],
        )

    def keep_odd(self, provider: str, lines: Sequence[UnreadableLine]) -> None:
        """Count the lines that are no payouts of ours, and keep the first by name.

        Those that are about ours all the same are kept by task.
        """
        counted = self.odd.setdefault(provider, Counter())
        listed = self.listed.setdefault(provider, [])
        counted.update(line.oddity.value for line in lines)
        listed += lines[: LISTED_MAX - len(listed)]
        self._rows.executemany(
            "INSERT INTO unread VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    provider,
                    line.reference,
                    line.page,
                    line.row,
                    line.why,
                    line.oddity is not Oddity.UNREADABLE,
                )
                for line in lines
                if line.reference is not None and line.oddity is not Oddity.OTHER
            ],
        )

    def unread(self) -> list[Unread]:
        """Return the lines about tasks of which the books do not say enough.

        One with the opposite sign is no payout for certain: it matters where the
        statement says nothing else about its task.
        """
        rows = self._rows.execute(
            "SELECT provider, task, page, line, why FROM unread WHERE NOT is_known "
            "OR NOT EXISTS (SELECT 1 FROM payouts WHERE payouts.task = unread.task)"
        )
        return [Unread(*row) for row in rows]

    def entries_of(self, task_id: str) -> list[LedgerEntry]:
        """Return core's entries about a task."""
        rows = self._rows.execute("SELECT * FROM ledger WHERE task = ?", (task_id,))
        return [
            LedgerEntry(row[0], row[1], row[2], row[3], _time(row[4])) for row in rows
        ]

    def payouts_of(self, task_ids: Sequence[str]) -> dict[str, list[StatementEntry]]:
        """Return the statements' lines about some tasks."""
        found: dict[str, list[StatementEntry]] = {}
        for task_id in task_ids:
            rows = self._rows.execute(
                "SELECT * FROM payouts WHERE task = ?", (task_id,)
            )
            found[task_id] = [StatementEntry(*row) for row in rows]
        return found

    def tasks(self) -> Iterator[list[str]]:
        """Return every task that is spoken of, in batches."""
        rows = self._rows.execute(
            "SELECT task FROM ledger UNION SELECT task FROM payouts"
        )
        while batch := rows.fetchmany(BATCH):
            yield [str(row[0]) for row in batch]


def _time(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None


async def fetch(
    settings: Settings,
    tables: Mapping[str, ProviderTable],
    *,
    since: datetime,
    until: datetime,
) -> Books:
    """Fetch core's ledger where its URL is set, and every statement of ``tables``.

    A statement that breaks off leaves what was read of it, and is ``partial``.

    :raises Wrong: core does not answer, or not as the contract says.
    """
    books = Books()
    query = {"from": stamp(since), "to": stamp(until)}
    async with Outbound(proxies=proxies()) as outbound:
        if settings.core_url is not None:
            await _fetch_ledger(books, outbound, settings, query)
        reading = []
        for name, table in tables.items():
            statement = _statement_of(table, outbound)
            if statement is not None:
                read = _fetch_statement(books, name, statement.pages(since, until))
                reading.append(read)
        # Side by side: who is slow, or fails, keeps no other waiting.
        await asyncio.gather(*reading)
    books.charging = {name for name in books.stated if _lists_charges(tables[name])}
    books.index()
    return books


async def _fetch_ledger(
    books: Books, outbound: Outbound, settings: Settings, query: Mapping[str, str]
) -> None:
    token = settings.core_token.get_secret_value() if settings.core_token else None
    tls = trusting(settings.core_ca) if settings.core_ca else None
    pages = _Ledger(
        outbound.lane(1, tls=tls, body_max=PAGE_BYTES_MAX),
        f"{settings.core_url}/v1/balance/entries",
        {"Authorization": f"Bearer {token}"} if token else {},
        settings.core_timeout,
    )
    async for entries, odd in pages.read(query):
        books.keep_ledger(entries)
        books.odd_entries += odd
    books.core = True


def _lists_charges(table: ProviderTable) -> bool:
    """Tell whether a provider's statement has what it has collected, too."""
    return table.stripe is not None and table.stripe.makes == "payment_intent"


def _statement_of(
    table: ProviderTable, outbound: Outbound
) -> DeclaredStatement | StripeStatement | None:
    if table.adapter == "stripe":
        return StripeStatement(table, outbound)
    return statement_of(table, outbound) if table.adapter in OWN_ADAPTERS else None


async def _fetch_statement(
    books: Books, name: str, pages: AsyncIterator[StatementPage]
) -> None:
    count = 0
    try:
        async for page in pages:
            books.keep_payouts(name, page.rows)
            books.keep_odd(name, page.odd)
            count += 1
    except NotOffered:
        return
    except NoStatement as error:
        read = "nothing of it" if count == 0 else f"{count} pages of it"
        books.partial[name] = f"{error}; {read} was read"
        return
    books.stated.add(name)


class _Ledger:
    """Core's entries, page by page."""

    def __init__(
        self,
        lane: ConnectionLimit,
        url: str,
        headers: Mapping[str, str],
        limit: timedelta,
    ) -> None:
        self._lane = lane
        self._url = url
        self._headers = headers
        self._seconds = limit.total_seconds()

    async def read(
        self, query: Mapping[str, str]
    ) -> AsyncIterator[tuple[list[Mapping[str, Any]], list[UnreadableLine]]]:
        """Yield page after page, and what no entry can be read in."""
        walk, asked = Walk(), dict(query)
        try:
            async for page in walk.pages():
                answer = await walk.ask(page, lambda: self._sent(asked))
                found, next_cursor = self._read(answer)
                walk.comes(page, found)
                yield _entries(found, page)
                if not isinstance(next_cursor, str):
                    return
                walk.goes_on(page, next_cursor)
                asked["cursor"] = next_cursor
        except NoStatement as error:
            raise Wrong(f"core's ledger: {error}") from None

    async def _sent(self, asked: Mapping[str, str]) -> Answer:
        return await self._lane.request(
            "GET",
            f"{self._url}?{urlencode(asked)}",
            headers=self._headers,
            timeout=self._seconds,
        )

    def _read(self, answer: Answer) -> tuple[list[object], object]:
        if not isinstance(answer, Response):
            raise Wrong(f"core does not answer: {answer.because}")
        body = answer.read_object()
        if answer.status != OK:
            raise Wrong(f"core answered {answer.status} to {self._url}")
        if body is None:
            raise Wrong(f"core answered {self._url} with what is {kind_of(answer)}")
        entries = body.get("entries")
        if not isinstance(entries, list):
            raise Wrong(f"core answered {self._url} without a list of entries")
        return entries, body.get("next_cursor")


_NEEDED: Final = ("task_id", "operation", "amount", "currency")


def _entries(
    found: list[object], page: int
) -> tuple[list[Mapping[str, Any]], list[UnreadableLine]]:
    entries: list[Mapping[str, Any]] = []
    odd: list[UnreadableLine] = []
    for number, entry in enumerate(found, 1):
        missing = [n for n in _NEEDED if not isinstance(entry, dict) or n not in entry]
        if isinstance(entry, dict) and not missing:
            entries.append(entry)
            continue
        said = f"without {', '.join(missing)}"
        kind = Oddity.UNREADABLE
        odd.append(UnreadableLine(page=page, row=number, oddity=kind, said=said))
    return entries, odd
