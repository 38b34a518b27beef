"""Where anchors are kept, and where their lines go: out of reach of who keeps them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from fsm.domain.anchors import Anchor


@dataclass(frozen=True, slots=True)
class Taken:
    """An anchor that was taken; ``whole`` where no line was left for the next one."""

    anchor: Anchor
    whole: bool


class AnchorBook(Protocol):
    """The anchors in the database; any method may raise StoreUnavailable."""

    async def take(self, *, every: timedelta) -> Taken | None:
        """Take the next anchor and commit it.

        None where the last is younger than ``every``, or another process is at it.
        """
        ...

    async def find(self, n: int) -> Anchor | None:
        """Return the anchor of this number."""
        ...

    async def after(self, n: int, *, limit: int) -> Sequence[Anchor]:
        """Return up to ``limit`` anchors behind this number, in order."""
        ...


class OpenSink(Protocol):
    """A place for lines that is open; any method may raise SinkUnavailable."""

    def back(self) -> AsyncIterator[bytes]:
        """Return the lines that are there, the newest first, without their ends.

        What is no line of ours may be among them.
        """
        ...

    async def append(self, line: bytes) -> None:
        """Add a line behind all others; it is there for good when this returns.

        After a failure it may be there all the same, whole or in part: it is then
        appended again, and what is left of the first stays an odd line.
        """
        ...


class AnchorSink(Protocol):
    """A place for lines: a file, a stream, or whatever else can only be added to.

    Object storage with a lock is one for whoever has it: a line is an object named by
    its number, ``back`` lists them from the end. Whatever passes the suite of
    ``tests/service/test_anchor_sinks.py`` will do.
    """

    @property
    def name(self) -> str:
        """What metrics and logs call it, of a closed vocabulary."""
        ...

    def opened(self) -> AbstractAsyncContextManager[OpenSink]:
        """Open it until the block is left.

        :raises SinkUnavailable: it cannot be; says why.
        """
        ...
