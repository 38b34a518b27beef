"""What people have decided in the rows of the twin, as ``verify`` reads real ones."""

from collections.abc import Iterator

from fsm.domain.decided import CASE, LETTER, OWNER, Decided, Subject
from fsm.engine.words import CaseState
from payment_service.playground.memory.tables import MemoryTables


def decided_rows(tables: MemoryTables) -> Iterator[tuple[Subject, Decided]]:
    """Yield the last decision of each row; what the twin does not keep is None."""
    for case in tables.cases.values():
        at, why = case.closed_at, case.reason
        if case.owner is not None:
            owned = Decided("assigned", None, None, None, case.owner, case.queue_id)
            yield Subject(OWNER, case.id), owned
        if case.state is CaseState.CLOSED:
            closed = Decided("closed", None, at, why, None, case.queue_id)
            yield Subject(CASE, case.id), closed
    for letter_id, dead_lettered in tables.letters.items():
        for what, by in (
            ("replayed", dead_lettered.replayed_by),
            ("discarded", dead_lettered.discarded_by),
        ):
            if by is not None:
                yield Subject(LETTER, letter_id), Decided(what, by, None, None)
