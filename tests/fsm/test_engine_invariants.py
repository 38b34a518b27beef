"""What holds for every flow is judged for an invented one, and by what it brings."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fsm.domain.audit import GENESIS
from fsm.engine.flow import Flow, Rules, StepSpec
from fsm.engine.invariants import offences, standing
from fsm.engine.judged import Offence
from fsm.engine.outcome import Ending
from fsm.engine.timers import Timer
from fsm.engine.words import EngineWait, Invariant, OrderState, State
from fsm.invariants import Line, OrderRow, TaskRow, Trail, order_offences
from fsm.payout.words import Trigger
from tests.fsm import chores
from tests.fsm.chores import CHORES, NOW, STANDS, Chore, ChoreWait
from tests.world import household
from tests.world.household import rules_of

DO, TURN = ChoreWait.DO, EngineWait.TURN
HOUSE = rules_of()
LAST = CHORES.steps[-1]
NO_RETURN = replace(
    CHORES, steps=(*CHORES.steps[:-1], replace(LAST, point_of_no_return=True))
)
LOADS = replace(CHORES, loads=True)


def an_order(state=OrderState.ACTIVE, **changes):
    """Return the row of an order of chores; core is about to be told of its end."""
    made: Any = dict.fromkeys(OrderRow._fields)
    made |= {"queue_id": "queue", "kind": CHORES.kind.value}
    made |= {"flow_version": CHORES.version, "audit_hash": GENESIS}
    made |= {"cancel_requested": False, "state": state.value}
    made["wake_at"] = None if state in {"ACTIVE", "REVERSING"} else NOW
    return OrderRow(**(made | changes))


def the_tasks(**changes):
    """Return the rows of its tasks; ``changes`` are (state, wait) by helper."""
    rows = []
    for task in household.an_order().tasks:
        made: Any = {name: getattr(task, name, None) for name in TaskRow._fields}
        state, wait = changes.get(task.name or "", (task.state, task.waiting_for))
        due = wait is not None and wait is not TURN
        made |= {"state": state.value, "waiting_for": wait, "audit_hash": GENESIS}
        made["provider"] = None
        rows.append(TaskRow(**{**made, "wake_at": NOW if due else None}))
    return rows


def judged(order, tasks, trails=None, rules=HOUSE):
    found = offences(order, tasks, trails or {}, rules)
    return sorted((o.invariant.value, o.what) for o in found)


WON = (State.SUCCEEDED, None)
LOST = (State.SKIPPED, None)
DOING = (State.EXECUTING, DO)
IDLE = (State.PENDING, TURN)
UNDOING = (State.REVERSING, ChoreWait.UNDO)
UNDONE = (State.REVERSED, None)


@pytest.mark.parametrize(
    ("state", "chores"),
    [
        (OrderState.ACTIVE, {}),
        (OrderState.ACTIVE, {"Ann": WON, "Bob": LOST, "Cy": DOING}),
        (OrderState.ACTIVE, {"Ann": WON, "Bob": WON, "Cy": LOST, "Dee": DOING}),
        (OrderState.COMPLETED, {"Ann": WON, "Bob": WON, "Cy": LOST, "Dee": WON}),
        (OrderState.REVERSING, {"Ann": UNDOING, "Bob": LOST, "Cy": LOST, "Dee": LOST}),
        (OrderState.FAILED, {"Ann": UNDONE, "Bob": LOST, "Cy": LOST, "Dee": LOST}),
        (OrderState.FAILED, {"Ann": UNDONE, "Bob": WON, "Cy": LOST, "Dee": LOST}),
    ],
)
def test_nothing_is_wrong_with_an_order_that_stands_as_its_flow_says(state, chores):
    assert judged(an_order(state), the_tasks(**chores)) == []


@pytest.mark.parametrize(
    ("state", "chores", "wrong"),
    [
        (
            OrderState.COMPLETED,
            {"Ann": WON, "Bob": LOST, "Cy": LOST, "Dee": WON},
            ("outcome", "it is COMPLETED, and 2 of its tasks succeeded"),
        ),
        (
            OrderState.FAILED,
            {"Ann": WON, "Bob": LOST, "Cy": LOST, "Dee": LOST},
            ("outcome", "it is FAILED, and 1 of its tasks succeeded"),
        ),
        (
            OrderState.COMPLETED,
            {"Ann": WON, "Bob": WON, "Cy": WON, "Dee": WON},
            ("one_success", "2 tasks succeeded: task-1, task-2"),
        ),
        (
            OrderState.ACTIVE,
            {"Ann": WON, "Bob": DOING, "Cy": DOING},
            ("one_turn", "2 of its tasks have their turn, not 1"),
        ),
        (
            OrderState.ACTIVE,
            {"Ann": WON, "Dee": DOING},
            ("one_turn", "task task-3 began before shop was won"),
        ),
        (
            OrderState.ACTIVE,
            {"Bob": IDLE, "Cy": DOING},
            ("one_turn", "task task-1 was passed over while it is PENDING"),
        ),
        (
            OrderState.ACTIVE,
            {"Ann": IDLE, "Bob": IDLE},
            ("one_turn", "0 of its tasks have their turn, not 1"),
        ),
        (
            OrderState.ACTIVE,
            {"Ann": (State.PENDING, None)},
            ("nobody_forgotten", "it is PENDING and waits for nothing"),
        ),
        (
            OrderState.ACTIVE,
            {"Ann": (State.SUCCEEDED, DO)},
            ("nobody_forgotten", "it is SUCCEEDED and waits for do"),
        ),
        (
            OrderState.FAILED,
            {"Ann": UNDOING, "Bob": LOST, "Cy": LOST, "Dee": LOST},
            ("outcome", "it is FAILED, and task task-0 is REVERSING"),
        ),
    ],
)
def test_what_stands_otherwise_offends(state, chores, wrong):
    assert wrong in judged(an_order(state), the_tasks(**chores))


TURNED_BACK = {"Bob": LOST, "Cy": LOST, "Dee": LOST}


def test_what_its_table_lets_nobody_undo_stands_and_the_order_ends():
    ann, *others = the_tasks(Ann=WON, **TURNED_BACK)
    wrong = ("outcome", "it is FAILED, and 1 of its tasks succeeded")

    stands = [ann._replace(code=STANDS), *others]

    assert judged(an_order(OrderState.FAILED), stands) == []
    assert judged(an_order(OrderState.FAILED), [ann, *others]) == [wrong]


@pytest.mark.parametrize("flow", [CHORES, NO_RETURN], ids=["return", "no return"])
def test_what_has_no_undo_stays_won_but_not_past_a_point_of_no_return(flow):
    undone = {"Ann": UNDONE, "Bob": WON, "Cy": LOST, "Dee": WON}
    gone = an_order(OrderState.CANCELLED, cancel_requested=True)

    found = judged(gone, the_tasks(**undone), rules=rules_of(flow))

    late = ("outcome", "it is CANCELLED, and 2 of its tasks succeeded")
    assert found == ([] if flow is CHORES else [late])


def test_an_order_that_has_passed_its_point_of_no_return_is_completed():
    won = the_tasks(Ann=WON, Bob=WON, Cy=LOST, Dee=WON)
    rules = rules_of(NO_RETURN)

    for state in (OrderState.FAILED, OrderState.CANCELLED, OrderState.REVERSING):
        given_up = an_order(state, cancel_requested=True)
        what = f"it is {state}, and 3 of its tasks succeeded"
        assert ("outcome", what) in judged(given_up, won, rules=rules)
    assert judged(an_order(OrderState.COMPLETED), won, rules=rules) == []


def test_nothing_begins_before_what_its_steps_need_is_loaded():
    rules = rules_of(LOADS)
    waits = an_order(waiting_for=EngineWait.LOAD, wake_at=NOW)
    asleep = an_order(waiting_for=EngineWait.LOAD, wake_at=None)

    assert judged(waits, the_tasks(Ann=IDLE, Bob=IDLE), rules=rules) == []
    assert judged(waits, the_tasks(Ann=IDLE), rules=rules) == [
        (
            "one_turn",
            "1 of its tasks have their turn, not 0: what they need is not there",
        )
    ]
    assert judged(asleep, the_tasks(Ann=IDLE, Bob=IDLE), rules=rules) == [
        ("nobody_forgotten", "it waits for what its steps need and nothing wakes it")
    ]


def _no_is_an_answer(_queue, state, _last):
    """End well also where nobody washes."""
    lost = state is OrderState.FAILED
    return Ending(state=OrderState.COMPLETED if lost else state)


def test_an_order_ends_with_the_word_that_its_flow_has_for_it():
    asked = Flow(
        kind=CHORES.kind,
        version=CHORES.version,
        steps=(StepSpec(name="wash", lifecycle="wash"),),
        outcome=_no_is_an_answer,
    )
    ann = the_tasks(Ann=LOST)[:1]

    def found(state):
        return judged(an_order(state), ann, rules=rules_of(asked))

    assert found(OrderState.COMPLETED) == []
    assert found(OrderState.FAILED) == [
        ("outcome", "it is FAILED, and 0 of its tasks succeeded")
    ]


def asleep():
    """Return the rows of tasks of which nothing wakes the first."""
    first, *others = the_tasks()
    return [first._replace(wake_at=None), *others]


def bringing(**brought):
    """Return the rules of the house, where those who wash bring something else."""
    wash = replace(chores.LIFECYCLES["wash"], **brought)
    return Rules({**HOUSE.lifecycles, "wash": wash}, HOUSE.flows)


def test_what_nothing_wakes_is_forgotten_unless_its_timer_lets_it_sleep():
    open_ended = bringing(timers={DO: Timer(subject="x", open_ended=True)})

    assert judged(an_order(), asleep()) == [
        ("nobody_forgotten", "it waits for do and nothing wakes it")
    ]
    assert judged(an_order(), asleep(), rules=open_ended) == []


def test_an_end_that_core_was_not_told_of_offends():
    chores = {"Ann": WON, "Bob": WON, "Cy": LOST, "Dee": WON}
    over = an_order(OrderState.COMPLETED, wake_at=None)

    (wrong,) = judged(over, the_tasks(**chores))

    assert wrong == ("nobody_forgotten", "it is COMPLETED and core was never told")


def _nobody_washes(order, tasks, stories) -> Iterator[Offence]:
    del stories
    for task in tasks:
        if task.waiting_for == DO:
            yield Offence(Invariant.VERDICT, order.queue_id, task.task_id, "no water")


def going_by(name, *others, invariants=()):
    """Return rules in which who shops may go by others, and what they then bring."""
    wash, shop, cook = CHORES.steps
    steps = (wash, replace(shop, others=others), cook)
    other = replace(chores.LIFECYCLES["wash"], name=name, invariants=invariants)
    flow = replace(CHORES, steps=steps)
    lifecycles = {name: other, **HOUSE.lifecycles}
    return Rules(lifecycles, {**HOUSE.flows, (flow.kind, flow.version): flow})


def by_another(name="order online"):
    """Return the rows of tasks of which the one that is at work goes by another."""
    rows = the_tasks(Bob=(State.EXECUTING, DO))
    return [r._replace(lifecycle=name) if r.name == "Bob" else r for r in rows]


def test_a_task_may_go_by_another_lifecycle_where_its_step_says_so():
    name = "order online"

    assert judged(an_order(), by_another(), rules=going_by(name, name)) == []
    assert judged(an_order(), by_another(), rules=going_by(name)) == [
        ("legality", "no step 1 of its flow goes by 'order online'")
    ]


def test_a_task_is_judged_by_what_its_own_lifecycle_brings():
    name = "order online"
    rules = going_by(name, name, invariants=(_nobody_washes,))

    # Ann is at work too, and goes by what brings nothing.
    assert judged(an_order(), by_another(), rules=rules) == [("verdict", "no water")]


def test_an_order_ends_by_the_lifecycle_that_each_task_goes_by():
    """A word that its own lifecycle knows and the step's does not is none of a lie."""
    rules = going_by("payout", "payout")
    waits = {"waiting_for": "return", "wake_at": NOW, "verdict": "paid"}
    rows = [
        row._replace(lifecycle="payout", **waits) if row.name == "Bob" else row
        for row in the_tasks(Ann=WON, Bob=WON, Cy=LOST, Dee=WON)
    ]

    assert judged(an_order(OrderState.COMPLETED), rows, rules=rules) == []


