"""The one rule of all flows, on a flow of its own, however workers interleave."""

from dataclasses import dataclass
from itertools import product

import pytest

from fsm.engine import decide as decisions
from fsm.engine import graph
from fsm.engine.decide import cancel_order, decide
from fsm.engine.flow import Flow, Rules, StepSpec
from fsm.engine.records import replace
from fsm.engine.rows import Queue
from fsm.engine.steps import Announced, Event, Known, Step
from fsm.engine.words import EngineTrigger, OrderState, State
from tests.fsm.chores import CHORES, HELPERS, NOW, Chore, ChoreWait
from tests.model.households import (
    ALTERNATIVES_FIRST,
    ALTERNATIVES_LAST,
    AT_ONCE,
    IN_TURN,
)
from tests.world.household import an_order, rules_of

DONE, REFUSED, UNDONE = Chore.DONE, Chore.REFUSED, Chore.UNDONE
HOUSE = rules_of()
WISH = Event(trigger=EngineTrigger.CANCEL_REQUESTED)


def said(queue, position, trigger, rules=HOUSE):
    task_id = queue.tasks[position].task_id
    event = Event(trigger=trigger)
    return decide(queue, task_id, event, rules=rules, terms_of=lambda _: None, now=NOW)


def after(queue, *events, rules=HOUSE):
    for position, trigger in events:
        step = said(queue, position, trigger, rules)
        assert isinstance(step, Step), (position, trigger)
        queue = step.after
    return queue


def given_up(queue, rules=HOUSE):
    return cancel_order(queue, WISH, rules=rules, terms_of=lambda _: None, now=NOW)


def due(queue):
    return [t.position for t in queue.tasks if t.due(NOW)]


def states(queue):
    return [t.state.value for t in queue.tasks]


def test_steps_that_wait_for_nothing_start_at_once():
    assert due(an_order()) == [0, 1]


def test_a_step_starts_once_all_that_it_comes_after_is_won():
    queue = after(an_order(), (0, DONE))
    assert due(queue) == [1]

    assert due(after(queue, (1, DONE))) == [3]


def test_a_next_alternative_is_tried_where_one_is_refused():
    assert due(after(an_order(), (1, REFUSED))) == [0, 2]


def test_alternatives_of_a_step_that_is_won_are_spared():
    queue = after(an_order(), (1, DONE))

    assert queue.tasks[2].state is State.SKIPPED


def test_an_order_whose_steps_are_all_won_is_completed():
    queue = after(an_order(), (0, DONE), (1, DONE), (3, DONE))

    assert queue.state is OrderState.COMPLETED
    assert queue.due(NOW)


def test_what_was_won_is_undone_where_a_step_is_lost():
    queue = after(an_order(), (0, DONE), (1, REFUSED), (2, REFUSED))

    assert queue.state is OrderState.REVERSING
    assert queue.tasks[0].waiting_for is ChoreWait.UNDO
    assert states(queue) == ["REVERSING", "SKIPPED", "SKIPPED", "SKIPPED"]

    step = said(queue, 0, UNDONE)
    assert step.after.state is OrderState.FAILED
    assert states(step.after)[0] == "REVERSED"
    assert [a.type for a in step.announcements] == [Announced.FAILED]


def test_what_is_won_after_the_order_has_turned_back_is_undone_by_that_very_step():
    rules = rules_of(AT_ONCE)
    order = an_order(AT_ONCE, ALTERNATIVES_LAST)
    queue = after(order, (0, REFUSED), rules=rules)
    assert (queue.state, due(queue)) == (OrderState.REVERSING, [1])

    step = said(queue, 1, DONE, rules)

    (change,) = step.changes
    assert (change.before.state, change.after.state) == ("EXECUTING", "REVERSING")
    assert change.after.version == change.before.version + 1
    assert after(step.after, (1, UNDONE), rules=rules).state is OrderState.FAILED


