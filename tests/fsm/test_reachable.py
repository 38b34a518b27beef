"""What holds for every event in every picture that an order can come to."""

from enum import StrEnum

import pytest

from fsm.engine.decide import decide
from fsm.engine.diagram import ORDER_MOVES
from fsm.engine.steps import Step
from fsm.engine.words import (
    FINAL,
    LIVE,
    CaseKind,
    EngineTrigger,
    EngineWait,
    OrderState,
    State,
    Verdict,
)
from fsm.flows import RULES
from fsm.payout.words import Trigger, Waiting
from tests.fsm.orders import PLANS, broken_rows, edges
from tests.fsm.test_table import LEGAL
from tests.model.asking import NOW

pytestmark = [pytest.mark.slow, pytest.mark.together("edges")]
WORLDS = [*((name, 1) for name in PLANS), ("both", 2)]
BY_HAND = {EngineTrigger.SETTLED_POSITIVE, EngineTrigger.SETTLED_NEGATIVE}
RESOLVED = {EngineTrigger.RESOLVED_POSITIVE, EngineTrigger.RESOLVED_NEGATIVE} | BY_HAND
ENDS: dict[State, set[StrEnum]] = {
    State.SUCCEEDED: {Trigger.COMMIT_CONFIRMED, EngineTrigger.SETTLED_POSITIVE},
    State.FAILED: {Trigger.ROLLBACK_CONFIRMED, EngineTrigger.SETTLED_NEGATIVE},
    State.SKIPPED: {
        Trigger.ROLLBACK_CONFIRMED,
        Trigger.FREEZE_REFUSED,
        EngineTrigger.NOT_NEEDED,
    },
    State.CANCELLED: {
        Trigger.ROLLBACK_CONFIRMED,
        Trigger.FREEZE_REFUSED,
        EngineTrigger.CANCEL_REQUESTED,
    },
}


@pytest.fixture(params=WORLDS, ids=lambda w: f"{w[0]}, {w[1]} providers")
def world(request):
    name, providers = request.param
    return edges(name, providers)


@pytest.fixture
def steps(world):
    return [edge for edge in world if isinstance(edge.decision, Step)]


@pytest.fixture
def changes(steps):
    return [change for edge in steps for change in edge.decision.changes]


def test_every_answer_to_a_due_call_is_a_step(world):
    hanging = [e for e in world if e.due and not isinstance(e.decision, Step)]

    assert not hanging


def test_every_row_is_one_that_the_schema_takes(steps):
    assert not [bad for edge in steps for bad in broken_rows(edge.decision.after)]


def test_every_version_grows_by_one(steps):
    for edge in steps:
        for change in edge.decision.changes:
            assert change.before == edge.before.task(change.before.task_id)
            assert change.after.version == change.before.version + 1
        if edge.decision.queue is not None:
            queue = edge.decision.queue
            assert queue.after.version == queue.before.version + 1


def test_no_task_moves_twice_in_a_step(steps):
    for edge in steps:
        moved = [change.after.task_id for change in edge.decision.changes]
        assert len(moved) == len(set(moved))


def test_the_picture_afterwards_is_the_one_before_with_the_changes(steps):
    for edge in steps:
        changed = {c.after.task_id: c.after for c in edge.decision.changes}
        assert edge.decision.after.tasks == edge.before.with_tasks(changed).tasks


def test_every_move_is_one_of_the_contract(changes):
    moves = {(c.before.state, c.after.state) for c in changes}

    assert {(a, b) for a, b in moves if a is not b} <= LEGAL


def test_a_final_state_never_changes(changes):
    for change in changes:
        if change.before.final:
            assert change.after.state is change.before.state
            assert change.after.verdict is change.before.verdict


def test_what_is_proven_stays_proven_unless_a_person_decides(changes):
    for change in changes:
        if change.before.verdict is not None and change.trigger not in RESOLVED:
            assert change.after.verdict is change.before.verdict, change


def test_each_end_is_reached_by_core_saying_so_or_before_any_hold(changes):
    for change in changes:
        if change.after.final and not change.before.final:
            assert change.trigger in ENDS[change.after.state]
            if change.trigger in {
                EngineTrigger.NOT_NEEDED,
                EngineTrigger.CANCEL_REQUESTED,
            }:
                assert change.before.waiting_for is EngineWait.TURN


def test_failed_means_taken_and_skipped_means_never_taken(changes):
    for change in changes:
        ended = not change.before.final and change.trigger not in BY_HAND
        if change.after.state is State.FAILED and ended:
            assert change.after.taken
        if change.after.state is State.SKIPPED:
            assert not change.after.taken


