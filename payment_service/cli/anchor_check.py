"""Compares the database with its anchors, and those with what stands outside.

What the key has signed and what has gone out bind the anchors; the anchors bind the
chains. Everything is read in pages, out of the snapshot that the other checks have.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Final, LiteralString, NamedTuple

from fsm.domain.anchors import (
    FIRST_PREVIOUS,
    NOTHING_BEFORE,
    Anchor,
    Head,
    Root,
)
from fsm.domain.audit_keys import AuditKeys
from fsm.engine.judged import Offence
from fsm.engine.words import Invariant
from payment_service.cli.anchor_lines import Outside, number_range
from payment_service.cli.snapshot import Snapshot
from payment_service.storage.anchors import EVERY, anchor_from

SLACK: Final = timedelta(minutes=5)
"""How long before its transaction a line may have been given its time."""
INTERVALS_LATE: Final = 3

HEADS: Final[LiteralString] = """
SELECT n, entity_id::text, queue_id::text, version, hash FROM anchor_heads
ORDER BY n, entity_id
"""
# Heads that no line of the trail is any more, with where the trail ends now.
LOST: Final[LiteralString] = """
SELECT h.entity_id::text, h.queue_id::text, h.version, h.n, e.hash IS NOT NULL,
    (SELECT max(l.version) FROM order_task_events l WHERE l.entity_id = h.entity_id),
    (SELECT q.order_id FROM order_queues q WHERE q.queue_id = h.queue_id)
FROM anchor_heads h LEFT JOIN order_task_events e
    ON e.entity_id = h.entity_id AND e.version = h.version
WHERE e.hash IS DISTINCT FROM h.hash
ORDER BY h.entity_id, h.version
"""
# Lines that say they are older than the anchor that has them first, or any, allows.
LATE: Final[LiteralString] = """
SELECT e.entity_id::text, e.queue_id::text, e.version, e.at, first.n,
    (SELECT q.order_id FROM order_queues q WHERE q.queue_id = e.queue_id)
FROM order_task_events e
LEFT JOIN LATERAL (SELECT h.n FROM anchor_heads h
    WHERE h.entity_id = e.entity_id AND h.version >= e.version
    ORDER BY h.version LIMIT 1) first ON true
