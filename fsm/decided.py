"""Judges what people have decided: each row by the last audit line about it."""

from collections.abc import Iterable, Iterator, MutableMapping

from fsm.domain.decided import OPEN, RETURN, Decided, Subject
from fsm.engine.judged import Offence
from fsm.engine.words import Invariant


def decision_offences(
    rows: Iterable[tuple[Subject, Decided]], told: MutableMapping[Subject, Decided]
) -> Iterator[Offence]:
    """Find rows that nobody has decided so, and decisions that no row shows.

    ``rows`` are all that are not as they were made; ``told`` is the last decision about
    each subject in all trails, and what a row shows is taken out of it. That a letter
    is open again, or a return settled, may be shown by no row.
    """
    for subject, row in rows:
        line = told.pop(subject, None)
        if line is None:
            what = f"{_in_words(row)}, and no audit line says so"
            yield _wrong(subject, row, what)
        elif _differs(row, line):
            what = f"{_in_words(row)}, its last audit line {_in_words(line)}"
            yield _wrong(subject, row, what)
    for subject, line in told.items():
        if subject.kind == RETURN or line.what == OPEN:
            continue
        what = f"its last audit line {_in_words(line)}, and no row does"
        yield _wrong(subject, line, what)


def _differs(row: Decided, line: Decided) -> bool:
    """Tell whether they differ in what the row keeps."""
    return any(
        mine is not None and mine != its for mine, its in zip(row, line, strict=True)
    )


def _in_words(decided: Decided) -> str:
    said = f"says {decided.what}"
    for word, value in (
        ("by", decided.by),
        ("at", decided.at),
        ("for", decided.more),
        ("because", decided.reason),
    ):
        said += "" if value is None else f" {word} {value}"
    return said


def _wrong(subject: Subject, decided: Decided, what: str) -> Offence:
    told = f"{subject.kind} {subject.id}: {what}"
    return Offence(Invariant.DECISION, decided.queue_id, None, told)
