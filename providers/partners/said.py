"""Reads what a partner answers: pure and total, and what is not definite is unclear.

The words are those of contract section 5, or those that the partner's table lists. An
answer about another question, or one that says two things at once, says nothing.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

from fsm.domain.masking import masked_prose
from fsm.domain.reading import code_in, message_in, says_error, shortened
from handlers.ports.partners import (
    CheckAnswer,
    Eligible,
    MultiMatch,
    NotEligible,
    NoticeAnswer,
    PartnerNotSent,
    PartnerPending,
    PartnerUnclear,
    RevokeNoted,
)
from providers.answering import Answer
from providers.config.partners import Eligibility, PartnerAnswersTable
from providers.config.places import first_of
from providers.http.outbound import Lost, RequestNotSent, Response
from providers.http.unreadable import kind_of
from providers.rest.reading import text_of
from providers.retry_after import retry_after_asked

DONE: Final = range(200, 300)
REDIRECTS: Final = range(300, 400)
AFTER_MAX: Final = timedelta(minutes=15)
DEFAULT: Final = PartnerAnswersTable.model_validate(
    {
        "result_at": "result",
        "results": {word.value: word.value for word in Eligibility},
        "code_at": "code",
        "message_at": "message",
        "echoes": {
            name: name for name in ("key", "task_id", "order_id", "customer_id")
        },
    }
)
"""The default form of answers (contract, section 5), said as a table."""


def text_in(order: Mapping[str, object], name: str) -> str:
    """Return a text of what is sent; empty where there is none."""
    value = order.get(name)
    return value if isinstance(value, str) else ""


def card_of(order: Mapping[str, object]) -> dict[str, str]:
    """Return the card of what is sent, as the placeholders of templates name it."""
    card = order.get("card")
    known = card if isinstance(card, Mapping) else {}
    return {
        f"card_{name}": text_in(known, name) for name in ("token", "bin", "country")
    }


def eligibility_said(
    answer: Answer, sent: Mapping[str, object], table: PartnerAnswersTable
) -> CheckAnswer:
    """Read the answer to a check; ``sent`` is what its templates could say."""
    if not isinstance(answer, Response):
        return unanswered(answer)
    told = answer.read_json()
    if told is None:
        return unclear(answer, _because(answer))
    for name, place in table.echoes.items():
        echo = place.look(told)
        if echo is not None and text_of(echo) != text_of(sent.get(name)):
            return unclear(answer, f"ECHO MISMATCH: about another {name}")
    code = text_of(first_of(table.code_at, told))
    word = text_of(table.result_at.look(told))
    found = table.results.get(word or "")
    if answer.status in DONE:
        if isinstance(told, dict) and says_error(told):
            return unclear(answer, "and the body says an error")
        if found is None:
            return unclear(answer, "without a result that is known")
        return _definite(found, told, code, table, sent)
    for entry in table.refusals:
        if answer.status in entry.http and code in entry.codes:
            if found in {None, Eligibility.NOT_ELIGIBLE}:
                return _definite(Eligibility.NOT_ELIGIBLE, told, code, table, sent)
            return unclear(answer, "which says two things at once")
    return unclear(answer, _because(answer))


def _definite(
    found: Eligibility,
    told: object,
    code: str | None,
    table: PartnerAnswersTable,
    sent: Mapping[str, object],
) -> CheckAnswer:
    match found:
        case Eligibility.ELIGIBLE:
            return Eligible()
        case Eligibility.MULTI_MATCH:
            return MultiMatch()
        case Eligibility.PENDING:
            return PartnerPending()
        case Eligibility.NOT_ELIGIBLE:
            words = {"code": code, "message": first_of(table.message_at, told)}
            return not_eligible(words, sent)


def not_eligible(
    words: Mapping[str, object], sent: Mapping[str, object]
) -> NotEligible:
    """Return a no in a partner's own words, without the token that it was told."""
    hidden = {"token": text_of(sent.get("card_token")) or ""}
    message = message_in(words)
    code = code_in(words)
    return NotEligible(
        code=(code and masked_prose(code, hidden)) or Eligibility.NOT_ELIGIBLE.value,
        message=message and shortened(masked_prose(message, hidden)),
    )


def unanswered(answer: RequestNotSent | Lost) -> PartnerNotSent | PartnerUnclear:
    """Return what follows from no answer."""
    if isinstance(answer, Lost):
        return PartnerUnclear(because=answer.because)
    return PartnerNotSent(because=answer.because, lacking=answer.lacking)


def unclear(answer: Response, because: str) -> PartnerUnclear:
    """Return that nothing follows, and how long the partner wants to be left alone."""
    return PartnerUnclear(
        because=f"status {answer.status}, {because}",
        after=min(retry_after_asked(answer), AFTER_MAX),
    )


def notice_said(answer: Answer, done: Collection[int]) -> NoticeAnswer:
    """Read the answer to a notice: any 2xx that says no error is done, as are some."""
    if not isinstance(answer, Response):
        return unanswered(answer)
    told = answer.read_object()
    if answer.status in DONE and told is not None and says_error(told):
        return unclear(answer, "and the body says an error")
    silent = not answer.body.strip()
    if answer.status in DONE and (told is not None or silent):
        return RevokeNoted()
    if answer.status in done:
        return RevokeNoted()
    return unclear(answer, _because(answer))


def _because(answer: Response) -> str:
    """Say what it is that is no answer; a wrong address is found by this line."""
    if answer.status in REDIRECTS:
        return "which sends elsewhere: base_url must be the partner's own address"
    if answer.read_json() is None:
        return f"and the body is {kind_of(answer)}"
    return "which says nothing definite"
