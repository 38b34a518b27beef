"""A link's tables are whole, its trail proves its end, its partner is left alone."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from fsm.engine.words import FINAL, EngineTrigger, State
from fsm.partner.invariants import LINK_INVARIANTS, UNLINK_INVARIANTS
from fsm.partner.lifecycle import LINK, UNLINK
from fsm.partner.policy import LinkPolicy
from fsm.partner.words import LinkTrigger, LinkWait

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
T, E, S = LinkTrigger, EngineTrigger, State


def offences(invariants, state, *lines):
    said = [
        SimpleNamespace(trigger=trigger, source=source)
        for trigger, source in (
            line if isinstance(line, tuple) else (line, None) for line in lines
        )
    ]
    order: Any = SimpleNamespace(queue_id="queue")
    task: Any = SimpleNamespace(task_id="task", state=state)
    (check,) = invariants
    stories: Any = {"task": SimpleNamespace(lines=said)}
    return [each.what for each in check(order, [task], stories)]


FOR_NOW = (T.GRANTED, S.RECHECKING)


@pytest.mark.parametrize(
    ("state", "lines"),
    [
        (S.SUCCEEDED, [(T.GRANTED, S.EXECUTING)]),
        (S.SUCCEEDED, [FOR_NOW, T.CONFIRMED]),
        (S.SUCCEEDED, [FOR_NOW, T.CONFIRM_REFUSED, E.RESOLVED_POSITIVE]),
        (S.SUCCEEDED, [T.ALREADY_LINKED]),
        (S.REVERSED, [FOR_NOW, T.NOT_ELIGIBLE, T.REVOKED, T.NOTIFIED]),
        (S.FAILED, [T.NOT_ELIGIBLE]),
        (S.CANCELLED, [E.CANCEL_REQUESTED]),
    ],
)
def test_a_link_may_rest_on_what_somebody_has_said(state, lines):
    assert offences(LINK_INVARIANTS, state, *lines) == []


@pytest.mark.parametrize(
    ("state", "lines", "what"),
    [
        (S.SUCCEEDED, [T.ELIGIBLE], "it is SUCCEEDED, and nobody has said so"),
        (
            S.SUCCEEDED,
            [FOR_NOW],
            "it was granted for now, and nobody has confirmed it",
        ),
        (S.REVERSED, [FOR_NOW], "it is REVERSED, and nobody has said so"),
        (S.FAILED, [FOR_NOW, T.NOT_ELIGIBLE], "it is FAILED, and was granted"),
        (S.CANCELLED, [FOR_NOW], "it is CANCELLED, and was granted"),
    ],
)
def test_a_link_that_rests_on_nothing_is_named(state, lines, what):
    assert offences(LINK_INVARIANTS, state, *lines) == [what]


def test_a_removal_rests_on_a_revoke():
    assert offences(UNLINK_INVARIANTS, S.SUCCEEDED, T.REVOKED) == []
    assert offences(UNLINK_INVARIANTS, S.SUCCEEDED, T.VALIDATED) == [
        "it is SUCCEEDED, and nobody has said so"
    ]


@pytest.mark.parametrize("lifecycle", [LINK, UNLINK], ids=lambda each: each.name)
def test_no_row_stands_behind_one_that_always_fires(lifecycle):
    always = set()
    for row in lifecycle.table:
        assert (row.trigger, row.source) not in always, row
        if row.when is None:
            always.add((row.trigger, row.source))
    assert all(row.source not in FINAL for row in lifecycle.table)


def test_every_word_of_a_link_is_used():
    rows = (*LINK.table, *UNLINK.table)

    assert {*T} <= {row.trigger for row in rows}
    assert {*LinkWait} <= {row.then for row in rows}
    assert {*LINK.sentences.happened} == {*T}
    assert {*LINK.sentences.waits} == {*LinkWait}


def test_a_partner_that_is_away_is_asked_ever_more_seldom():
    policy = LinkPolicy(attempts=3)
    waits = [pace.after(n) for pace, n in map(policy.pause, range(6))]

    assert waits == sorted(waits)
    assert waits[2] < timedelta(seconds=10)
    assert waits[3] == policy.fallback.first
