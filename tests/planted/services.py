"""Bugs in what is heard of a service of a checkout, and in what its table may say."""

from typing import Any

import pytest

from handlers.ports.services import ServiceDone, ServiceNotSent, ServiceRefused
from providers.config import unsafe_services
from providers.services import answers


def a_page_is_a_yes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(answers, "_done", lambda *_, **__: ServiceDone())


def any_steps_answer_will_do(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(answers, "_odd", lambda *_: None)


def a_no_needs_no_code(patch: pytest.MonkeyPatch) -> None:
    real = answers._refusal
    patch.setattr(answers, "_refusal", lambda t: real(t) or ServiceRefused(code="no"))


def a_lost_answer_was_not_sent(patch: pytest.MonkeyPatch) -> None:
    def unanswered(answer: Any) -> ServiceNotSent:
        return ServiceNotSent(because=answer.because)

    patch.setattr(answers, "_unanswered", unanswered)


def any_result_can_be_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(answers, "_unfit", lambda _: None)


def a_default_holds_for_anything(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(unsafe_services, "_unsafe_default", lambda _: iter(()))
