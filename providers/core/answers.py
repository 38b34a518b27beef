"""Reads core's answers: only a definite answer to exactly our question is one."""

from collections.abc import Mapping
from typing import Final

from fsm.domain.errors import CoreUnavailable
from fsm.domain.reading import code_in, message_in, says_error
from handlers.ports.core import Confirmed, MembershipVerb, Operation, Refused
from providers.http.outbound import Lost, RequestNotSent, Response
from providers.http.unreadable import kind_of

DONE: Final = 200
"""By contract no other 2xx is done."""
REFUSALS: Final = frozenset({409, 422})
TAKEN: Final = range(200, 300)
"""What takes a notification."""
REDIRECTS: Final = range(300, 400)
ECHOED: Final = ("task_id", "amount", "currency", "customer_id", "partner")
"""What must be as it was asked, where an answer repeats it."""


def balance_answer(
    operation: Operation | MembershipVerb,
    asked: Mapping[str, object],
    answer: Response | RequestNotSent | Lost,
) -> Confirmed | Refused:
    """Read core's answer.

    :raises CoreUnavailable: it is not definite, or it is about something else.
    """
    if not isinstance(answer, Response):
        raise CoreUnavailable(operation, answer.because)
    told = answer.read_object()
    if wrong := _contradictions(asked, told or {}):
        raise CoreUnavailable(
            operation, f"ECHO MISMATCH: core answered another {wrong}"
        )
    if answer.status == DONE and told is not None and not says_error(told):
        return Confirmed()
    refused = _refusal(told) if answer.status in REFUSALS else None
    if refused is None:
        raise CoreUnavailable(operation, _indefinite(answer, told))
    return refused


def _indefinite(answer: Response, told: Mapping[str, object] | None) -> str:
    """Say what it is that is no answer; a wrong address is found by this line."""
    if told is None:
        what = f"status {answer.status}, and the body is {kind_of(answer)}"
    elif answer.status == DONE:
        what = f"status {answer.status}, and the body says an error"
    else:
        what = f"status {answer.status}"
    if answer.status in REDIRECTS:
        what += ", which sends elsewhere: PAYMENT_CORE_URL must be core's own address"
    return f"{what} is no definite answer"


def _contradictions(asked: Mapping[str, object], told: Mapping[str, object]) -> str:
    """Name the fields that core repeats, and repeats otherwise."""
    return ", ".join(
        name
        for name in ECHOED
        if name in asked
        and told.get(name) is not None
        and (type(told[name]), told[name]) != (type(asked[name]), asked[name])
    )


def _refusal(told: Mapping[str, object] | None) -> Refused | None:
    if told is None or not isinstance(told.get("message"), str):
        return None
    code = code_in(told)
    return None if code is None else Refused(code, message_in(told) or "")
