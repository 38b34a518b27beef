"""Bugs in what people wish and compare: what a lifecycle says is not listened to."""

from contextlib import suppress
from typing import Any

import pytest

from fsm import reconciliation
from fsm.domain.errors import CannotStop
from handlers import cancel


def accepted_for_nothing(patch: pytest.MonkeyPatch) -> None:
    """Say that a task is given up of which nobody hears it."""
    real = cancel.request_cancel_of_task

    async def accepts(*asked: Any, **more: Any) -> None:
        with suppress(CannotStop):
            await real(*asked, **more)

    patch.setattr(cancel, "request_cancel_of_task", accepts)


def everything_stands_in_all_books(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconciliation, "has_books", lambda *_: True)
