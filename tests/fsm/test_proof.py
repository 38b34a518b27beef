"""What proves that a provider paid or did not, and what contradicts it."""

from dataclasses import replace

import pytest

from fsm.engine.steps import Known, Step, Wait
from fsm.engine.words import CaseKind, EngineTrigger, EngineWait, Source, State, Verdict
from fsm.payout.words import Trigger, Waiting
from tests.fsm import orders
from tests.fsm.orders import DEFINITE, IDEMPOTENT, PLAN, R, T, an_order, judged, moved
from tests.model.asking import GRACE, NOW

LATER = NOW + 2 * GRACE


def only_case(decision):
    assert isinstance(decision, Step)
    (case,) = decision.cases
    return case.kind


def test_a_timeout_is_not_a_no():
    task = moved(an_order(2), *orders.TO_CREATE, T.UNCLEAR, T.WEIGHED).tasks[0]

    assert (task.state, task.verdict) == (State.RECHECKING, None)


@pytest.mark.parametrize(
    ("way", "timer"),
    [
        (orders.TO_CREATE, T.TAKEN_OVER),
        ((*orders.TO_CREATE, T.NOT_SENT), T.RETRY_DUE),
        ((*orders.TO_CREATE, T.UNCLEAR), T.WEIGHED),
        (orders.TO_EXECUTING, T.SLA_PASSED),
        ((*orders.TO_EXECUTING, T.SLA_PASSED), T.DEADLINE_PASSED),
    ],
)
def test_a_timer_means_nothing_to_a_later_version(way, timer):
    order = moved(an_order(), *way)
    version = order.tasks[0].version

    assert isinstance(judged(order, timer, version=version), Step)
    assert judged(order, timer, version=version - 1) == Known()


def test_not_found_within_the_grace_proves_nothing():
    task = moved(an_order(), *orders.TO_RECHECKING, T.NOT_FOUND, plan=DEFINITE).tasks[0]

    assert task.waiting_for is Waiting.RECHECK


def test_not_found_after_the_grace_is_a_no_where_the_provider_means_it():
    order = moved(an_order(), *orders.TO_RECHECKING)

    task = moved(order, T.NOT_FOUND, plan=DEFINITE, now=LATER).tasks[0]

    assert task.waiting_for is Waiting.ROLLBACK


def test_not_found_after_the_grace_is_no_proof_where_it_is_ambiguous():
    order = moved(an_order(), *orders.TO_RECHECKING)

    task = moved(order, T.NOT_FOUND, plan=PLAN, now=LATER).tasks[0]

    assert task.waiting_for is Waiting.RECHECK


def test_the_grace_counts_from_when_the_question_was_asked():
    order = moved(an_order(), *orders.TO_RECHECKING)

    task = moved(order, T.NOT_FOUND, plan=DEFINITE, now=LATER, asked_at=NOW).tasks[0]

    assert task.waiting_for is Waiting.RECHECK


def test_the_create_is_repeated_only_where_that_is_safe():
    order = moved(an_order(), *orders.TO_RECHECKING)

    early = moved(order, T.NOT_FOUND, plan=IDEMPOTENT).tasks[0]
    late = moved(order, T.NOT_FOUND, plan=IDEMPOTENT, now=LATER).tasks[0]
    expired = replace(IDEMPOTENT, key_lifetime=GRACE)
    too_late = moved(order, T.NOT_FOUND, plan=expired, now=LATER).tasks[0]

    assert early.waiting_for is Waiting.RECHECK
    assert late.waiting_for is Waiting.RECREATE
    assert too_late.waiting_for is Waiting.RECHECK


def test_the_grace_starts_again_with_a_repeated_create():
    both = orders.PLANS["both"]
    order = moved(an_order(), *orders.TO_RECHECKING)
    order = moved(order, T.NOT_FOUND, T.UNCLEAR, plan=both, now=LATER)

    task = moved(order, T.NOT_FOUND, plan=both, now=LATER).tasks[0]

    assert task.state is State.MANUAL_CHECK


