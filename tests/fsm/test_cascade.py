"""The cascade's rule: first success completes, all negative fails, one at a time."""

from dataclasses import replace

from fsm.engine.decide import notified
from fsm.engine.steps import Announced, Known, Step
from fsm.engine.words import NOT_NEEDED, EngineWait, OrderState, State
from fsm.payout.words import Waiting
from tests.fsm import orders
from tests.fsm.orders import T, an_order, given_up, judged, moved
from tests.model.asking import NOW


def told(step):
    return [announcement.type for announcement in step.announcements]


def test_first_success_completes_and_the_rest_is_not_needed():
    order = moved(an_order(3), *orders.TO_COMMIT)

    step = judged(order, T.COMMIT_CONFIRMED)

    assert step.after.state is OrderState.COMPLETED
    assert [t.state for t in step.after.tasks[1:]] == [State.SKIPPED] * 2
    assert {c.after.code for c in step.changes[1:]} == {NOT_NEEDED}
    assert told(step) == [Announced.COMPLETED]


def test_the_next_task_freezes_only_after_the_rollback_is_confirmed():
    order = moved(an_order(2), *orders.TO_ROLLBACK)
    assert order.tasks[1].waiting_for is EngineWait.TURN

    order = moved(order, T.ROLLBACK_CONFIRMED)
    assert order.tasks[1].waiting_for is Waiting.FREEZE
    assert order.tasks[1].wake_at == NOW


def test_a_refused_freeze_skips_the_task_with_cores_code_and_goes_on():
    order = moved(an_order(2), T.FREEZE_REFUSED, code="insufficient_funds")

    assert order.tasks[0].state is State.SKIPPED
    assert order.tasks[0].code == "insufficient_funds"
    assert order.tasks[1].waiting_for is Waiting.FREEZE


def test_all_negative_fails_the_order():
    step = judged(moved(an_order(), *orders.TO_ROLLBACK), T.ROLLBACK_CONFIRMED)

    assert step.after.state is OrderState.FAILED
    assert told(step) == [Announced.ATTEMPT_FAILED, Announced.FAILED]


def test_turns_come_by_position_whatever_order_the_rows_are_in():
    order = an_order(3)
    order = replace(order, tasks=(order.tasks[0], *order.tasks[:0:-1]))

    order = moved(order, T.FREEZE_REFUSED)

    waiting = {t.position: t.waiting_for for t in order.tasks}
    assert waiting == {0: None, 1: Waiting.FREEZE, 2: EngineWait.TURN}


def test_a_cancelled_order_starts_no_other_task():
    order = given_up(moved(an_order(2), *orders.TO_ROLLBACK))

    order = moved(order, T.ROLLBACK_CONFIRMED)

    assert order.state is OrderState.CANCELLED
    assert not any(t.waiting_for for t in order.tasks)


def test_refused_by_the_provider_as_its_answer_to_the_create_is_skipped():
    assert moved(an_order(), *orders.TO_SKIPPED).tasks[0].state is State.SKIPPED


def test_never_sent_is_skipped_after_the_last_try():
    order = moved(an_order(), *orders.TO_CREATE, T.NOT_SENT, T.RETRY_DUE, T.NOT_SENT)

    assert order.tasks[0].waiting_for is Waiting.ROLLBACK
    assert moved(order, T.ROLLBACK_CONFIRMED).tasks[0].state is State.SKIPPED


def test_taken_and_then_proven_unpaid_has_failed():
    assert moved(an_order(), *orders.TO_FAILED).tasks[0].state is State.FAILED


def test_perhaps_taken_and_then_proven_unpaid_has_failed():
    order = moved(an_order(), *orders.TO_RECHECKING, T.DECLINED, T.ROLLBACK_CONFIRMED)

    assert order.tasks[0].state is State.FAILED


def test_core_is_told_once_and_then_nothing_is_due():
    order = moved(an_order(), *orders.TO_SUCCESS)
    assert order.waiting_for is EngineWait.NOTIFICATION

    step = notified(order)
    assert isinstance(step, Step)
    after = step.after

    assert (after.waiting_for, after.wake_at) == (None, None)
    assert notified(after) == Known()


def test_an_attempt_is_announced_when_its_create_is_due():
    assert told(judged(an_order(), T.FREEZE_CONFIRMED)) == [Announced.ATTEMPT_STARTED]
