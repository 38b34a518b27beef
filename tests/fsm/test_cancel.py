"""Cancelling, sentence by sentence of the contract's section 6."""

from dataclasses import replace

import pytest

from fsm.engine.decide import cancel_order
from fsm.engine.steps import Event, Known
from fsm.engine.words import EngineTrigger, EngineWait, OrderState, State
from fsm.flows import RULES
from fsm.payout.words import Trigger, Waiting
from tests.fsm import orders
from tests.fsm.orders import (
    DEFINITE,
    PLAN,
    R,
    T,
    an_order,
    given_up,
    judged,
    moved,
    wished,
)
from tests.model.asking import GRACE, NOW


def test_cancelling_a_task_gives_up_that_attempt_and_the_cascade_goes_on():
    order = moved(wished(an_order(2)), T.FREEZE_CONFIRMED, T.ROLLBACK_CONFIRMED)

    assert order.tasks[0].state is State.CANCELLED
    assert order.tasks[1].waiting_for is Waiting.FREEZE


def test_if_it_was_the_last_the_order_has_failed():
    order = moved(wished(an_order()), T.FREEZE_CONFIRMED, T.ROLLBACK_CONFIRMED)

    assert order.state is OrderState.FAILED


def test_cancelling_a_task_before_its_turn_takes_effect_at_once():
    order = wished(an_order(2), position=1)

    assert order.tasks[1].state is State.CANCELLED
    assert order.state is OrderState.ACTIVE


def test_cancelling_an_order_gives_up_all_of_it():
    order = given_up(an_order(3))

    assert [t.state for t in order.tasks[1:]] == [State.CANCELLED] * 2
    assert order.tasks[0].cancel_requested

    order = moved(order, T.FREEZE_CONFIRMED, T.ROLLBACK_CONFIRMED)
    assert order.tasks[0].state is State.CANCELLED
    assert order.state is OrderState.CANCELLED


def test_it_takes_effect_before_the_create_is_sent():
    frozen = moved(wished(an_order()), T.FREEZE_CONFIRMED).tasks[0]

    assert frozen.waiting_for is Waiting.ROLLBACK


def test_it_takes_effect_between_two_tries_to_send():
    unsent = moved(an_order(), *orders.TO_CREATE, T.NOT_SENT)

    order = wished(unsent)

    assert order.tasks[0].waiting_for is Waiting.ROLLBACK
    assert moved(order, T.ROLLBACK_CONFIRMED).tasks[0].state is State.CANCELLED


def test_a_refused_freeze_of_a_cancelled_task_is_its_end():
    order = moved(wished(an_order()), T.FREEZE_REFUSED)

    assert order.tasks[0].state is State.CANCELLED


def test_it_has_no_effect_while_the_create_may_be_under_way():
    order = wished(moved(an_order(), *orders.TO_CREATE))

    assert order.tasks[0].waiting_for is Waiting.CREATE


def test_what_could_not_be_sent_is_not_tried_again():
    order = moved(wished(moved(an_order(), *orders.TO_CREATE)), T.NOT_SENT)

    assert order.tasks[0].waiting_for is Waiting.ROLLBACK


def test_what_the_provider_took_meanwhile_it_is_asked_to_cancel():
    order = moved(wished(moved(an_order(), *orders.TO_CREATE)), T.ACCEPTED)

    assert order.tasks[0].waiting_for is Waiting.CANCEL


def test_it_takes_effect_once_the_provider_has_confirmed():
    order = wished(moved(an_order(), *orders.TO_EXECUTING))
    assert order.tasks[0].waiting_for is Waiting.CANCEL

    order = moved(order, T.CANCEL_CONFIRMED)
    assert order.tasks[0].waiting_for is Waiting.ROLLBACK

    assert moved(order, T.ROLLBACK_CONFIRMED).tasks[0].state is State.CANCELLED


def test_too_late_means_that_it_goes_on_and_the_cascade_goes_no_further():
    order = given_up(moved(an_order(2), *orders.TO_EXECUTING))

    order = moved(order, T.CANCEL_TOO_LATE)

    assert order.tasks[0].waiting_for is Waiting.WEBHOOK
    assert order.tasks[1].state is State.CANCELLED


