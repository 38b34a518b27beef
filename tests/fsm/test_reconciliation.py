"""What core may have written down about a task: every rule, by what breaks it."""

from datetime import timedelta

import pytest

from fsm.charge.lifecycle import CHARGE
from fsm.domain.money import written
from fsm.invariants import SKEW
from fsm.reconciliation import (
    LedgerEntry,
    StatementEntry,
    core_offences,
    provider_offences,
)
from payment_service.playground.memory.world import a_request
from tests.handlers.test_chores import helped
from tests.world.as_rows import order_row, task_row
from tests.world.judged import World

__all__ = ["helped"]


@pytest.fixture
async def paid():
    """Return an order's row, its only task's, and when both were read."""
    world = World()
    await world.submit(a_request("acme"))
    await world.rest()
    order = await world.order()
    return order_row(order), task_row(order.queue.tasks[0]), world.clock.now()


def judged(paid, *operations, amount=None, at=None, **changes):
    order, task, read_at = paid
    entries = [
        LedgerEntry(task.task_id, name, amount or order.amount, order.currency, at)
        for name in operations
    ]
    found = core_offences(order, task._replace(**changes), entries, as_of=read_at)
    return [offence.what for offence in found]


CHORE = {"lifecycle": "wash", "provider": None}
"""Of a lifecycle of the tests: core holds nothing for it, and nobody is paid."""


def test_who_holds_nothing_at_core_has_no_entry_there(paid, helped):
    del helped
    assert judged(paid, **CHORE) == []
    assert judged(paid, "freeze", **CHORE) == [
        "core has 1 entries about it, and a task of 'wash' holds nothing there"
    ]


def test_of_a_lifecycle_of_another_version_core_is_not_asked(paid):
    assert judged(paid, "freeze", "freeze", lifecycle="of tomorrow") == []


def stated(paid, *statuses, **changes):
    order, task, _ = paid
    lines = [
        StatementEntry("acme", task.task_id, status, order.amount, order.currency)
        for status in statuses
    ]
    task = task._replace(**changes)
    payouts = {task.task_id: lines}
    found = provider_offences(order, [task], payouts, stated={"acme"})
    return [offence.what for offence in found]


def test_whom_nobody_pays_stands_in_no_statement(paid, helped):
    del helped
    assert stated(paid) == ["SUCCEEDED, and acme paid nothing"]
    assert stated(paid, **CHORE) == []
    assert stated(paid, "succeeded", **CHORE) == [
        "acme paid it, and a task of 'wash' pays nobody"
    ]


def charged(paid, *statuses, charging=("acme",), amount=None, **changes):
    order, task, _ = paid
    task = task._replace(**{"lifecycle": CHARGE.name, **changes})
    money = (order.amount if amount is None else amount, order.currency)
    lines = [StatementEntry("acme", task.task_id, each, *money) for each in statuses]
    found = provider_offences(
        order, [task], {task.task_id: lines}, stated={"acme"}, charging=charging
    )
    return [offence.what for offence in found]


def test_a_charge_stands_in_the_statement_of_who_lists_charges(paid):
    assert charged(paid, "succeeded") == []
    assert charged(paid) == ["SUCCEEDED, and acme paid nothing"]
    assert charged(paid, charging=()) == [], "a list of payouts alone says nothing"


@pytest.mark.parametrize("state", ["SKIPPED", "FAILED", "CANCELLED"])
def test_what_was_charged_and_is_none_here_is_named(paid, state):
    assert charged(paid, "succeeded", state=state) == [
        f"it is {state}, and acme has paid"
    ]


@pytest.mark.parametrize("state", ["REVERSING", "REVERSED"])
def test_a_charge_that_was_refunded_may_be_listed_as_made(paid, state):
    assert charged(paid, "succeeded", state=state) == []


def test_a_charge_of_another_amount_and_a_second_one_are_named(paid):
    assert charged(paid, "succeeded", amount=1)[0].startswith("acme paid 0.01 EUR")
    assert charged(paid, "succeeded", "succeeded") == [
        "2 charges were executed for one order"
    ]


def test_core_holds_nothing_for_a_charge(paid):
    assert judged(paid, lifecycle=CHARGE.name) == []
    assert judged(paid, "freeze", lifecycle=CHARGE.name) == [
        "core has 1 entries about it, and a task of 'charge' holds nothing there"
    ]


def test_a_hold_that_was_committed_is_well(paid):
    assert judged(paid, "freeze", "commit") == []


@pytest.mark.parametrize(
    ("operations", "what"),
    [
        (("freeze", "freeze", "commit"), "core has 2 entries of freeze"),
        (("freeze", "commit", "rollback"), "core has both committed and rolled back"),
        (("commit",), "core has a commit without a freeze"),
        (("freeze",), "it is SUCCEEDED and core has no commit"),
        (("freeze", "return"), "core has a return without a commit"),
        (
            ("freeze", "commit", "return"),
            "core has taken it back, and nobody here has asked for that",
        ),
    ],
)
def test_what_core_cannot_have_done_is_named(paid, operations, what):
    assert what in judged(paid, *operations)


def test_what_came_back_once_is_returned_once(paid):
    whole = ("freeze", "commit", "return")

    assert judged(paid, *whole, returned=True) == []
    assert judged(paid, *whole, "return", returned=True) == [
        "core has 2 entries of return"
    ]
    assert judged(paid, "freeze", "commit", returned=True) == [
        "it was returned, and core has no return"
    ]


def test_another_amount_is_told_with_both(paid):
    order, _, _ = paid
    ours = written(order.amount, order.currency)
    theirs = written(7, order.currency)

    assert judged(paid, "freeze", "commit", amount=7) == [
        f"core's {name} is of {theirs}, the order of {ours}"
        for name in ("freeze", "commit")
    ]


def test_a_return_after_the_row_was_read_may_have_been_asked_for(paid):
    late = paid[2] - SKEW + timedelta(seconds=1)

    assert judged(paid, "freeze", "commit", "return", at=late) == []
    early = paid[2] - SKEW - timedelta(seconds=1)
    assert judged(paid, "freeze", "commit", "return", at=early) == [
        "core has taken it back, and nobody here has asked for that"
    ]
