"""Bugs in how it is found that another hand has changed the rows."""

import pytest

from fsm.domain.orders import Order
from handlers import news, sound


def seals_are_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sound, "task_is_sealed", lambda *_: True)
    patch.setattr(sound, "queue_is_sealed", lambda *_: True)


def requests_are_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Order, "is_as_requested", lambda *_: True)


def the_inbox_is_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(news, "news_is_signed", lambda *_: True)
