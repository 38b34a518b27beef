"""What wakes a task is what its own lifecycle says of the wait it is in."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fsm.domain.messages import STATUS_TICK, STEP_DUE, WEBHOOK_TIMEOUT, task_wakeup
from fsm.engine.backoff import Backoff
from fsm.engine.flow import Rules
from fsm.engine.timers import Timer
from fsm.flows import RULES
from fsm.payout.foresight import checks
from fsm.payout.policy import ProviderPolicy
from fsm.payout.timers import TIMERS
from fsm.payout.words import Waiting
from tests.fsm.chores import LIFECYCLES, NOW, ChoreWait
from tests.world.household import an_order

MINUTE = timedelta(minutes=1)
WASH = LIFECYCLES["wash"]


def subject_of(timer):
    """Return the subject that wakes a chore whose lifecycle has this timer."""
    timers: Any = {} if timer is None else {ChoreWait.DO: timer}
    house = Rules({**RULES.lifecycles, "wash": replace(WASH, timers=timers)}, {})
    wakeup = task_wakeup(an_order().tasks[0], NOW, house)
    return wakeup and wakeup.subject


def test_a_wait_is_woken_by_the_subject_that_its_lifecycle_names():
    assert subject_of(Timer(subject=STATUS_TICK)) == STATUS_TICK


def test_a_call_that_is_due_needs_no_timer():
    assert subject_of(None) == STEP_DUE


def test_the_last_one_rings_at_the_deadline_alone():
    timer: Timer[None] = Timer(subject=STATUS_TICK, last=WEBHOOK_TIMEOUT)
    task = replace(an_order().tasks[0], deadline_at=NOW + MINUTE)

    assert timer.subject_of(task) == STATUS_TICK
    assert timer.subject_of(replace(task, wake_at=NOW + MINUTE)) == WEBHOOK_TIMEOUT


def test_a_timer_of_a_wait_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="timers of no wait of its own: poll"):
        replace(WASH, timers={Waiting.POLL: Timer(subject=STATUS_TICK)})


def test_its_waits_are_as_many_as_its_terms_say():
    pace = Backoff(first=MINUTE, factor=2.0, longest=3 * MINUTE)
    timer: Timer[int]
    timer = Timer(subject=STATUS_TICK, pace=lambda _: pace, tries=lambda n: n)

    assert timer.waits(3) == [MINUTE, 2 * MINUTE, 3 * MINUTE]
    assert replace(timer, tries=None).waits(3) == []


def test_what_is_foreseen_is_what_the_timers_say():
    policy = ProviderPolicy(recheck_attempts=3)
    waits = TIMERS[Waiting.RECHECK].waits(policy)

    assert checks(policy) == [waits[0], waits[0] + waits[1], sum(waits, timedelta(0))]
