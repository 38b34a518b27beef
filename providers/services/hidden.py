"""Hides in a service's words the token that its order is paid with."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from fsm.domain.masking import masked_prose
from handlers.ports.services import (
    AskAnswer,
    DoAnswer,
    LoadAnswer,
    ServiceNotSent,
    ServiceRefused,
    ServiceUnclear,
    UndoAnswer,
)

AnswerT = TypeVar("AnswerT", bound=DoAnswer | UndoAnswer | AskAnswer | LoadAnswer)


def without_token(answer: AnswerT, order: Mapping[str, object]) -> AnswerT:
    """Return the answer as people may read it: a service may say what it was told.

    Its result is kept and sent on as it is, and shown to nobody.
    """
    method = order.get("payment_method")
    if not isinstance(method, Mapping):
        return answer

    def hidden(text: str) -> str:
        return masked_prose(text, method)

    if isinstance(answer, ServiceRefused):
        return replace(
            answer,
            message=answer.message and hidden(answer.message),
            customer_message=answer.customer_message
            and hidden(answer.customer_message),
        )
    if isinstance(answer, ServiceUnclear | ServiceNotSent):
        return replace(answer, because=hidden(answer.because))
    return answer