def test_checks_used_up_without_an_answer_ask_a_person():
    order = moved(an_order(2), *orders.TO_RECHECKING, T.UNCLEAR, T.UNCLEAR)

    assert order.tasks[0].state is State.MANUAL_CHECK
    assert order.tasks[0].waiting_for is EngineWait.DECISION
    assert order.tasks[1].waiting_for is EngineWait.TURN


def test_a_poll_deadline_without_an_answer_asks_a_person():
    order = moved(an_order(), *orders.TO_EXECUTING, T.SLA_PASSED, T.DEADLINE_PASSED)

    assert order.tasks[0].state is State.MANUAL_CHECK


def test_after_the_sla_a_person_is_asked_where_that_is_configured():
    order = moved(an_order(), *orders.TO_EXECUTING)

    task = moved(order, T.SLA_PASSED, plan=orders.PLANS["manual"]).tasks[0]

    assert task.state is State.MANUAL_CHECK


def test_a_sla_that_two_workers_saw_passing_passes_once():
    polling = moved(an_order(), *orders.TO_EXECUTING, T.SLA_PASSED)

    assert judged(polling, T.SLA_PASSED) == Known()


@pytest.mark.parametrize("trigger", [T.SLA_PASSED, T.DEADLINE_PASSED])
def test_a_timer_of_an_earlier_wait_means_nothing(trigger):
    cancelling = orders.wished(moved(an_order(), *orders.TO_EXECUTING))

    assert judged(cancelling, trigger) == Known()


def test_without_a_sla_nothing_is_due():
    order = moved(an_order(), *orders.TO_CREATE)

    task = moved(order, T.ACCEPTED, plan=orders.PLANS["no sla"]).tasks[0]

    assert (task.waiting_for, task.wake_at) == (Waiting.WEBHOOK, None)


def test_in_polling_an_absence_is_never_a_proof():
    order = moved(an_order(), *orders.TO_EXECUTING, T.SLA_PASSED)

    task = moved(order, T.NOT_FOUND, plan=DEFINITE, now=LATER).tasks[0]

    assert task.waiting_for is Waiting.POLL


@pytest.mark.parametrize("trigger", [T.PAID, T.ACCEPTED, T.DECLINED])
def test_a_webhook_waits_until_the_create_has_answered(trigger):
    order = moved(an_order(), *orders.TO_CREATE)

    assert judged(order, trigger, source=Source.WEBHOOK) == Wait()


@pytest.mark.parametrize("trigger", [T.PAID, T.ACCEPTED, T.DECLINED, T.RETURNED])
def test_a_webhook_waits_while_a_no_is_weighed(trigger):
    order = moved(an_order(), *orders.TO_CREATE, T.UNCLEAR)

    assert judged(order, trigger, source=Source.WEBHOOK) == Wait()


@pytest.mark.parametrize(
    ("trigger", "waits_for"),
    [(T.PAID, Waiting.COMMIT), (T.DECLINED, Waiting.ROLLBACK)],
)
def test_in_manual_check_a_definite_answer_settles_and_closes_the_decision(
    trigger, waits_for
):
    order = moved(an_order(), *orders.TO_MANUAL)
    order = moved(order, R.RESOLUTION_PROPOSED, actor="key:ann", decision="positive")

    task = moved(order, trigger, source=Source.WEBHOOK).tasks[0]

    assert task.waiting_for is waits_for
    assert (task.proposed_by, task.proposed_decision) == (None, None)


def test_a_negative_resolution_is_asked_about_before_anything_is_released():
    task = moved(an_order(2), *orders.TO_MANUAL, R.RESOLVED_NEGATIVE).tasks[0]

    assert (task.state, task.waiting_for) == (State.MANUAL_CHECK, Waiting.LAST_QUESTION)
    assert (task.wake_at, task.verdict) == (NOW, None)