JOIN anchors a ON a.n = coalesce(first.n - 1, %(last)s)
WHERE e.at < a.complete_to - %(slack)s
ORDER BY e.entity_id, e.version
"""


class Found(NamedTuple):
    """What is wrong with the anchors, and what is only to be known."""

    offences: list[Offence]
    notes: list[str]


def against_anchors(
    snapshot: Snapshot,
    outside: Outside,
    keys: AuditKeys,
    *,
    now: datetime,
    interval: timedelta,
) -> Found:
    """Compare the trail with the anchors in the database, and these with the lines."""
    late = now - INTERVALS_LATE * interval
    said = [*outside.wrong, *outside.unchained()]
    anchors = _Anchors(outside, keys, late)
    said += anchors.follow(snapshot)
    found = [Offence(Invariant.ANCHOR, None, None, what) for what in said]
    found += _lost(snapshot)
    found += _late(snapshot, anchors.last)
    return Found(found, _notes(outside, anchors.last))


def _notes(outside: Outside, last: int) -> list[str]:
    notes = [f"{outside.count} anchors outside, {last} in the database"]
    notes += [f"passed over: {odd}" for odd in outside.odd]
    if outside.odd_count > len(outside.odd):
        notes.append(f"passed over: {outside.odd_count - len(outside.odd)} more lines")
    return notes


class _Anchors:
    """Follows the anchors of the database, beside their heads and the lines outside."""

    def __init__(self, outside: Outside, keys: AuditKeys, late: datetime) -> None:
        self._outside = outside
        self._keys = keys
        self._late = late
        self.last = 0
        self._previous = FIRST_PREVIOUS
        self._complete_to = NOTHING_BEFORE

    def follow(self, snapshot: Snapshot) -> Iterator[str]:
        """Say what is wrong with each anchor, and which are missing."""
        roots = _roots(snapshot)
        nothing = 0, Root()
        of, root = next(roots, nothing)
        for row in snapshot.rows("anchors", EVERY, {}):
            anchor = anchor_from(row)
            while 0 < of < anchor.n:
                gone = number_range(of, of)
                yield f"{gone} gone from the database, and left its heads"
                of, root = next(roots, nothing)
            its = root if of == anchor.n else Root()
            yield from self._wrong(anchor, its)
            if of == anchor.n:
                of, root = next(roots, nothing)
        while of:
            yield f"{number_range(of, of)} gone from the database, and left its heads"
            of, root = next(roots, nothing)
        yield from self._gone(self.last + 1, self._outside.last)

    def _wrong(self, anchor: Anchor, root: Root) -> Iterator[str]:
        name = f"anchor {anchor.n} in the database"
        if anchor.n != self.last + 1:
            yield from self._gone(self.last + 1, anchor.n - 1, yet=True)
        elif anchor.previous != self._previous:
            yield f"{name} does not follow the one before it"
        if anchor.key_id not in self._keys:
            yield f"{name} is signed by the key {anchor.key_id!r}, not known here"
        elif not anchor.is_signed(self._keys):
            yield f"{name} is forged: see its mac"
        if (root.heads, root.digest()) != (anchor.heads, anchor.root):
            yield f"{name} has {root.heads} heads that are not the {anchor.heads} of it"
        if anchor.complete_to < self._complete_to or anchor.complete_to > anchor.at:
            yield f"{name} says of itself what cannot be: see its complete_to"
        yield from self._against_outside(anchor, name)
        self.last, self._previous = anchor.n, anchor.digest()
        self._complete_to = anchor.complete_to

    def _against_outside(self, anchor: Anchor, name: str) -> Iterator[str]:
        found = self._outside.find(anchor.n)
        if found is None:
            if anchor.n > self._outside.last and anchor.at < self._late:
                yield f"{name}, of {anchor.at:%Y-%m-%d %H:%M:%S}, is not outside"
            return
        place, line = found
        if line != anchor:
            taken = f"{line.at:%Y-%m-%d %H:%M:%S}"
            yield f"{name} is not what went out at {taken}: {place}"

    def _gone(self, first: int, last: int, *, yet: bool = False) -> Iterator[str]:
        """Name a gap, which is none at the end where nothing of it is outside."""
        if last < first:
            return
        known = self._outside.find(last)
        when = f", the last of {known[1].at:%Y-%m-%d %H:%M:%S}" if known else ""
        if known or yet:
            yield f"{number_range(first, last)} not in the database{when}"


def _roots(snapshot: Snapshot) -> Iterator[tuple[int, Root]]:
    """Return the root of each anchor that has heads, by their numbers."""
    rows = snapshot.rows("heads", HEADS, {})
    for n, heads in groupby(rows, key=itemgetter(0)):
        root = Root()
        root.add(Head(*row[1:]) for row in heads)
        yield n, root


def _lost(snapshot: Snapshot) -> Iterator[Offence]:
    """Name the chains that are not as they were anchored: one offence for each."""
    rows = snapshot.rows("lost", LOST, {})
    for _, group in groupby(rows, key=itemgetter(0)):
        heads = list(group)
        entity_id, queue_id, version, n, is_there, ends, order_id = heads[0]
        newest = heads[-1][2]
        if not is_there:
            n = heads[-1][3]
        if ends is None:
            what = (
                f"it was erased: anchor {n} has version {newest}, and no line is left"
            )
        elif is_there:
            what = f"version {version} is not the one that anchor {n} has"
        else:
            what = f"its trail ends at version {ends}, and anchor {n} has {newest}"
        yield _offence(entity_id, queue_id, order_id, what)


def _late(snapshot: Snapshot, last: int) -> Iterator[Offence]:
    """Name the chains with lines that an earlier anchor would have had."""
    rows = snapshot.rows("late", LATE, {"last": last, "slack": SLACK})
    for _, group in groupby(rows, key=itemgetter(0)):
        entity_id, queue_id, version, at, n, order_id = next(group)
        where = f"anchor {n} has it first" if n else "no anchor has it"
        what = f"version {version} says it is of {at:%Y-%m-%d %H:%M:%S}, and {where}"
        yield _offence(entity_id, queue_id, order_id, what)


def _offence(entity_id: str, queue_id: str, order_id: str | None, what: str) -> Offence:
    named = f" (order_id {order_id})" if order_id else ""
    task_id = None if entity_id == queue_id else entity_id
    return Offence(Invariant.ANCHOR, queue_id, task_id, f"{what}{named}")
