"""What all adapters have in common when they read a provider's list of payouts."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from providers.answering import Answer
from providers.http.outbound import Response
from providers.retry_after import retry_after_asked

PAGE_BYTES_MAX: Final = 16 * 1024 * 1024
PAGE_ROWS_MAX: Final = 100_000
PAGES_MAX: Final = 100_000
# A page is only read, so it may be asked for again, within reason.
TRIES_MAX: Final = 3
FIRST_WAIT: Final = timedelta(milliseconds=200)
WAIT_MAX: Final = timedelta(minutes=2)
BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})

Row = Mapping[str, object]
"""``reference``, ``status``, ``amount``, ``currency``, ``at``: the default form's."""


class NoStatement(Exception):
    """A page did not come, or cannot be read; the message says which and why.

    What was read before it stands, and is not all.
    """


class NotOffered(NoStatement):
    """The provider has no such list."""


class Oddity(StrEnum):
    """Why a line of a statement is none about a payout of ours."""

    FOREIGN = "has no reference of ours"
    OTHER = "is no payout"
    OPPOSITE = "has an amount of the opposite sign"
    UNREADABLE = "cannot be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableLine:
    """One such line, by its page and its row in it, both from 1.

    ``reference`` is given where the line is about a payout of ours all the same.
    """

    page: int
    row: int
    oddity: Oddity
    reference: str | None = None
    said: str | None = None

    @property
    def at(self) -> str:
        """Say where it is."""
        return f"page {self.page} row {self.row}"

    @property
    def why(self) -> str:
        """Say what is odd about it."""
        return f"{self.oddity} ({self.said})" if self.said else self.oddity.value


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementPage:
    """One page: the lines about payouts of ours, and the others, named."""

    rows: Sequence[Row] = ()
    odd: Sequence[UnreadableLine] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast pages are asked for, and until when."""

    pause: timedelta = timedelta(milliseconds=50)
    deadline: timedelta = timedelta(minutes=30)


@dataclass(slots=True)
class Walk:
    """One way through a list: at its pace, within its limits, and never in a circle."""

    pace: Pace = field(default_factory=Pace)
    _until: float = field(init=False)
    _cursors: set[str] = field(init=False, default_factory=set)
    _pages: dict[bytes, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.pace.deadline.total_seconds()

    async def pages(self) -> AsyncIterator[int]:
        """Yield the number of each page that is to be asked for.

        :raises NoStatement: there are too many, or it takes too long.
        """
        for page in range(1, PAGES_MAX + 1):
            if page > 1:
                await self._wait(self.pace.pause, page)
            yield page
        raise NoStatement(f"it does not end after {PAGES_MAX} pages")

    async def ask(self, page: int, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask for a page, again where it did not come, and not before it may come.

        :raises NoStatement: the provider wants to be left alone for too long.
        """
        wait = FIRST_WAIT
        for _ in range(TRIES_MAX - 1):
            answer = await call()
            if isinstance(answer, Response):
                if answer.status not in BUSY:
                    return answer
                wait = max(wait, retry_after_asked(answer))
            await self._wait(wait, page)
            wait *= 2
        return await call()

    def comes(self, page: int, rows: Sequence[object]) -> None:
        """Take note of what a page holds, before it is believed.

        :raises NoStatement: it is too long, or was read already.
        """
        if len(rows) > PAGE_ROWS_MAX:
            raise NoStatement(f"page {page} has more than {PAGE_ROWS_MAX} lines")
        if not rows:
            return
        content = hashlib.blake2b(repr(rows).encode(errors="replace")).digest()
        first = self._pages.setdefault(content, page)
        if first != page:
            raise NoStatement(f"page {page} is page {first} again: it goes round")

    def goes_on(self, page: int, cursor: str) -> None:
        """Take note of which page is the next.

        :raises NoStatement: it was asked for already.
        """
        if cursor in self._cursors:
            raise NoStatement(f"page {page} names a page read before: it goes round")
        self._cursors.add(cursor)

    async def _wait(self, wait: timedelta, page: int) -> None:
        seconds = wait.total_seconds()
        if wait > WAIT_MAX:
            raise NoStatement(f"page {page} is not to be asked for in {seconds:.0f} s")
        if time.monotonic() + seconds > self._until:
            limit = self.pace.deadline.total_seconds()
            raise NoStatement(f"page {page} is not there after {limit:.0f} s")
        await asyncio.sleep(seconds)