def test_a_negative_resolution_that_stands_is_rolled_back_and_the_cascade_goes_on():
    order = moved(an_order(2), *orders.TO_MANUAL, R.RESOLVED_NEGATIVE, T.DECLINED)
    assert order.tasks[0].waiting_for is Waiting.ROLLBACK

    order = moved(order, T.ROLLBACK_CONFIRMED)
    assert order.tasks[0].state is State.FAILED
    assert order.tasks[1].waiting_for is Waiting.FREEZE


def test_a_positive_resolution_is_committed():
    task = moved(an_order(), *orders.TO_MANUAL, R.RESOLVED_POSITIVE).tasks[0]

    assert (task.waiting_for, task.verdict) == (Waiting.COMMIT, Verdict.PAID)


ASKING = (*orders.TO_MANUAL, R.RESOLVED_NEGATIVE)


def test_a_no_that_was_stopped_is_a_persons_to_give_again():
    order = moved(an_order(2), *ASKING, T.RESOLUTION_STOPPED)

    assert order.tasks[0].waiting_for is EngineWait.DECISION
    assert moved(order, R.RESOLVED_NEGATIVE).tasks[0].waiting_for is (
        Waiting.LAST_QUESTION
    )


def test_it_is_asked_within_the_budget_and_not_beyond():
    order = moved(an_order(), *ASKING)
    assert isinstance(judged(order, T.RESOLUTION_UNASKED), Known)
    for _ in range(orders.PLAN.recheck_attempts):
        order = moved(order, T.RESOLUTION_UNANSWERED)

    assert order.tasks[0].wake_at == NOW
    assert moved(order, T.RESOLUTION_UNASKED).tasks[0].waiting_for is Waiting.ROLLBACK


def test_a_no_stands_at_once_where_nobody_can_be_asked():
    plan = orders.PLANS["unasked"]
    order = moved(an_order(), *ASKING, plan=plan)

    asked = moved(order, T.RESOLUTION_UNASKED, plan=plan).tasks[0]

    assert asked.waiting_for is Waiting.ROLLBACK


@pytest.mark.parametrize(
    "answer",
    [
        T.RESOLUTION_STOPPED,
        T.RESOLUTION_UNANSWERED,
        T.RESOLUTION_NOT_FOUND,
        T.RESOLUTION_UNASKED,
    ],
)
def test_an_answer_to_a_question_that_nobody_asks_any_more_is_old_webhook(answer):
    order = moved(an_order(), *orders.TO_MANUAL)

    assert isinstance(judged(order, answer), Known)


@pytest.mark.parametrize(
    "wish",
    [
        R.RESOLVED_POSITIVE,
        R.RESOLVED_NEGATIVE,
        R.RESOLUTION_PROPOSED,
        R.SETTLED_NEGATIVE,
        R.SETTLED_POSITIVE,
    ],
)
def test_nobody_decides_while_the_provider_is_asked(wish):
    assert isinstance(judged(moved(an_order(), *ASKING), wish), Known)


def test_a_second_proposal_does_not_replace_the_first():
    order = moved(an_order(), *orders.TO_MANUAL)
    order = moved(order, R.RESOLUTION_PROPOSED, actor="key:ann", decision="positive")

    again = judged(order, R.RESOLUTION_PROPOSED, actor="key:bob", decision="negative")

    assert again == Known()


