"""The table is what the contract says, whole, and nothing in it is idle."""

import pytest

from fsm.engine.machine import fired
from fsm.engine.manual_check import Ballot
from fsm.engine.table import Facts
from fsm.engine.words import FINAL, State
from fsm.payout.lifecycle import PAYOUT
from fsm.payout.policy import ProviderPolicy
from fsm.payout.table import OTHERWISE, TABLE, Guard
from fsm.payout.words import Trigger
from tests.fsm import orders
from tests.fsm.orders import a_task
from tests.model.asking import NOW, OLD

# Contract, section 6, word by word.
CONTRACT = """
PENDING       → CREATING | SKIPPED | CANCELLED
CREATING      → EXECUTING | NEGATIVE_EVAL | CANCELLED
EXECUTING     → SUCCEEDED | NEGATIVE_EVAL | MANUAL_CHECK | CANCELLED
NEGATIVE_EVAL → SKIPPED | FAILED | RECHECKING | CANCELLED | MANUAL_CHECK
RECHECKING    → EXECUTING | NEGATIVE_EVAL | FAILED | MANUAL_CHECK
MANUAL_CHECK  → SUCCEEDED | FAILED | EXECUTING | NEGATIVE_EVAL
"""
LEGAL = {
    (State(line.split("→")[0].strip()), State(dest.strip()))
    for line in CONTRACT.strip().splitlines()
    for dest in line.split("→")[1].split("|")
}
BY_ROLLBACK = "the rollback is called from NEGATIVE_EVAL, and confirmed there"
UNUSED = {
    (State.EXECUTING, State.CANCELLED): BY_ROLLBACK,
    (State.RECHECKING, State.FAILED): BY_ROLLBACK,
}
EVERY = tuple(dict.fromkeys(row.trigger for row in TABLE))
STATES = {row.source for row in TABLE} | {row.dest for row in TABLE}
MOVES = {(row.source, row.dest) for row in TABLE if row.source is not row.dest}


def test_no_move_is_one_that_the_contract_does_not_have():
    assert MOVES <= LEGAL


def test_every_move_of_the_contract_is_used_or_has_a_reason_not_to_be():
    assert UNUSED.keys() == LEGAL - MOVES


@pytest.mark.parametrize("trigger", EVERY)
def test_every_state_has_an_answer_to_every_trigger(trigger):
    assert {state for at, state in OTHERWISE if at is trigger} == STATES


def test_final_states_have_no_exit():
    assert all(row.dest is row.source for row in TABLE if row.source in FINAL)


def test_every_state_is_reached_from_the_first():
    reached = {State.PENDING}
    for _ in State:
        reached |= {dest for source, dest in MOVES if source in reached}

    assert reached == STATES


def test_every_trigger_is_used():
    assert set(Trigger) < set(EVERY)


def test_every_guard_is_used_and_has_a_function():
    assert {row.when for row in TABLE} - {None} == {*Guard, *Ballot}
    assert PAYOUT.guards.keys() == {*Guard, *Ballot}


def test_no_row_stands_behind_one_that_always_fires():
    always = set()
    for row in TABLE:
        assert (row.trigger, row.source) not in always, row
        if row.when is None:
            always.add((row.trigger, row.source))


def test_the_machine_keeps_no_model():
    for trigger in EVERY:
        for state in STATES:
            fired(
                PAYOUT.machine,
                Facts(a_task(state=state), ProviderPolicy(), NOW),
                trigger,
            )

    assert PAYOUT.machine.models == []


@pytest.mark.together("edges")
@pytest.mark.parametrize("name", orders.PLANS)
def test_the_table_is_walked_as_the_library_fires_it(name):
    plan = orders.PLANS[name]
    tasks = {t for edge in orders.edges(name) for t in edge.before.tasks}

    for task in tasks:
        for trigger in EVERY:
            for asked_at in (None, OLD, NOW):
                facts = Facts(task, plan, NOW, asked_at)
                assert PAYOUT.advance(facts, trigger) is fired(
                    PAYOUT.machine, facts, trigger
                )

    assert len(tasks) > 50


def test_the_machine_adds_no_triggers_of_its_own():
    assert set(PAYOUT.machine.events) == set(EVERY)
