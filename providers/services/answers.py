"""Reads what a service answers: pure and total, and what is not definite is unclear.

The words are those of contract section 5. An answer that says two things at once, or
something about another step, says nothing.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

import orjson

from fsm.domain.errors import InvalidRequest
from fsm.domain.masking import masked_prose
from fsm.domain.reading import code_in, message_in, says_error, shortened
from fsm.domain.strict_json import SIZE_MAX, parse_strict
from handlers.ports.services import (
    AskAnswer,
    DoAnswer,
    Fetched,
    LoadAnswer,
    ServiceDone,
    ServiceNotKnown,
    ServiceNotSent,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
    ServiceUndone,
    UndoAnswer,
)
from providers.answering import Answer
from providers.http.outbound import Lost, RequestNotSent, Response
from providers.http.unreadable import kind_of
from providers.retry_after import AFTER_MAX, retry_after_asked

OK: Final = 200
DONE: Final = range(200, 300)
NOT_FOUND: Final = 404
REDIRECTS: Final = range(300, 400)
REFUSALS: Final = frozenset({409, 422})
NOTHING_THERE: Final = REFUSALS | {NOT_FOUND}
REFUSED: Final = "refused"
NOT_DONE: Final = (REFUSED, "pending")
"""Words of a status that no answer to a call can carry that was done."""
ALL_WORDS: Final = (*NOT_DONE, "done")

Told: TypeAlias = Mapping[str, object]


def do_answer(answer: Answer, task_id: str) -> DoAnswer:
    """Read the answer to a do: done with a result, refused with a code, or unclear."""
    if not isinstance(answer, Response):
        return _unanswered(answer)
    told = answer.read_object()
    if (odd := _odd(told, task_id)) is not None:
        return _unclear(answer, odd)
    if answer.status in REFUSALS and told is not None:
        return _refusal(told) or _unclear(answer, "without a code")
    if answer.status not in DONE or told is None:
        return _unclear(answer, _indefinite(answer, told))
    return _done(answer, told)


def undo_answer(answer: Answer, task_id: str) -> UndoAnswer:
    """Read the answer to an undo: any 2xx that says nothing else is done."""
    if not isinstance(answer, Response):
        return _unanswered(answer)
    told = answer.read_object()
    if (odd := _odd(told, task_id)) is not None:
        return _unclear(answer, odd)
    if answer.status in REFUSALS and told is not None:
        return _refusal(told) or _unclear(answer, "without a code")
    is_silent = not answer.body.strip()
    if answer.status not in DONE or (told is None and not is_silent):
        return _unclear(answer, _indefinite(answer, told))
    if (wrong := _contradicted(told or {})) is not None:
        return _unclear(answer, wrong)
    return ServiceUndone()


def ask_answer(answer: Answer, task_id: str) -> AskAnswer:
    """Read what became of a step: 200 and a word of the contract, or 404."""
    if not isinstance(answer, Response):
        return _unanswered(answer)
    told = answer.read_object()
    if (odd := _odd(told, task_id)) is not None:
        return _unclear(answer, odd)
    # A problem document has a status, too: its number.
    if answer.status == NOT_FOUND and (told or {}).get("status") not in ALL_WORDS:
        return ServiceNotKnown()
    if answer.status != OK or told is None or says_error(told):
        return _unclear(answer, _indefinite(answer, told))
    match told.get("status"):
        case "done":
            return _done(answer, {"result": {}, **told}, asked=True)
        case "refused":
            return _refusal({"code": REFUSED, **told}) or ServiceRefused(code=REFUSED)
        case "pending":
            return ServicePending()
        case _:
            return _unclear(answer, "without a status that is known")


def load_answer(answer: Answer) -> LoadAnswer:
    """Read what was fetched: 200 and an object; 404, 409 and 422 are a final no.

    Its no costs no money, so it needs no code; but a page that answers everything says
    nothing about what was asked.
    """
    if not isinstance(answer, Response):
        return _unanswered(answer)
    told = answer.read_object()
    if answer.status in NOTHING_THERE and (told is not None or not answer.body.strip()):
        code = "not_found" if answer.status == NOT_FOUND else REFUSED
        return _refusal(told or {}) or ServiceRefused(
            code=code, message=message_in(told or {})
        )
    if answer.status != OK or told is None or says_error(told):
        return _unclear(answer, _indefinite(answer, told))
    if (unfit := _unfit(told)) is not None:
        return _unclear(answer, unfit)
    return Fetched(content=told)


def _done(
    answer: Response, told: Told, *, asked: bool = False
) -> ServiceDone | ServiceUnclear:
    result = told.get("result")
    if not isinstance(result, dict):
        return _unclear(answer, "without a result that is an object")
    if (unfit := _unfit(result)) is not None:
        return _unclear(answer, unfit)
    if not asked and (wrong := _contradicted(told)) is not None:
        return _unclear(answer, wrong)
    return ServiceDone(result=result)


def _refusal(told: Told) -> ServiceRefused | None:
    code = code_in(told)
    if code is None:
        return None
    return ServiceRefused(
        code=code,
        message=message_in(told),
        customer_message=_for_customers(told),
    )


def _for_customers(told: Told) -> str | None:
    """Return the service's own words for the customer: one line, numbers masked."""
    value = told.get("customer_message")
    if not isinstance(value, str) or not value.strip():
        return None
    return shortened(masked_prose(value)) or None


def _odd(told: Told | None, task_id: str) -> str | None:
    """Say that an answer is about another step than ours, where it says so."""
    said = None if told is None else told.get("task_id")
    if said is None or said == task_id:
        return None
    return "ECHO MISMATCH: about another task_id"


def _contradicted(told: Told) -> str | None:
    """Say what a 2xx says that cannot be, if what it stands for was done."""
    if says_error(told):
        return "and the body says an error"
    status = told.get("status")
    return f"and the body says {status}" if status in NOT_DONE else None


def _unfit(told: Told) -> str | None:
    """Say why an object cannot be kept and sent on as it is."""
    try:
        # What surrogates, depth and integers do to it is what storing it would do.
        parse_strict(orjson.dumps(told), size_max=2 * SIZE_MAX)
    except (InvalidRequest, orjson.JSONEncodeError, RecursionError) as error:
        return f"with JSON that cannot be kept: {shortened(masked_prose(str(error)))}"
    return None


def _indefinite(answer: Response, told: Told | None) -> str:
    """Say what it is that is no answer; a wrong address is found by this line."""
    if answer.status in REDIRECTS:
        return "which sends elsewhere: base_url must be the service's own address"
    if told is None:
        return f"and the body is {kind_of(answer)}"
    if answer.status in DONE and says_error(told):
        return "and the body says an error"
    return "which says nothing definite"


def _unclear(answer: Response, because: str) -> ServiceUnclear:
    return ServiceUnclear(
        because=f"status {answer.status}, {because}",
        after=min(retry_after_asked(answer), AFTER_MAX),
    )


def _unanswered(answer: RequestNotSent | Lost) -> ServiceNotSent | ServiceUnclear:
    if isinstance(answer, Lost):
        return ServiceUnclear(because=answer.because)
    return ServiceNotSent(because=answer.because, lacking=answer.lacking)
