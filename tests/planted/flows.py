"""Bugs in the one rule of all flows, which the engine's own world has to find."""

from typing import Any

import pytest

from fsm.engine import decide as decisions
from fsm.engine import graph
from fsm.engine.records import replace
from fsm.engine.table import Row
from fsm.engine.words import EngineTrigger, OrderState, State
from tests.fsm.chores import LIFECYCLES, Chore


def steps_end_apart(patch: pytest.MonkeyPatch) -> None:
    real = graph.follow

    def follow(*given: Any) -> graph.Followed:
        return real(*given)._replace(joins=False)

    patch.setattr(decisions, "follow", follow)


def undone_first_first(patch: pytest.MonkeyPatch) -> None:
    real = graph._last_won
    patch.setattr(graph, "_last_won", lambda steps, *more: real(steps[::-1], *more))


def silence_is_a_no(patch: pytest.MonkeyPatch) -> None:
    ways: Any = LIFECYCLES["work"].ways
    taken_for = Row(Chore.UNCLEAR, State.EXECUTING, State.SKIPPED, None)
    patch.setitem(ways, (Chore.UNCLEAR, State.EXECUTING), (taken_for,))


def nothing_is_waited_for(patch: pytest.MonkeyPatch) -> None:
    real = graph._by_step

    def by_step(*given: Any) -> graph.Steps:
        return [(replace(spec, after=()), tasks) for spec, tasks in real(*given)]

    patch.setattr(graph, "_by_step", by_step)


def one_of_many_is_waited_for(patch: pytest.MonkeyPatch) -> None:
    real = graph._by_step

    def by_step(*given: Any) -> graph.Steps:
        return [(replace(s, after=s.after[:1]), tasks) for s, tasks in real(*given)]

    patch.setattr(graph, "_by_step", by_step)


def alternatives_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        graph, "_next_of", lambda tasks: [t for t in tasks if graph._has_no_turn(t)][:1]
    )


def late_success_stands(patch: pytest.MonkeyPatch) -> None:
    real = graph._turned_back

    def turned_back(
        queue: Any, steps: Any, changes: Any, *more: Any, **how: Any
    ) -> Any:
        late = queue.state is OrderState.REVERSING and any(
            change.after.state is State.SUCCEEDED for change in changes
        )
        if late and not any(graph._at_work(task) for task in queue.tasks):
            return graph.Followed((*changes,), OrderState.FAILED, joins=True)
        return real(queue, steps, changes, *more, **how)

    patch.setattr(graph, "_turned_back", turned_back)


def turns_back_while_it_works(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(graph, "_at_work", lambda _: False)


def no_point_is_of_no_return(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(graph, "_has_passed", lambda _: False)


def turned_back_before_it_is_known(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(graph, "_may_pass", lambda _: False)


def what_stands_is_undone(patch: pytest.MonkeyPatch) -> None:
    real = graph._fires

    def fires(task: Any, trigger: Any, *more: Any) -> Any:
        due = trigger is EngineTrigger.UNDO_DUE
        return due or real(task, trigger, *more)

    patch.setattr(graph, "_fires", fires)


def the_rest_waits_while_it_turns_back(patch: pytest.MonkeyPatch) -> None:
    """Only at its end is what had no turn left out: its outcome is right all along."""
    real = graph._turned_back

    def turned_back(*given: Any, **how: Any) -> Any:
        followed = real(*given, **how)
        if followed.state not in {None, OrderState.REVERSING}:
            return followed
        spared = EngineTrigger.NOT_NEEDED.value
        left = tuple(c for c in followed.changes if c.trigger != spared)
        return followed._replace(changes=left)

    patch.setattr(graph, "_turned_back", turned_back)


def the_won_is_not_spared(patch: pytest.MonkeyPatch) -> None:
    real = graph._gone_on

    def gone_on(*given: Any) -> Any:
        follows, state = real(*given)
        spared = EngineTrigger.NOT_NEEDED.value
        return [change for change in follows if change.trigger != spared], state

    patch.setattr(graph, "_gone_on", gone_on)