def test_silence_to_a_cancel_is_asked_again_a_bounded_number_of_times():
    order = wished(moved(an_order(), *orders.TO_EXECUTING))

    order = moved(order, T.CANCEL_UNCLEAR)
    assert order.tasks[0].waiting_for is Waiting.CANCEL

    order = moved(order, T.CANCEL_UNCLEAR)
    assert order.tasks[0].waiting_for is Waiting.WEBHOOK


@pytest.mark.parametrize(
    ("polls", "then"),
    [(True, Waiting.POLL), (False, EngineWait.DECISION)],
    ids=["asked", "a person"],
)
def test_silence_to_a_cancel_without_an_sla_is_not_waited_out_for_ever(polls, then):
    plan = replace(PLAN, sla=None, polls=polls, recheck_attempts=1)
    order = wished(moved(an_order(), *orders.TO_EXECUTING, plan=plan), plan=plan)

    order = moved(order, T.CANCEL_UNCLEAR, plan=plan)

    assert order.tasks[0].waiting_for is then
    assert (order.tasks[0].wake_at is not None) is polls


def test_a_cancel_in_polling_goes_back_to_polling_with_the_old_deadline():
    polling = moved(an_order(), *orders.TO_EXECUTING, T.SLA_PASSED)

    order = moved(wished(polling), T.CANCEL_TOO_LATE)

    assert order.tasks[0].waiting_for is Waiting.POLL
    assert order.tasks[0].deadline_at == polling.tasks[0].deadline_at


def test_in_negative_eval_it_waits_for_the_proof():
    order = wished(moved(an_order(), *orders.TO_CREATE, T.UNCLEAR))

    assert order.tasks[0].waiting_for is Waiting.WEIGHING


def test_in_rechecking_it_waits_for_the_proof():
    order = wished(moved(an_order(), *orders.TO_RECHECKING))
    assert order.tasks[0].state is State.RECHECKING

    order = moved(order, T.DECLINED, T.ROLLBACK_CONFIRMED)
    assert order.tasks[0].state is State.CANCELLED


def test_in_rechecking_it_stops_the_create_from_being_repeated():
    plan = orders.PLANS["both"]
    order = wished(moved(an_order(), *orders.TO_RECHECKING), plan=plan)

    order = moved(order, T.NOT_FOUND, plan=plan, now=NOW + 2 * GRACE)

    assert order.tasks[0].waiting_for is Waiting.ROLLBACK


def test_in_manual_check_it_waits_for_the_decision():
    order = wished(moved(an_order(), *orders.TO_MANUAL))
    assert order.tasks[0].waiting_for is EngineWait.DECISION

    order = moved(order, R.RESOLVED_NEGATIVE, T.DECLINED, T.ROLLBACK_CONFIRMED)
    assert order.tasks[0].state is State.CANCELLED


@pytest.mark.parametrize("asks", [given_up, wished])
def test_a_payment_that_turns_out_to_have_succeeded_completes_the_order(asks):
    order = asks(moved(an_order(2), *orders.TO_EXECUTING))

    order = moved(order, T.PAID, T.COMMIT_CONFIRMED)

    assert order.tasks[0].state is State.SUCCEEDED
    assert order.state is OrderState.COMPLETED


@pytest.mark.parametrize("way", [orders.TO_SUCCESS, orders.TO_SKIPPED])
def test_what_is_final_cannot_be_cancelled(way):
    order = moved(an_order(), *way)

    assert judged(order, EngineTrigger.CANCEL_REQUESTED) == Known()
    wish = Event(trigger=EngineTrigger.CANCEL_REQUESTED)
    assert (
        cancel_order(order, wish, rules=RULES, terms_of=lambda _: PLAN, now=NOW)
        == Known()
    )


def test_a_second_wish_changes_nothing():
    order = wished(moved(an_order(), *orders.TO_EXECUTING))

    assert judged(order, EngineTrigger.CANCEL_REQUESTED) == Known()


def test_an_order_given_up_keeps_a_task_that_was_given_up_before():
    order = given_up(wished(moved(an_order(2), *orders.TO_EXECUTING)))

    assert order.tasks[0].waiting_for is Waiting.CANCEL
    assert order.tasks[1].state is State.CANCELLED


def test_a_sla_that_passes_does_not_make_the_cancel_forgotten():
    order = wished(moved(an_order(), *orders.TO_EXECUTING))

    assert judged(order, Trigger.SLA_PASSED, plan=DEFINITE) == Known()
