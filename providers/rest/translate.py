"""Turns payouts into the default wire form, and its answers into ours; never a guess.

Every function is pure and total: what cannot be read is ``Unclear``, since the
next provider is asked only after a definite no.
"""

from collections.abc import Collection
from typing import Final

from fsm.domain.reading import says_error
from providers.answering import Answer, unanswered
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
from providers.rest.parsed import (
    DECLINED,
    DEFINITE,
    NOT_DEFINITE,
    NOT_PAID,
    PAID_OR_COMING,
    RETURNED,
    SUCCESSES,
    ParsedAnswer,
    doubt_of,
    evidence_of,
    unread,
)

OK: Final = 200
NOT_FOUND: Final = 404
# A provider that cannot cancel goes on with it, as does one that is too late.
GOES_ON: Final = frozenset({404, 405, 409, 501})
STATES: Final = PAID_OR_COMING | NOT_PAID | {RETURNED}
CANCELLED: Final = frozenset({"cancelled", "canceled"})


def create_request(payout: Payout, callback_url: str | None) -> dict[str, object]:
    """Return the body of a create."""
    body: dict[str, object] = {
        "reference": payout.reference,
        "amount": payout.money.amount,
        "currency": payout.money.currency,
        "destination": dict(payout.destination),
        "terminal_id": payout.terminal_id,
    }
    return body if callback_url is None else {**body, "callback_url": callback_url}


def create_answer(
    answer: Answer, payout: Payout, rejection_codes: Collection[str] = ()
) -> CreateAnswer:
    """Read the answer to a create; a no only where the contract calls it definite."""
    if not isinstance(answer, Response):
        return unanswered(answer)
    said = parsed(answer, payout)
    if said.doubt is not None:
        return said.unclear(said.doubt)
    if answer.status in SUCCESSES and said.word in PAID_OR_COMING:
        return said.taken()
    if answer.status not in DEFINITE or said.word != DECLINED:
        return said.unclear(NOT_DEFINITE)
    return said.refused(rejection_codes)


def status_answer(answer: Answer, payout: Payout) -> StatusAnswer:
    """Read the answer to a status question."""
    if not isinstance(answer, Response):
        return unanswered(answer)
    said = parsed(answer, payout)
    if answer.status == NOT_FOUND and said.word not in STATES:
        return NotFound(evidence=said.evidence)
    if said.doubt is not None:
        return said.unclear(said.doubt)
    if answer.status == OK and said.word in STATES:
        return said.state()
    return said.unclear(NOT_DEFINITE)


def cancel_answer(answer: Answer, payout: Payout) -> CancelAnswer:
    """Read the answer to a cancellation; an empty 200 says yes as well."""
    if not isinstance(answer, Response):
        return unanswered(answer)
    if answer.status in GOES_ON:
        return TooLate(evidence=parsed(answer, payout).evidence)
    said = parsed(answer, payout)
    if answer.status != OK:
        return said.unclear(NOT_DEFINITE)
    if not answer.body.strip():
        return Cancelled(evidence=said.evidence)
    if said.doubt is not None:
        return said.unclear(said.doubt)
    if "status" in said.body and said.word not in CANCELLED:
        return said.unclear("the status is another")
    if "code" in said.body or says_error(said.body):
        return said.unclear("it says an error")
    return Cancelled(evidence=said.evidence)


def parsed(answer: Response, payout: Payout) -> ParsedAnswer:
    """Return what an answer says, in words of the default form."""
    told = answer.read_object()
    if told is None:
        return unread(answer, payout)
    word = told.get("status")
    return ParsedAnswer(
        payout=payout,
        body=told,
        word=word if isinstance(word, str) else "",
        evidence=evidence_of(answer.status, told, payout),
        doubt=doubt_of(told, payout),
    )
