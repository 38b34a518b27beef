"""The transitions library behind one pure function, ``advance``."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from transitions import Machine, MachineError

from fsm.snapshot import Plan, Task
from fsm.states import State, Trigger, Verdict, Waiting
from fsm.table import TABLE, Guard, Row


@dataclass(frozen=True, slots=True)
class Facts:
    """What guards may look at.

    ``asked_at`` is when the question was asked whose answer is weighed: what a
    worker heard long ago says nothing about a create that was sent since. ``lacking``:
    nothing was asked, for what we lack ourselves.
    """

    task: Task
    plan: Plan
    now: datetime
    asked_at: datetime | None = None
    lacking: bool = False


def _grace_is_over(facts: Facts) -> bool:
    sent = facts.task.sent_last_at
    asked = facts.asked_at or facts.now
    return sent is not None and asked >= sent + facts.plan.not_found_grace


def _key_lives(facts: Facts) -> bool:
    """True where a repeat finds the first; nothing is repeated that nobody wants."""
    sent = facts.task.sent_first_at
    return (
        facts.plan.idempotent_create
        and not facts.task.cancel_requested
        and sent is not None
        and facts.now < sent + facts.plan.key_lifetime
    )


def _may_repeat_create(facts: Facts) -> bool:
    return _key_lives(facts) and _checks_left(facts) and _grace_is_over(facts)


def _repeat_asks(facts: Facts) -> bool:
    due = _waits(facts, Waiting.RECHECK)
    return due and not _can_ask(facts) and _key_lives(facts)


def _can_ask(facts: Facts) -> bool:
    return facts.plan.can_ask(facts.task)


def _can_poll(facts: Facts) -> bool:
    return facts.plan.polls and _can_ask(facts)


def _checks_left(facts: Facts) -> bool:
    return facts.lacking or facts.task.tries + 1 < facts.plan.recheck_attempts


def _waits(facts: Facts, *waiting: Waiting) -> bool:
    return facts.task.waiting_for in waiting


def _unproven(facts: Facts) -> bool:
    return facts.task.verdict is None


def _cancelling_untimed(facts: Facts) -> bool:
    """A cancel that nobody answered may be true: no webhook need ever come."""
    task = facts.task
    timed = task.sla_at is not None or task.deadline_at is not None
    return _unproven(facts) and _waits(facts, Waiting.CANCEL) and not timed


def _returnable(facts: Facts) -> bool:
    """True where the provider's return came in time, and core knows nothing of it."""
    task, finality = facts.task, facts.plan.finality
    if task.returned or task.waiting_for is not None or finality is None:
        return False
    succeeded_at = task.updated_at or facts.now
    return (facts.asked_at or facts.now) <= succeeded_at + finality


def _decidable(facts: Facts) -> bool:
    return _waits(facts, Waiting.DECISION)


def _core_refused(facts: Facts) -> bool:
    return _decidable(facts) and not _unproven(facts)


def _no_is_known(facts: Facts) -> bool:
    return _decidable(facts) and facts.task.verdict is Verdict.NOT_PAID


def _asking(facts: Facts) -> bool:
    return _waits(facts, Waiting.LAST_QUESTION)


def _asked_enough(facts: Facts) -> bool:
    spent = facts.task.tries >= facts.plan.recheck_attempts
    return _asking(facts) and (spent or not _can_ask(facts))


def _never_sent(facts: Facts) -> bool:
    return _unproven(facts) and not facts.task.taken


