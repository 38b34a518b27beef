"""Takes anchors and brings their lines out, in order, each at least once.

An anchor is committed before its line goes out. What is out is asked of the place
itself: whoever dies between sending and remembering has nothing to remember.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fsm.domain.anchors import Anchor, OddLine, read_anchor
from handlers.ports.anchors import AnchorBook, AnchorSink, OpenSink

BATCH: Final = 500
AT_ONCE: Final = timedelta()


@dataclass(frozen=True, slots=True)
class SentAnchors:
    """What was brought to a place: ``lines``, up to the anchor of the time ``newest``.

    ``strange`` lines at its end are none of the database's: a piece that a crash has
    left, or somebody has written there, or the database was taken back.
    """

    lines: int
    strange: int
    newest: datetime | None


async def take_anchors(book: AnchorBook, *, every: timedelta) -> int:
    """Take an anchor if one is due, and more where one does not reach; count them."""
    taken = await book.take(every=every)
    count = 0
    while taken is not None:
        count += 1
        if taken.whole:
            break
        taken = await book.take(every=AT_ONCE)
    return count


async def send_anchors(book: AnchorBook, sink: AnchorSink) -> SentAnchors:
    """Bring out every anchor behind the newest that is out there.

    :raises SinkUnavailable: the place did not take a line; those before it are there.
    :raises StoreUnavailable: the anchors cannot be read.
    """
    async with sink.opened() as place:
        newest, strange = await _newest(book, place)
        lines = 0
        while batch := await book.after(newest.n if newest else 0, limit=BATCH):
            for newest in batch:
                await place.append(newest.line())
                lines += 1
    return SentAnchors(lines, strange, newest.at if newest else None)


async def _newest(book: AnchorBook, place: OpenSink) -> tuple[Anchor | None, int]:
    """Return the newest anchor whose line is there, and how many strange lines follow.

    Lines that are not the database's do not count, or one forged line with a high
    number would keep all others in.
    """
    strange = 0
    async for line in place.back():
        try:
            told = read_anchor(line)
        except OddLine:
            strange += 1
            continue
        ours = await book.find(told.n)
        if ours == told:
            return ours, strange
        strange += 1
    return None, strange