@pytest.mark.parametrize(
    ("way", "trigger", "kind"),
    [
        (orders.TO_COMMIT, T.DECLINED, CaseKind.CONTRADICTION),
        (orders.TO_ROLLBACK, T.PAID, CaseKind.CONTRADICTION),
        (orders.TO_COMMIT, T.RETURNED, CaseKind.RETURN_AFTER_SUCCESS),
        (orders.TO_SUCCESS, T.DECLINED, CaseKind.CONTRADICTION),
        (orders.TO_SUCCESS, T.RETURNED, CaseKind.RETURN_AFTER_SUCCESS),
        (orders.TO_SUCCESS, T.MISMATCHED, CaseKind.AMOUNT_MISMATCH),
        (orders.TO_SKIPPED, T.PAID, CaseKind.LATE_SUCCESS),
        (orders.TO_FAILED, T.PAID, CaseKind.LATE_SUCCESS),
        (orders.TO_FAILED, T.RETURNED, CaseKind.CONTRADICTION),
        (orders.TO_FAILED, T.MISMATCHED, CaseKind.AMOUNT_MISMATCH),
        (orders.TO_MANUAL, T.MISMATCHED, CaseKind.AMOUNT_MISMATCH),
    ],
)
def test_what_contradicts_opens_a_case_and_changes_nothing(way, trigger, kind):
    order = moved(an_order(), *way)

    decision = judged(order, trigger, source=Source.WEBHOOK)

    assert only_case(decision) is kind
    before, after = order.tasks[0], decision.after.tasks[0]
    assert after == replace(
        before, version=before.version + 1, updated_at=after.updated_at
    )
    assert decision.after.state is order.state


@pytest.mark.parametrize(
    ("trigger", "kind"),
    [
        (T.RETURNED, CaseKind.CONTRADICTION),
        (T.MISMATCHED, CaseKind.AMOUNT_MISMATCH),
    ],
)
@pytest.mark.parametrize("way", [orders.TO_EXECUTING, orders.TO_RECHECKING])
def test_what_never_settles_a_task_asks_a_person_and_opens_a_case(way, trigger, kind):
    decision = judged(moved(an_order(), *way), trigger)

    assert only_case(decision) is kind
    assert decision.after.tasks[0].state is State.MANUAL_CHECK


@pytest.mark.parametrize(
    ("way", "trigger"),
    [(orders.TO_COMMIT, T.COMMIT_REFUSED), (orders.TO_ROLLBACK, T.ROLLBACK_REFUSED)],
)
def test_a_refused_commit_or_rollback_asks_a_person_and_opens_a_case(way, trigger):
    decision = judged(moved(an_order(), *way), trigger)

    assert only_case(decision) is CaseKind.BALANCE_REFUSED
    assert decision.after.tasks[0].state is State.MANUAL_CHECK


def test_a_rollback_refused_before_the_create_asks_a_person_after_one_more_try():
    order = moved(orders.wished(an_order()), T.FREEZE_CONFIRMED, T.ROLLBACK_REFUSED)
    assert order.tasks[0].waiting_for is Waiting.ROLLBACK

    decision = judged(order, T.ROLLBACK_REFUSED)
    assert only_case(decision) is CaseKind.BALANCE_REFUSED


@pytest.mark.parametrize("way", [orders.TO_COMMIT, orders.TO_SUCCESS])
def test_the_same_yes_again_is_known(way):
    order = moved(an_order(), *way)

    assert judged(order, Trigger.PAID, source=Source.WEBHOOK) == Known()


@pytest.mark.parametrize("way", [orders.TO_ROLLBACK, orders.TO_FAILED])
def test_the_same_no_again_is_known(way):
    order = moved(an_order(), *way)

    assert judged(order, Trigger.DECLINED, source=Source.WEBHOOK) == Known()


def test_a_cancel_that_two_workers_confirm_is_no_contradiction():
    refused = (EngineTrigger.CANCEL_REQUESTED, T.CANCEL_CONFIRMED, T.ROLLBACK_REFUSED)
    order = moved(an_order(), *orders.TO_EXECUTING, *refused)

    assert order.tasks[0].state is State.MANUAL_CHECK
    assert judged(order, T.CANCEL_CONFIRMED) == Known()


def test_a_cancel_that_is_confirmed_after_the_payment_contradicts():
    order = moved(an_order(), *orders.TO_CREATE, EngineTrigger.CANCEL_REQUESTED, T.PAID)

    assert only_case(judged(order, T.CANCEL_CONFIRMED)) is CaseKind.CONTRADICTION