def test_what_a_lifecycle_brings_is_judged_with_what_holds_for_all():
    rules = bringing(invariants=(_nobody_washes,))

    assert judged(an_order(), the_tasks(), rules=rules) == [("verdict", "no water")]
    assert [o.what for o in standing(an_order(), the_tasks(), rules)] == ["no water"]
    assert judged(an_order(), the_tasks()) == []


def a_line(entity, version, move, trigger):
    source, target = move
    made: Any = dict.fromkeys(Line._fields)
    made |= {"entity_id": entity, "version": version, "queue_id": "queue"}
    told = {"source": source, "target": target, "trigger": trigger, "actor": "system"}
    return Line(**{**made, **told, "at": NOW, "detail": {}, "hash": b"", "key_id": ""})


def a_trail(entity, *moves):
    task = None if entity == "queue" else entity
    trail = Trail(entity_id=entity, queue_id="queue", task_id=task)
    for n, (move, trigger) in enumerate(moves, 1):
        trail.follow(a_line(entity, n, move, trigger))
    return trail


def illegal(order, trail, rules=HOUSE):
    found = order_offences(order, the_tasks(), {trail.entity_id: trail}, rules)
    return [o.what for o in found if o.invariant is Invariant.LEGALITY]


def test_a_task_moves_by_the_table_of_its_own_lifecycle():
    begun = ((None, "EXECUTING"), "order.requested")
    own = a_trail("task-0", begun, (("EXECUTING", "SUCCEEDED"), Chore.DONE))
    foreign = a_trail("task-0", begun, (("EXECUTING", "EXECUTING"), Trigger.HELD))

    assert illegal(an_order(), own) == []
    assert illegal(an_order(), foreign) == [
        "version 2: EXECUTING → EXECUTING by provider.held is no legal move"
    ]


