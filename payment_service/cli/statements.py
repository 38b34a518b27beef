"""Fetches core's ledger and the providers' statements into a file, by task.

Millions of lines fit: they go to a temporary SQLite file, not into memory.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fsm.reconciliation import LedgerEntry, StatementEntry
from payment_service.cli.errors import Wrong
from payment_service.settings import Settings, proxies
from providers.config import ProviderTable
from providers.config.unsafe import OWN_ADAPTERS
from providers.core.ledger import CoreLedger, NoLedger
from providers.http.outbound import Outbound
from providers.http.trust import trusting
from providers.rest.statement import DeclaredStatement, statement_of
from providers.statements import (
    PAGE_BYTES_MAX,
    NoStatement,
    NotOffered,
    Oddity,
    StatementPage,
    UnreadableLine,
)
from providers.stripe.statement import StripeStatement

LISTED_MAX: Final = 100
BATCH: Final = 1000


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
    async with Outbound(proxies=proxies()) as outbound:
        if (url := settings.core_url) is not None:
            await _fetch_ledger(books, outbound, settings, url, since, until)
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
    books: Books,
    outbound: Outbound,
    settings: Settings,
    base_url: str,
    since: datetime,
    until: datetime,
) -> None:
    tls = trusting(settings.core_ca) if settings.core_ca else None
    token = settings.core_token
    ledger = CoreLedger(
        lane=outbound.lane(1, tls=tls, body_max=PAGE_BYTES_MAX),
        base_url=base_url,
        token=token.get_secret_value() if token else None,
        timeout=settings.core_timeout,
    )
    try:
        async for entries, odd in ledger.read(since, until):
            books.keep_ledger(entries)
            books.odd_entries += odd
    except NoLedger as error:
        raise Wrong(str(error)) from None
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