def test_who_listens_is_told_that_the_order_has_turned_back():
    queue = after(an_order(), (1, REFUSED), (2, REFUSED))

    assert queue.tasks[0].waiting_for is ChoreWait.UNDO
    assert after(queue, (0, UNDONE)).state is OrderState.FAILED


def at_the_last_step():
    """Return an order that is given up while its step of no return is under way."""
    order = an_order(IN_TURN, ALTERNATIVES_LAST)
    rules = rules_of(IN_TURN)
    return given_up(after(order, (0, DONE), (1, DONE), rules=rules), rules).after


def test_an_order_past_its_point_of_no_return_has_won_whoever_gives_it_up():
    queue = after(at_the_last_step(), (2, DONE), rules=rules_of(IN_TURN))

    assert queue.state is OrderState.COMPLETED
    assert states(queue) == ["SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "CANCELLED"]


def test_it_has_not_turned_back_before_that_is_known():
    queue = at_the_last_step()
    assert (queue.state, due(queue)) == (OrderState.ACTIVE, [2])

    turned = after(queue, (2, REFUSED), rules=rules_of(IN_TURN))

    assert (turned.state, due(turned)) == (OrderState.REVERSING, [1])


def test_what_a_person_has_found_to_stand_is_not_undone_again():
    rules = rules_of(IN_TURN)
    order = an_order(IN_TURN, ALTERNATIVES_FIRST)
    lost = after(order, (0, DONE), (2, DONE), (3, REFUSED), rules=rules)

    queue = after(
        lost, (2, Chore.KEPT), (2, EngineTrigger.RESOLVED_POSITIVE), rules=rules
    )

    assert queue.tasks[2].state is State.SUCCEEDED
    assert due(queue) == [0]


def test_what_cannot_be_undone_stands():
    queue = after(an_order(), (0, DONE), (1, DONE), (3, REFUSED))

    assert states(after(queue, (0, UNDONE))) == [
        "REVERSED",
        "SUCCEEDED",
        "SKIPPED",
        "SKIPPED",
    ]


def test_an_order_that_is_given_up_undoes_what_it_has_won():
    queue = after(an_order(), (0, DONE))
    step = given_up(queue)

    assert step.after.state is OrderState.REVERSING
    assert due(step.after) == [1]
    ended = after(step.after, (1, REFUSED), (0, UNDONE))
    assert ended.state is OrderState.CANCELLED
    assert given_up(step.after) == Known()


def test_whatever_ends_a_task_of_several_steps_moves_the_order_too():
    step = said(an_order(), 0, DONE)

    assert step.queue.trigger == "step.ended"
    assert step.queue.after.version == step.queue.before.version + 1


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ((), "a step at least"),
        ((StepSpec(name="a", lifecycle="work", after=("b",)),), "after \\['b'\\]"),
        ((StepSpec(name="a", lifecycle="work"),) * 2, "twice"),
        (
            (
                StepSpec(name="a", lifecycle="work", point_of_no_return=True),
                StepSpec(name="b", lifecycle="work"),
            ),
            "comes after a point of no return",
        ),
        (
            (
                StepSpec(name="a", lifecycle="work"),
                StepSpec(name="b", lifecycle="work", point_of_no_return=True),
            ),
            "b' is a point of no return, and does not come after \\['a'\\]",
        ),
        (
            (StepSpec(name="a", lifecycle="wash", undo=True, point_of_no_return=True),),
            "no return, and an undo",
        ),
    ],
)
def test_a_graph_that_could_not_be_walked_is_refused(steps, says):
    with pytest.raises(ValueError, match=says):
        Flow(kind=CHORES.kind, version=1, steps=steps)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (StepSpec(name="a", lifecycle="nap"), "no lifecycle 'nap'"),
        (StepSpec(name="a", lifecycle="payout", undo=True), "'payout' has no undo"),
        (StepSpec(name="a", lifecycle="wash", others=("nap",)), "no lifecycle 'nap'"),
        (
            StepSpec(name="a", lifecycle="wash", others=("work",), undo=True),
            "'work' has no undo",
        ),
    ],
)
def test_a_step_that_its_lifecycle_cannot_do_is_refused(step, says):
    flow = Flow(kind=CHORES.kind, version=1, steps=(step,))

    with pytest.raises(ValueError, match=says):
        Rules(HOUSE.lifecycles, {(flow.kind, flow.version): flow})