def test_cancelled_means_that_somebody_wished_it(changes):
    for change in changes:
        if change.after.state is State.CANCELLED:
            assert change.after.cancel_requested


def test_only_what_core_has_refused_is_settled_by_hand(changes):
    settled = [change for change in changes if change.trigger in BY_HAND]

    assert settled
    for change in settled:
        assert change.before.verdict is not None
        assert change.before.waiting_for is EngineWait.DECISION


def test_core_takes_back_only_what_was_committed_and_only_once(changes):
    for change in changes:
        if change.after.returned or change.after.waiting_for is Waiting.RETURN:
            assert change.after.state is State.SUCCEEDED
        if change.after.waiting_for is Waiting.RETURN:
            assert not change.after.returned
        assert change.after.returned >= change.before.returned


def test_a_commit_is_due_only_for_what_was_paid(changes):
    for change in changes:
        if change.after.waiting_for is Waiting.COMMIT:
            assert change.after.verdict is Verdict.PAID
            assert change.after.state is State.EXECUTING


def test_a_next_task_freezes_only_once_every_other_is_final(steps):
    for edge in steps:
        for change in edge.decision.changes:
            if change.trigger == EngineTrigger.TURN_CAME:
                others = [
                    t
                    for t in edge.decision.after.tasks
                    if t.task_id != change.after.task_id
                    and t.waiting_for is not EngineWait.TURN
                ]
                assert all(t.final for t in others)
                assert not any(t.state is State.SUCCEEDED for t in others)


def test_at_most_one_task_is_at_work(steps):
    for edge in steps:
        at_work = [
            t
            for t in edge.decision.after.tasks
            if t.state in LIVE or t.waiting_for is Waiting.FREEZE
        ]
        assert len(at_work) <= 1


def test_an_order_ends_when_all_of_its_tasks_have(steps):
    for edge in steps:
        queue = edge.decision.after
        if edge.before.final:
            assert queue.state is edge.before.state
            continue
        states = {task.state for task in queue.tasks}
        if not states <= FINAL:
            expected = OrderState.ACTIVE
        elif State.SUCCEEDED in states:
            expected = OrderState.COMPLETED
        else:
            cancelled = queue.cancel_requested
            expected = OrderState.CANCELLED if cancelled else OrderState.FAILED
        assert queue.state is expected


def test_an_order_moves_only_as_is_drawn(steps):
    moves = {(edge.before.state, edge.decision.after.state) for edge in steps}

    assert {(a, b) for a, b in moves if a is not b} <= {m[:2] for m in ORDER_MOVES}


def test_core_is_told_of_every_end(steps):
    for edge in steps:
        after = edge.decision.after
        if after.final and not edge.before.final:
            assert after.waiting_for is EngineWait.NOTIFICATION
            assert after.wake_at == NOW


def test_an_active_order_always_has_exactly_one_task_at_work(steps):
    for edge in steps:
        after = edge.decision.after
        if not after.final:
            active = [
                t
                for t in after.tasks
                if not t.final and t.waiting_for is not EngineWait.TURN
            ]
            assert len(active) == 1


def test_an_absence_heard_before_the_grace_proves_nothing(world):
    for edge in world:
        if edge.event.trigger is Trigger.NOT_FOUND and edge.event.asked_at:
            assert not isinstance(edge.decision, Step) or all(
                change.after.verdict is change.before.verdict
                for change in edge.decision.changes
            )


def test_a_contradicted_task_stands_as_it_stood(steps):
    for edge in steps:
        for case in edge.decision.cases:
            if case.kind in {CaseKind.LATE_SUCCESS, CaseKind.RETURN_AFTER_SUCCESS}:
                before = edge.before.task(case.task_id)
                after = edge.decision.after.task(case.task_id)
                assert (after.state, after.verdict) == (before.state, before.verdict)


def test_a_decision_depends_on_nothing_but_what_it_is_given(world):
    for edge in world[::7]:
        if edge.position is not None:
            task_id = edge.before.tasks[edge.position].task_id
            again = [
                decide(
                    edge.before,
                    task_id,
                    edge.event,
                    rules=RULES,
                    terms_of=lambda _: PLANS["both"],
                    now=NOW,
                )
                for _ in range(2)
            ]
            assert again[0] == again[1]


def test_every_state_and_every_wait_is_come_by():
    everywhere = [e.before for name in PLANS for e in edges(name)]
    tasks = {(t.state, t.waiting_for) for q in everywhere for t in q.tasks}

    # A payout is not undone: it is proven, or called off.
    undone = {State.REVERSING, State.REVERSED}
    assert {state for state, _ in tasks} == set(State) - undone
    assert {waiting for _, waiting in tasks} >= {EngineWait.DECISION, *Waiting}
