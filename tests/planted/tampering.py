"""Bugs in how it is found that rows were changed, or that a request is not sound."""

from typing import Any

import pytest

from fsm.domain.audit import Link
from fsm.domain.orders import Order
from handlers import inbox as webhook
from handlers import sound
from handlers.withdrawal import returns
from payment_service.storage import people as people_rows
from payment_service.wire import checkout


def seals_are_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sound, "task_is_sealed", lambda *_: True)
    patch.setattr(sound, "queue_is_sealed", lambda *_: True)


def requests_are_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Order, "is_as_requested", lambda *_: True)


def results_are_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sound, "_has_its_result", lambda *_: True)


def sums_are_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(checkout, "_sum_problem", lambda _: ())


def the_inbox_is_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(webhook, "webhook_is_signed", lambda *_: True)


def a_forged_line_opens_a_case(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Link, "holds", lambda *_: True)


def a_planted_return_is_settled(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> None: ...

    patch.setattr(returns, "_check_opened", nothing)


def thresholds_are_believed(patch: pytest.MonkeyPatch) -> None:
    class Trusting:
        def holds(self, *_: Any) -> bool:
            return True

    real = people_rows._thresholds_in
    patch.setattr(people_rows, "_thresholds_in", lambda c, _: real(c, Trusting()))  # type: ignore[arg-type]
