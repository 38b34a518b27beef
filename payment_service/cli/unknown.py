"""What `verify` says of unknown words: they are another version's, no other hand's."""

from collections.abc import Iterator
from typing import Any, Final

from fsm.engine.judged import Offence
from fsm.engine.words import Invariant
from fsm.flows import RULES
from fsm.invariants import order_offences
from payment_service.cli.snapshot import Whole
from payment_service.storage.readable import known_words, unknown_words

JUDGED_BY_ALL: Final = frozenset({Invariant.CHAIN, Invariant.VERSIONS})
"""What holds of rows and trails whatever their words mean."""
_KNOWN: Final = known_words(RULES)


def judged(whole: Whole) -> Iterator[Offence]:
    """Judge an order as far as this version knows its words."""
    knows = not _unknown(whole)
    for offence in order_offences(*whole):
        if knows or offence.invariant in JUDGED_BY_ALL:
            yield offence


def notes_of(whole: Whole) -> list[str]:
    """Say of an order with unknown words what was not looked at, and who can."""
    words = _unknown(whole)
    if not words:
        return []
    said = f"this version knows no {', no '.join(words)}"
    looked = (
        "its seals and its trail were looked at, the rest is for a version that does"
    )
    return [f"order {whole.order.queue_id}: {said}; {looked}"]


def _unknown(whole: Whole) -> list[str]:
    row: dict[str, Any] = whole.order._asdict()
    row["tasks"] = [task._asdict() for task in whole.tasks]
    return sorted({*unknown_words(row, _KNOWN)})
