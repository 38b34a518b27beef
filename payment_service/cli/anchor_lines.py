"""The anchors' lines as they stand outside, of which none is believed unlooked at.

They go to a temporary SQLite file: a year of them is half a million.
"""

import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import IO, Final

from fsm.domain.anchors import (
    FIRST_PREVIOUS,
    LINE_BYTES_MAX,
    Anchor,
    OddLine,
    read_anchor,
)
from fsm.domain.audit_keys import AuditKeys
from fsm.domain.errors import Fault
from payment_service.cli.context import run_async
from payment_service.cli.errors import Wrong
from payment_service.settings import Settings
from payment_service.wiring.anchoring import stream_of

LISTED_MAX: Final = 100
STDIN: Final = "-"
STREAM: Final = "nats"
"""What `--anchor` calls the stream of the settings; a file of that name is `./nats`."""


class Outside:
    """The lines of every place that was named, by their anchors' numbers.

    ``wrong`` is what they say against each other, ``odd`` what is no anchor at all.
    """

    def __init__(self, keys: AuditKeys) -> None:
        self._keys = keys
        self._rows = sqlite3.connect("")
        self._rows.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE lines (n INTEGER PRIMARY KEY, place TEXT, line BLOB);"
        )
        self.wrong: list[str] = []
        self.odd: list[str] = []
        self.odd_count = 0
        self.count = 0

    def place(self) -> Callable[[str, bytes], None]:
        """Return what takes the lines of one place, from the first on, each by name."""
        highest = 0

        def take(where: str, line: bytes) -> None:
            nonlocal highest
            anchor = self._taken(where, line)
            if anchor is None or not self._is_new(where, anchor):
                return
            if anchor.n < highest:
                self.wrong.append(
                    f"{where}: anchor {anchor.n} stands behind anchor {highest}"
                )
            highest = max(highest, anchor.n)

        return take

    def _taken(self, place: str, line: bytes) -> Anchor | None:
        try:
            anchor = read_anchor(line)
        except OddLine as odd:
            self.odd_count += 1
            if len(self.odd) < LISTED_MAX:
                self.odd.append(f"{place} {odd}")
            return None
        if anchor.key_id not in self._keys:
            self.wrong.append(
                f"{place}: anchor {anchor.n} is signed by the key {anchor.key_id!r}, "
                "which is not known here"
            )
        elif not anchor.is_signed(self._keys):
            self.wrong.append(f"{place}: anchor {anchor.n} is forged: see its mac")
            return None
        return anchor

    def _is_new(self, place: str, anchor: Anchor) -> bool:
        """Keep it, unless it is there: a line that was sent twice is no harm."""
        kept = self.find(anchor.n)
        if kept is None:
            values = anchor.n, place, anchor.line()
            self._rows.execute("INSERT INTO lines VALUES (?, ?, ?)", values)
            self.count += 1
            return True
        if kept[1] != anchor:
            self.wrong.append(
                f"{place}: anchor {anchor.n} is another one than at {kept[0]}"
            )
        return False

    def find(self, n: int) -> tuple[str, Anchor] | None:
        """Return an anchor with its place."""
        asked = "SELECT place, line FROM lines WHERE n = ?"
        row = self._rows.execute(asked, (n,)).fetchone()
        return (row[0], read_anchor(row[1])) if row else None

    def numbers(self) -> Iterator[int]:
        """Return the numbers of all anchors, in order."""
        with closing(self._rows.cursor()) as cursor:
            for (n,) in cursor.execute("SELECT n FROM lines ORDER BY n"):
                yield n

    @property
    def last(self) -> int:
        """The highest number; 0 where there is no line."""
        (last,) = self._rows.execute("SELECT max(n) FROM lines").fetchone()
        return last or 0

    def unchained(self) -> Iterator[str]:
        """Say which anchors are missing, and which do not follow those before."""
        expected, previous = 1, FIRST_PREVIOUS
        for n in self.numbers():
            found = self.find(n)
            if found is None:  # pragma: no cover - it was counted just now
                continue
            place, anchor = found
            if n != expected:
                yield f"{number_range(expected, n - 1)} missing outside, before {place}"
            elif anchor.previous != previous:
                yield f"{place}: anchor {n} does not follow the one before it"
            expected, previous = n + 1, anchor.digest()


def number_range(first: int, last: int) -> str:
    """Name anchors in words, with their verb."""
    if first == last:
        return f"anchor {first} is"
    return f"anchors {first} to {last} are"


def read_outside(settings: Settings, places: Iterable[str]) -> Outside:
    """Read every place that was named.

    :raises Wrong: one cannot be read.
    """
    outside = Outside(settings.audit_keys)
    for place in places:
        try:
            if place == STREAM:
                run_async(_read_stream(outside, settings))
            elif place == STDIN:
                _read_file(outside, "stdin", sys.stdin.buffer)
            else:
                with Path(place).open("rb") as file:
                    _read_file(outside, place, file)
        except (OSError, ValueError) as error:
            because = getattr(error, "strerror", None) or error
            raise Wrong(f"--anchor {place} cannot be read: {because}") from None
        except Fault as fault:
            raise Wrong(f"--anchor {place} cannot be read: {fault}") from None
    return outside


def _read_file(outside: Outside, name: str, file: IO[bytes]) -> None:
    take = outside.place()
    # Of what has no end of a line each piece is an odd line of its own.
    pieces = iter(partial(file.readline, LINE_BYTES_MAX), b"")
    for number, piece in enumerate(pieces, 1):
        line = piece.rstrip(b"\r\n")
        if line:
            take(f"{name} line {number}", line)


async def _read_stream(outside: Outside, settings: Settings) -> None:
    subject = settings.anchor_stream
    if subject is None:
        raise Wrong("--anchor nats needs PAYMENT_ANCHOR_STREAM")
    take = outside.place()
    async with stream_of(settings, subject).opened() as place:
        async for seq, line in place.lines():
            take(f"{subject} message {seq}", line)