GUARDS: Final[dict[Guard, Callable[[Facts], bool]]] = {
    Guard.BEFORE_TURN: lambda f: _waits(f, Waiting.TURN),
    Guard.FREEZE_DUE: lambda f: _waits(f, Waiting.FREEZE),
    Guard.FREEZE_UNWANTED: lambda f: (
        _waits(f, Waiting.FREEZE) and f.task.cancel_requested
    ),
    Guard.ROLLBACK_DUE: lambda f: _waits(f, Waiting.ROLLBACK),
    Guard.ROLLBACK_CANCELS: lambda f: (
        _waits(f, Waiting.ROLLBACK) and f.task.cancel_requested
    ),
    Guard.ROLLBACK_FAILS: lambda f: _waits(f, Waiting.ROLLBACK) and f.task.taken,
    Guard.UNSENT: lambda f: _waits(f, Waiting.CREATE_RETRY),
    Guard.SENDING: lambda f: _waits(f, Waiting.CREATE),
    Guard.NEVER_SENT: _never_sent,
    Guard.UNSENT_AGAIN: lambda f: (
        _never_sent(f) and _checks_left(f) and not f.task.cancel_requested
    ),
    Guard.WEIGHING: lambda f: _waits(f, Waiting.WEIGHING),
    Guard.UNPROVEN: _unproven,
    Guard.COMMIT_DUE: lambda f: (
        _waits(f, Waiting.COMMIT) and f.task.verdict is Verdict.PAID
    ),
    Guard.CANCEL_WISHED: lambda f: _unproven(f) and f.task.cancel_requested,
    Guard.AWAITED: lambda f: _unproven(f) and _waits(f, Waiting.WEBHOOK),
    Guard.POLLS: lambda f: _unproven(f) and _waits(f, Waiting.WEBHOOK) and _can_poll(f),
    Guard.POLLING: lambda f: _unproven(f) and _waits(f, Waiting.POLL),
    Guard.CANCELLING: lambda f: _unproven(f) and _waits(f, Waiting.CANCEL),
    Guard.CANCELLING_AGAIN: lambda f: (
        _unproven(f) and _waits(f, Waiting.CANCEL) and _checks_left(f)
    ),
    Guard.CANCELLING_POLLED: lambda f: _cancelling_untimed(f) and _can_poll(f),
    Guard.CANCELLING_UNTIMED: _cancelling_untimed,
    Guard.MAY_REPEAT_CREATE: _may_repeat_create,
    Guard.REPEAT_ASKS: _repeat_asks,
    Guard.ABSENCE_IS_PROOF: lambda f: f.plan.not_found_definite and _grace_is_over(f),
    Guard.CHECKS_LEFT: _checks_left,
    Guard.DECIDABLE: _decidable,
    Guard.UNDECIDED: lambda f: _decidable(f) and f.task.proposed_by is None,
    Guard.PROPOSED: lambda f: f.task.proposed_by is not None,
    Guard.ASKING: _asking,
    Guard.ASKED_LATE: lambda f: _asking(f) and _grace_is_over(f),
    Guard.ASKED_ENOUGH: _asked_enough,
    Guard.CORE_REFUSED: _core_refused,
    Guard.NO_IS_KNOWN: _no_is_known,
    Guard.RETURNABLE: _returnable,
    Guard.RETURN_UNPROPOSED: lambda f: _returnable(f) and f.task.proposed_by is None,
    Guard.RETURN_SETTLES: lambda f: _returnable(f) and f.plan.settles_returns,
    Guard.RETURN_DUE: lambda f: _waits(f, Waiting.RETURN),
    Guard.UNRETURNED: lambda f: not f.task.returned,
}


class _Fires:
    """The condition of a row, as the library asks for it."""

    def __init__(self, row: Row) -> None:
        self.row = row

    def __call__(self, event: Any) -> bool:  # noqa: ANN401 - the library's own event
        guard = self.row.when
        if guard is not None and not GUARDS[guard](event.kwargs["facts"]):
            return False
        event.model.row = self.row
        return True


def _build() -> Machine:
    machine = Machine(
        model=None,
        states=[state.value for state in State],
        initial=None,
        auto_transitions=False,
        send_event=True,
    )
    for row in TABLE:
        machine.add_transition(
            row.trigger.value,
            row.source.value,
            row.dest.value,
            conditions=_Fires(row),
        )
    return machine


def _ways() -> dict[tuple[Trigger, State], tuple[Row, ...]]:
    """Return what the library would try, in its order."""
    return {
        (Trigger(name), State(source)): tuple(
            condition.func.row
            for way in ways
            for condition in way.conditions
            if isinstance(condition.func, _Fires)
        )
        for name, event in _MACHINE.events.items()
        for source, ways in event.transitions.items()
    }


_MACHINE: Final = _build()
_WAYS: Final = _ways()


def advance(facts: Facts, trigger: Trigger) -> Row | None:
    """Return the row of the table that fires, or None where none does.

    It walks what the library has built. The library's own event, which a test holds
    against this, takes thirty times as long: a sixteenth of a worker's time.
    """
    for row in _WAYS.get((trigger, facts.task.state), ()):
        if row.when is None or GUARDS[row.when](facts):
            return row
    return None


class _Cursor:
    """A throwaway model: the machine keeps no reference to it."""

    def __init__(self, state: State) -> None:
        self.state = state.value
        self.row: Row | None = None


def fired(facts: Facts, trigger: Trigger) -> Row | None:
    """Return the row that the library itself fires: what ``advance`` is held to."""
    cursor = _Cursor(facts.task.state)
    event = _MACHINE.events.get(trigger.value)
    if event is None:
        return None
    try:
        moved = event.trigger(cursor, facts=facts)
    except MachineError:
        return None
    return cursor.row if moved else None
