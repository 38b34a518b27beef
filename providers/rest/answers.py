"""Reads answers in a declared wire form: what is not listed proves nothing.

Pure and total, as :mod:`providers.rest.translate`; a provider's words become those
of the default form first, and only what the table calls definite is.
"""

from collections.abc import Collection
from typing import Final

from fsm.domain.reading import says_error
from providers.answering import Answer, unanswered
from providers.config.forms import CancelTable, Failing, Meaning
from providers.http.outbound import Response
from providers.port import (
    CancelAnswer,
    Cancelled,
    CreateAnswer,
    NotFound,
    Payout,
    StatusAnswer,
    TooLate,
)
from providers.rest.listed import listed_answer
from providers.rest.parsed import (
    DEFINITE,
    NOT_DEFINITE,
    PAID_OR_COMING,
    REFUSED,
    RETURNED,
    ParsedAnswer,
)
from providers.rest.reading import Reading

_BECAUSE: Final = {
    Failing.UNCLEAR: "its error proves nothing",
    Failing.DECLINED: "its error is no answer to this question",
    Failing.NOT_FOUND: "it says not found, which is no answer to this question",
    Failing.EXISTS: "it exists already: its status says what became of it",
    Failing.RETRY_LATER: "it wants to be asked later",
    Failing.TOO_LATE: "it says too late, which is no answer to this question",
}


def create_answer(
    answer: Answer,
    payout: Payout,
    reading: Reading,
    rejection_codes: Collection[str] = (),
) -> CreateAnswer:
    """Read the answer to a create; a no only where the table calls it definite."""
    if not isinstance(answer, Response):
        return unanswered(answer)
    said = reading.said(answer, payout)
    failing = reading.failing(answer, said)
    empty = answer.status in reading.accepted and not answer.body.strip()
    if said.doubt is not None and not empty:
        why = None if failing is Failing.DECLINED else _because(failing)
        return said.unclear(why or said.doubt)
    may_be_no = answer.status in DEFINITE | reading.successes
    if failing is Failing.DECLINED and may_be_no and said.word not in PAID_OR_COMING:
        return said.refused(rejection_codes)
    if failing is not None:
        return said.unclear(_because(failing) or NOT_DEFINITE)
    if answer.status in reading.successes and said.word in PAID_OR_COMING:
        return said.taken()
    if may_be_no and said.word in REFUSED:
        return said.refused(rejection_codes)
    if answer.status in reading.accepted and "status" not in said.body:
        return said.taken()
    return said.unclear(NOT_DEFINITE)


def status_answer(answer: Answer, payout: Payout, reading: Reading) -> StatusAnswer:
    """Read the answer to a status question; only a word of its own is a no.

    An error of the question is none: credentials that have run out refuse
    everything, and what was paid stays paid.
    """
    if not isinstance(answer, Response):
        return unanswered(answer)
    said = reading.said(answer, payout)
    failing = reading.failing(answer, said)
    if failing is Failing.NOT_FOUND and _is_absent(said):
        return NotFound(evidence=said.evidence)
    if failing is not None or not said.is_read:
        return said.unclear(_because(failing) or said.doubt or NOT_DEFINITE)
    if answer.status not in reading.successes:
        return said.unclear(said.doubt or NOT_DEFINITE)
    if reading.is_list:
        return listed_answer(answer, payout, reading)
    return said.state()


def cancel_answer(
    answer: Answer, payout: Payout, reading: Reading, table: CancelTable
) -> CancelAnswer:
    """Read the answer to a cancellation; a yes is a word, or a listed bare status."""
    if not isinstance(answer, Response):
        return unanswered(answer)
    said = reading.said(answer, payout)
    failing = reading.failing(answer, said)
    if failing in {Failing.TOO_LATE, Failing.NOT_FOUND}:
        return TooLate(evidence=said.evidence)
    if failing is not None:
        return said.unclear(_because(failing) or NOT_DEFINITE)
    if answer.status in table.too_late:
        return TooLate(evidence=said.evidence)
    empty = not answer.body.strip()
    if said.doubt is not None and not empty:
        return said.unclear(said.doubt)
    if answer.status in reading.successes and said.word == Meaning.TOO_LATE:
        return TooLate(evidence=said.evidence)
    if answer.status in reading.successes and said.word == Meaning.CANCELLED:
        return Cancelled(evidence=said.evidence)
    bare = "status" not in said.body and "code" not in said.body
    bare = bare and not says_error(answer.read_object() or {})
    if answer.status in table.cancelled and bare:
        return Cancelled(evidence=said.evidence)
    return said.unclear(NOT_DEFINITE)


def _because(failing: Failing | None) -> str | None:
    return None if failing is None else _BECAUSE[failing]


def _is_absent(said: ParsedAnswer) -> bool:
    believed = said.doubt is None or not said.is_read
    return believed and said.word not in PAID_OR_COMING | REFUSED | {RETURNED}
