"""What a plan is said never to come to never happens, and what it promises does."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import assume, given
from hypothesis import strategies as some

from fsm.engine.backoff import Backoff
from fsm.engine.decide import decide
from fsm.engine.steps import Event, Step
from fsm.engine.words import State
from fsm.flows import RULES
from fsm.payout.foresight import (
    Chance,
    absence_proves,
    checks,
    repeat_asks,
    repeat_follows,
)
from fsm.payout.policy import AskedBy, ProviderPolicy
from fsm.payout.words import Trigger, Waiting
from tests.fsm.orders import an_order
from tests.model.asking import NOW

SECOND = timedelta(seconds=1)
seconds = some.integers(1, 600).map(lambda n: n * SECOND)
waits = some.builds(
    Backoff,
    first=some.integers(1, 120).map(lambda n: n * SECOND),
    factor=some.floats(1, 4),
    longest=some.integers(1, 900).map(lambda n: n * SECOND),
)
plans = some.builds(
    ProviderPolicy,
    asked_by=some.sampled_from([AskedBy.OURS, AskedBy.NOTHING]),
    idempotent_create=some.booleans(),
    key_lifetime=some.integers(1, 7200).map(lambda n: n * SECOND),
    not_found_definite=some.booleans(),
    not_found_grace=seconds,
    recheck=waits,
    recheck_attempts=some.integers(1, 12),
)


def came_to(plan, *, task_id, calls):
    """Drive a create whose fate is unclear, at a provider that has never heard of it.

    Each call takes as long as ``calls`` says. Return what it came to: how often the
    create was repeated, how often a check asked, and the state in the end.
    """
    order = an_order(
        task_id=task_id,
        state=State.CREATING,
        waiting_for=Waiting.CREATE,
        sent_first_at=NOW,
        sent_last_at=NOW,
    )
    now, repeats, asked = NOW, 0, 0

    def happens(trigger, **event):
        nonlocal order
        happened = Event(trigger=trigger, **event)
        step = decide(
            order, task_id, happened, rules=RULES, terms_of=lambda _: plan, now=now
        )
        if isinstance(step, Step):
            order = step.after
        return isinstance(step, Step)

    happens(Trigger.UNCLEAR)
    happens(Trigger.WEIGHED)
    while (task := order.task(task_id)).state is State.RECHECKING:
        now = max(now, task.wake_at)
        if task.waiting_for is Waiting.RECREATE:
            repeats += 1
            now += calls
            happens(Trigger.UNCLEAR)
        elif plan.can_ask(task):
            asked += 1
            began, now = now, now + calls
            happens(Trigger.NOT_FOUND, asked_at=began)
        elif not happens(Trigger.REPEAT_DUE):
            asked += 1
            happens(Trigger.UNCLEAR)
    return repeats, asked, order.task(task_id).state


@given(plan=plans, number=some.integers(0, 99), taking=some.integers(0, 10))
def test_what_can_never_be_never_is(plan, number, taking):
    timeout = 10 * SECOND
    came = came_to(plan, task_id=f"task-{number}", calls=taking * SECOND)
    repeats, _, state = came

    if absence_proves(plan, timeout) is Chance.NEVER:
        assert state is State.MANUAL_CHECK
    if plan.can_ask(an_order().tasks[0]):
        assert not (repeats and repeat_follows(plan, timeout) is Chance.NEVER)
    else:
        assert not (repeats and repeat_asks(plan, timeout) is Chance.NEVER)


@given(plan=plans, number=some.integers(0, 99), taking=some.integers(0, 10))
def test_what_is_promised_is_kept(plan, number, taking):
    assume(plan.asked_by is AskedBy.OURS)
    timeout = 10 * SECOND
    calls = taking * SECOND
    repeats, _, state = came_to(plan, task_id=f"task-{number}", calls=calls)

    if repeat_follows(plan, timeout) is Chance.YES:
        assert repeats
    if absence_proves(plan, timeout) is Chance.YES:
        assert state is State.NEGATIVE_EVAL


@given(plan=plans, number=some.integers(0, 99))
def test_the_repeat_asks_where_it_is_promised(plan, number):
    unasked = replace(plan, asked_by=AskedBy.NOTHING)
    repeats, _, _ = came_to(unasked, task_id=f"task-{number}", calls=SECOND)

    if repeat_asks(unasked, 10 * SECOND) is Chance.YES:
        assert repeats


@given(plan=plans, number=some.integers(0, 99))
def test_there_are_as_many_checks_as_there_are_said_to_be(plan, number):
    alone = replace(
        plan,
        asked_by=AskedBy.OURS,
        idempotent_create=False,
        not_found_definite=False,
    )
    _, asked, state = came_to(alone, task_id=f"task-{number}", calls=SECOND)

    assert (asked, state) == (len(checks(alone)), State.MANUAL_CHECK)
