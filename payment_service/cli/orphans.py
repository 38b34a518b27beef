"""Finds orphans: trails, tasks and entries of others of which nothing is left here."""

from collections.abc import Iterator
from typing import Final

from fsm.domain.ids import is_uuid
from fsm.engine.judged import Offence
from fsm.engine.words import Invariant
from fsm.invariants import SKEW, without_row
from payment_service.cli.snapshot import Snapshot, SnapshotFacts
from payment_service.cli.statements import Books

_UUID_TIME_BITS: Final = 80


def orphans(
    snapshot: Snapshot, books: Books | None, facts: SnapshotFacts
) -> Iterator[Offence]:
    """Find trails, tasks and entries of others that nothing is left of here."""
    yield from map(without_row, snapshot.unclaimed())
    for task_id, queue_id, what in snapshot.homeless():
        yield Offence(Invariant.ORPHAN, queue_id, task_id, what)
    for task_id in _strangers(snapshot, books, facts):
        what = "core or a provider has it, and we have no such task"
        yield Offence(Invariant.ORPHAN, None, task_id, what)


def _strangers(
    snapshot: Snapshot, books: Books | None, facts: SnapshotFacts
) -> Iterator[str]:
    """Return tasks that only the others know, but for those made since."""
    since = (facts.taken_at - SKEW).timestamp() * 1000
    for batch in books.tasks() if books else ():
        for task_id in snapshot.unknown(batch):
            if not is_uuid(task_id) or _made_at(task_id) < since:
                yield task_id


def _made_at(task_id: str) -> int:
    return int(task_id.replace("-", ""), 16) >> _UUID_TIME_BITS
