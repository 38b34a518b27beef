"""Bugs in what carries a checkout out: lifecycles, calls, the rule they go by."""

from collections.abc import Callable
from typing import Any

import pytest

from fsm.engine import graph
from fsm.engine.records import replace
from fsm.engine.steps import Event
from fsm.engine.table import Row
from fsm.engine.words import EngineTrigger, OrderState, State
from fsm.service import guards
from fsm.service.lifecycle import CHECK, PIVOT, SERVICE
from fsm.service.table import ServiceGuard
from fsm.service.words import ServiceWait, StepTrigger
from handlers.checkout import calls
from handlers.claims import Claims
from tests.planted import flows

Plant = Callable[[pytest.MonkeyPatch], None]


def fires(patch: pytest.MonkeyPatch, lifecycle: Any, *rows: Row) -> None:
    """Have these rows fire, and no others, where the first of them does."""
    first = rows[0]
    patch.setitem(lifecycle.ways, (first.trigger, first.source), rows)


def silence_is_a_yes(patch: pytest.MonkeyPatch) -> None:
    fires(
        patch,
        SERVICE,
        Row(StepTrigger.UNCLEAR, State.EXECUTING, State.SUCCEEDED, None),
    )


def silence_is_a_no(patch: pytest.MonkeyPatch) -> None:
    fires(
        patch, SERVICE, Row(StepTrigger.UNCLEAR, State.EXECUTING, State.SKIPPED, None)
    )


def what_may_be_done_is_left_out(patch: pytest.MonkeyPatch) -> None:
    fires(
        patch, SERVICE, Row(StepTrigger.GIVEN_UP, State.EXECUTING, State.SKIPPED, None)
    )


def a_late_success_is_left_alone(patch: pytest.MonkeyPatch) -> None:
    """Once it is told that the order turns back nobody asks, or undoes it."""
    for trigger in (EngineTrigger.TURNED_BACK, EngineTrigger.CANCEL_REQUESTED):
        fires(patch, SERVICE, Row(trigger, State.EXECUTING, State.SKIPPED, None))


def not_known_is_a_no(patch: pytest.MonkeyPatch) -> None:
    """What is not known yet may land: it is left out instead of undone."""
    fires(
        patch,
        SERVICE,
        Row(StepTrigger.NOT_KNOWN, State.EXECUTING, State.SKIPPED, None),
    )


def undone_before_it_is_asked_about(patch: pytest.MonkeyPatch) -> None:
    fires(
        patch,
        SERVICE,
        Row(
            EngineTrigger.TURNED_BACK,
            State.EXECUTING,
            State.REVERSING,
            ServiceWait.UNDO,
        ),
    )


def an_undo_without_an_answer_is_done(patch: pytest.MonkeyPatch) -> None:
    fires(
        patch, SERVICE, Row(StepTrigger.UNCLEAR, State.REVERSING, State.REVERSED, None)
    )


def a_refused_undo_is_done(patch: pytest.MonkeyPatch) -> None:
    fires(
        patch,
        SERVICE,
        Row(StepTrigger.UNDO_REFUSED, State.REVERSING, State.REVERSED, None),
    )


def what_stands_is_undone_again(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(guards.GUARDS, ServiceGuard.LOOSE, lambda _: True)


def a_default_holds_for_what_can_be_undone(patch: pytest.MonkeyPatch) -> None:
    fires(
        patch,
        SERVICE,
        Row(StepTrigger.DEFAULTED, State.EXECUTING, State.SUCCEEDED, None),
    )


def a_default_is_a_failure(patch: pytest.MonkeyPatch) -> None:
    fires(patch, CHECK, Row(StepTrigger.DEFAULTED, State.EXECUTING, State.FAILED, None))


def the_pivot_is_guessed(patch: pytest.MonkeyPatch) -> None:
    fires(patch, PIVOT, Row(StepTrigger.GIVEN_UP, State.EXECUTING, State.FAILED, None))


def the_pivot_is_given_up_while_it_may_be_done(patch: pytest.MonkeyPatch) -> None:
    wish = EngineTrigger.CANCEL_REQUESTED
    fires(patch, PIVOT, Row(wish, State.EXECUTING, State.SKIPPED, None))


def nobody_claims_a_do(patch: pytest.MonkeyPatch) -> None:
    """Whoever finds a do sends it: that nothing was ever sent is believed of him."""
    patch.setattr(Claims, "claims", lambda *_: True)


def the_order_waits_for_what_was_told(patch: pytest.MonkeyPatch) -> None:
    """What stops as it is told that the order turns back ends nothing: limbo."""
    real = graph._turned_back

    def turned_back(queue: Any, *given: Any, **how: Any) -> Any:
        followed = real(queue, *given, **how)
        told = {
            c.after.task_id
            for c in followed.changes
            if c.trigger == EngineTrigger.TURNED_BACK.value and c.after.final
        }
        if told and followed.state not in {None, OrderState.REVERSING}:
            return replace(followed, state=OrderState.REVERSING)
        return followed

    patch.setattr(graph, "_turned_back", turned_back)


def a_sleeper_sends_all_the_same(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calls, "check_awake", lambda *_: None)


def hears(heard: StepTrigger, state: State, taken_for: StepTrigger) -> Plant:
    """Take one answer of a service for another, in that state: a move that is legal."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        real = calls.event_of

        def wrong(answer: Any, task: Any) -> Any:
            event = real(answer, task)
            if task.state is state and event.trigger is heard:
                return replace(event, trigger=taken_for)
            return event

        patch.setattr(calls, "event_of", wrong)

    return plant


def an_undo_is_never_sent(patch: pytest.MonkeyPatch) -> None:
    async def undo(_order: Any, task: Any, *_: Any) -> Event:
        return Event(trigger=StepTrigger.UNDONE, actor=f"service:{task.name}")

    patch.setattr(calls, "_undo", undo)


def a_services_code_is_ours(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calls, "as_theirs", lambda code, _: code)


def both_ends_do_not_meet(patch: pytest.MonkeyPatch) -> None:
    """The merchant is never asked: each decides while the other still runs."""
    flows.steps_end_apart(patch)


def the_first_is_undone_first(patch: pytest.MonkeyPatch) -> None:
    flows.undone_first_first(patch)


def the_merchants_no_is_a_persons(patch: pytest.MonkeyPatch) -> None:
    """A person's no turns the order back, and nobody asks who may have accepted."""
    no = EngineTrigger.RESOLVED_NEGATIVE
    fires(patch, PIVOT, Row(no, State.MANUAL_CHECK, State.FAILED, None))