# A world of its own: workers that decide on what they have loaded, some time ago, and
# commit by compare-and-set. What a helper answers is chosen once, and asked again.


@dataclass(frozen=True, slots=True)
class World:
    """The rows, and what each worker has in hand: (a picture, whose task it is on)."""

    queue: Queue
    hands: tuple[tuple[Queue, int] | None, ...]


def runs(answers, *, workers=2):
    """Return every world that can come about; ``answers`` by position of the task."""
    first = World(plain(an_order()), (None,) * workers)
    seen, todo = {first}, [first]
    while todo:
        for world in moves(todo.pop(), answers):
            if world not in seen:
                seen.add(world)
                todo.append(world)
    return seen


def moves(world, answers):
    for n, hand in enumerate(world.hands):
        if hand is None:
            for position in due(world.queue):
                yield in_hand(world, n, (world.queue, position))
        else:
            picture, position = hand
            yield in_hand(committed(world, picture, position, answers), n, None)


def in_hand(world, n, hand):
    return replace(world, hands=(*world.hands[:n], hand, *world.hands[n + 1 :]))


def committed(world, picture, position, answers):
    """Commit where the rows are those that were decided on, as the store does."""
    undoes = picture.tasks[position].waiting_for is ChoreWait.UNDO
    step = said(picture, position, UNDONE if undoes else answers[position])
    if not isinstance(step, Step):
        return world
    stale = any(c.before != world.queue.task(c.before.task_id) for c in step.changes)
    if stale or (step.queue and version_of(step.queue.before) != version_of(world)):
        return world
    moved = world.queue.with_tasks({c.after.task_id: c.after for c in step.changes})
    if step.queue:
        moved = replace(step.queue.after, tasks=moved.tasks)
    return replace(world, queue=plain(moved))


def version_of(row):
    return row.queue.version if isinstance(row, World) else row.version


def plain(queue):
    """Forget when things happened: all that is due is due."""
    tasks = tuple(replace(t, updated_at=NOW, created_at=NOW) for t in queue.tasks)
    return replace(queue, tasks=tasks)


def asleep(worlds):
    """Return orders that are not over, with nothing due and nobody at work."""
    return [
        world
        for world in worlds
        if not any(world.hands) and not world.queue.final and not due(world.queue)
    ]


EVERY = list(product((DONE, REFUSED), repeat=len(HELPERS)))


@pytest.mark.parametrize("answers", EVERY, ids=lambda a: " ".join(x.name for x in a))
def test_however_workers_interleave_every_order_comes_to_its_end(answers):
    worlds = runs(answers)
    ends = {
        (w.queue.state, tuple(states(w.queue)))
        for w in worlds
        if w.queue.final and not any(w.hands)
    }

    assert asleep(worlds) == []
    washed, shopped, cooked = answers[0], {*answers[1:3]}, answers[3]
    wins = washed is DONE and DONE in shopped and cooked is DONE
    expected = OrderState.COMPLETED if wins else OrderState.FAILED
    assert {state for state, _ in ends} == {expected}
    assert wins or {left[0] for _, left in ends} <= {"REVERSED", "SKIPPED"}


def test_without_the_join_an_order_falls_asleep(monkeypatch):
    """Two steps that end at once are two compare-and-sets on two rows."""

    def apart(*given):
        return graph.follow(*given)._replace(joins=False)

    monkeypatch.setattr(decisions, "follow", apart)

    assert asleep(runs((DONE,) * len(HELPERS)))
