"""A fault that a sender can repeat a million times is told a few times."""

import time

from payment_service.observability.notes import NOTED_AT_ONCE, Notes
from payment_service.observability.repeats import (
    KINDS_MAX,
    WINDOW_SECONDS,
    Repeats,
)


def test_the_first_few_are_told_and_the_rest_are_counted(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    repeats = Repeats(at_once=2)

    told = [repeats.admit("invalid") for _ in range(10)]
    now += WINDOW_SECONDS
    later = [repeats.admit("invalid") for _ in range(3)]

    assert told == [0, 0, *[None] * 8]
    assert later == [8, 0, None]


def test_one_kind_takes_nothing_from_another():
    repeats = Repeats(at_once=1)
    repeats.admit("invalid")

    assert repeats.admit("invalid") is None
    assert repeats.admit("exhausted") == 0


def test_kinds_do_not_grow_without_end():
    repeats = Repeats()
    for kind in range(3 * KINDS_MAX):
        repeats.admit(kind)

    assert len(repeats._seen) <= KINDS_MAX


def test_notes_of_one_kind_are_told_with_how_many_were_not(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    told: list[object] = []
    notes = Notes(lambda event, facts: told.append((event, dict(facts))))

    for number in range(50):
        notes("webhook.differs", {"provider": "acme", "event_id": f"e{number}"})
    notes("webhook.differs", {"provider": "zeta", "event_id": "e"})
    now += WINDOW_SECONDS
    notes("webhook.differs", {"provider": "acme", "event_id": "last"})

    assert len(told) == NOTED_AT_ONCE + 2
    last = {"provider": "acme", "event_id": "last", "untold": 50 - NOTED_AT_ONCE}
    assert told[-1] == ("webhook.differs", last)
