"""Reads core's ledger: its entries of a time, page after page (contract, section 4)."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from fsm.domain.events import stamp
from providers.answering import Answer
from providers.core.shapes import ENTRIES
from providers.http.outbound import ConnectionLimit, Response
from providers.http.unreadable import kind_of
from providers.statements import NoStatement, Oddity, UnreadableLine, Walk

OK: Final = 200
NEEDED: Final = ("task_id", "operation", "amount", "currency")
"""What an entry has to say before anything can be compared with it."""

Entry = Mapping[str, Any]


class NoLedger(Exception):
    """Core gave no list of entries, or not the whole of it; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreLedger:
    """Core's entries at their address, each page asked for within ``timeout``."""

    lane: ConnectionLimit
    base_url: str
    token: str | None
    timeout: timedelta

    async def read(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[tuple[list[Entry], list[UnreadableLine]]]:
        """Yield page after page, and what no entry can be read in.

        :raises NoLedger: core does not answer, or not as the contract says.
        """
        walk, asked = Walk(), {"from": stamp(since), "to": stamp(until)}
        try:
            async for page in walk.pages():
                answer = await walk.ask(page, lambda: self._sent(asked))
                found, next_cursor = self._page(answer)
                walk.comes(page, found)
                yield _entries(found, page)
                if not isinstance(next_cursor, str):
                    return
                walk.goes_on(page, next_cursor)
                asked["cursor"] = next_cursor
        except NoStatement as error:
            raise NoLedger(f"core's ledger: {error}") from None

    @property
    def url(self) -> str:
        """Return the address of the entries."""
        return f"{self.base_url}{ENTRIES}"

    async def _sent(self, asked: Mapping[str, str]) -> Answer:
        return await self.lane.request(
            "GET",
            f"{self.url}?{urlencode(asked)}",
            headers={"Authorization": f"Bearer {self.token}"} if self.token else {},
            timeout=self.timeout.total_seconds(),
        )

    def _page(self, answer: Answer) -> tuple[list[object], object]:
        if not isinstance(answer, Response):
            raise NoLedger(f"core does not answer: {answer.because}")
        body = answer.read_object()
        if answer.status != OK:
            raise NoLedger(f"core answered {answer.status} to {self.url}")
        if body is None:
            raise NoLedger(f"core answered {self.url} with what is {kind_of(answer)}")
        entries = body.get("entries")
        if not isinstance(entries, list):
            raise NoLedger(f"core answered {self.url} without a list of entries")
        return entries, body.get("next_cursor")


def _entries(
    found: list[object], page: int
) -> tuple[list[Entry], list[UnreadableLine]]:
    entries: list[Entry] = []
    odd: list[UnreadableLine] = []
    for number, entry in enumerate(found, 1):
        missing = [n for n in NEEDED if not isinstance(entry, dict) or n not in entry]
        if isinstance(entry, dict) and not missing:
            entries.append(entry)
            continue
        said = f"without {', '.join(missing)}"
        kind = Oddity.UNREADABLE
        odd.append(UnreadableLine(page=page, row=number, oddity=kind, said=said))
    return entries, odd