TURNS_BACK = (
    ((None, "ACTIVE"), "order.requested"),
    (("ACTIVE", "ACTIVE"), "step.ended"),
    (("ACTIVE", "REVERSING"), "order.reversing"),
    (("REVERSING", "REVERSING"), "step.ended"),
    (("REVERSING", "FAILED"), "order.failed"),
)


@pytest.mark.parametrize(
    ("flow", "legal"), [(CHORES, False), (LOADS, True)], ids=["has all", "loads"]
)
def test_only_an_order_that_loads_tells_of_that(flow, legal):
    begun = ((None, "ACTIVE"), "order.requested")
    trail = a_trail("queue", begun, (("ACTIVE", "ACTIVE"), "order.loaded"))

    said = (
        [] if legal else ["version 2: ACTIVE → ACTIVE by order.loaded is no legal move"]
    )
    assert illegal(an_order(), trail, rules_of(flow)) == said


def test_an_order_of_several_steps_joins_and_turns_back_and_one_of_one_does_not():
    trail = a_trail("queue", *TURNS_BACK)

    assert illegal(an_order(), trail) == []
    several = illegal(an_order(flow_version=1), trail)
    assert [what for what in several if "legal" in what] == [
        f"version {n}: {source} → {target} by {trigger} is no legal move"
        for n, ((source, target), trigger) in enumerate(TURNS_BACK, 1)
        if n > 1
    ]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"lifecycle": "other"}, "no step 0 of its flow goes by 'other'"),
        ({"lifecycle": "payout"}, "no step 0 of its flow goes by 'payout'"),
        ({"step": 7}, "no step 7 of its flow goes by 'wash'"),
        ({"lifecycle": "work"}, "no step 0 of its flow goes by 'work'"),
        (
            {"state": "ASLEEP"},
            "no wash is ASLEEP, waits for do and has the verdict None",
        ),
        (
            {"waiting_for": "freeze"},
            "no wash is EXECUTING, waits for freeze and has the verdict None",
        ),
    ],
)
def test_nobody_escapes_by_naming_another_lifecycle(change, what):
    first, *others = the_tasks()

    found = judged(an_order(), [first._replace(**change), *others])

    assert found == [("legality", what)]


def test_an_order_of_a_flow_that_nobody_knows_offends_by_that():
    (found,) = judged(an_order(flow_version=77), the_tasks())

    assert found == ("legality", "no flow 'withdrawal' of version 77 is known here")
