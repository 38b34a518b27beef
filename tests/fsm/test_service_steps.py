"""What the trail of a saga's step must prove, and how its policy counts tries."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from fsm.engine.rows import Task
from fsm.engine.words import EngineTrigger, State
from fsm.flows import CHECKOUT, RULES
from fsm.service.invariants import INVARIANTS
from fsm.service.lifecycle import CHECK, LIFECYCLES, PIVOT, SERVICE
from fsm.service.policy import Default, ServicePolicy
from fsm.service.words import StepTrigger

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
T, E, S = StepTrigger, EngineTrigger, State


def offences(state, *triggers):
    lines = [SimpleNamespace(trigger=trigger) for trigger in triggers]
    story = SimpleNamespace(lines=lines, ended_by=triggers[-1], ended_at=NOW)
    order: Any = SimpleNamespace(queue_id="queue")
    task: Any = SimpleNamespace(task_id="task", state=state)
    (check,) = INVARIANTS
    return [each.what for each in check(order, [task], {"task": story})]


@pytest.mark.parametrize(
    ("state", "triggers"),
    [
        (S.SUCCEEDED, (T.UNCLEAR, T.DONE)),
        (S.SUCCEEDED, (T.DEFAULTED,)),
        (S.SUCCEEDED, (T.UNDO_REFUSED, E.RESOLVED_POSITIVE)),
        (S.REVERSED, (T.DONE, T.UNDONE)),
        (S.REVERSED, (T.UNDO_REFUSED, E.RESOLVED_NEGATIVE)),
        (S.SKIPPED, (T.NOT_SENT, T.GIVEN_UP)),
        (S.SKIPPED, (T.UNCLEAR, T.REFUSED)),
    ],
)
def test_a_step_may_rest_on_what_somebody_has_said(state, triggers):
    assert offences(state, *triggers) == []


@pytest.mark.parametrize(
    ("state", "triggers", "what"),
    [
        (S.SUCCEEDED, (T.UNCLEAR,), "it is SUCCEEDED, and nobody has said so"),
        (S.REVERSED, (T.DONE,), "it is REVERSED, and nobody has said so"),
        (
            S.SKIPPED,
            (T.TAKEN_OVER, T.GIVEN_UP),
            "it was left out as never sent, and may have been sent",
        ),
    ],
)
def test_a_step_that_rests_on_nothing_is_named(state, triggers, what):
    assert offences(state, *triggers) == [what]


def a_step(**changes):
    began = {"sent_first_at": NOW, **changes}
    return Task(task_id="task", queue_id="queue", position=0, **began)


def test_a_step_is_spent_by_tries_or_by_time():
    policy = ServicePolicy(attempts=3, deadline=timedelta(minutes=1))
    later = NOW + timedelta(minutes=1)

    assert not policy.is_spent(a_step(tries=2), NOW)
    assert policy.is_spent(a_step(tries=3), NOW)
    assert policy.is_spent(a_step(), later)
    assert policy.ends(a_step()) == [later]


def test_a_default_holds_after_its_time_or_once_the_tries_are_spent():
    policy = ServicePolicy(attempts=3, default=Default(after=timedelta(seconds=10)))

    assert not policy.defaults(a_step(), NOW + timedelta(seconds=9))
    assert policy.defaults(a_step(), NOW + timedelta(seconds=10))
    assert policy.defaults(a_step(tries=3), NOW)
    assert not ServicePolicy().defaults(a_step(tries=99), NOW)


def test_the_steps_of_a_checkout_go_by_what_can_become_of_them():
    kinds = {step.name: RULES.lifecycles[step.lifecycle] for step in CHECKOUT.steps}

    assert kinds == {
        "fraud": CHECK,
        "payment": SERVICE,
        "delivery": SERVICE,
        "merchant": PIVOT,
    }
    assert {step.name for step in CHECKOUT.steps if step.undo} == {
        "payment",
        "delivery",
    }
    assert CHECKOUT.steps[-1].point_of_no_return


@pytest.mark.parametrize("name", LIFECYCLES)
def test_a_default_is_a_move_only_of_what_has_no_undo(name):
    table = LIFECYCLES[name].table
    has_undo = any(row.trigger is E.UNDO_DUE for row in table)
    has_default = any(row.trigger is T.DEFAULTED for row in table)

    assert has_undo is not has_default
