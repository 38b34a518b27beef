"""The transitions library behind one pure function, ``advance``, for any table."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeAlias

from transitions import Machine, MachineError

from fsm.engine.table import Facts, Row
from fsm.engine.words import State

Built: TypeAlias = Machine
"""What the library has built of a table."""
Guards: TypeAlias = Mapping[StrEnum, Callable[[Facts[Any]], bool]]
"""guard -> its answer from the facts."""
Ways: TypeAlias = Mapping[tuple[StrEnum, State], tuple[Row, ...]]
"""(trigger, source) -> the rows to try, in order."""


class _Fires:
    """The condition of a row, as the library asks for it."""

    def __init__(self, row: Row, guards: Guards) -> None:
        self.row = row
        self._guards = guards

    def __call__(self, event: Any) -> bool:  # noqa: ANN401 - the library's own event
        guard = self.row.when
        if guard is not None and not self._guards[guard](event.kwargs["facts"]):
            return False
        event.model.row = self.row
        return True


def built(table: Iterable[Row], guards: Guards) -> Built:
    """Return the library's machine for a table; it keeps no model."""
    machine = Machine(
        model=None,
        states=[state.value for state in State],
        initial=None,
        auto_transitions=False,
        send_event=True,
    )
    for row in table:
        machine.add_transition(
            row.trigger.value,
            row.source.value,
            row.dest.value,
            conditions=_Fires(row, guards),
        )
    return machine


def ways_of(machine: Built, triggers: Iterable[StrEnum]) -> Ways:
    """Return what the library would try, in its order."""
    words = {trigger.value: trigger for trigger in triggers}
    return {
        (words[name], State(source)): tuple(
            condition.func.row
            for way in ways
            for condition in way.conditions
            if isinstance(condition.func, _Fires)
        )
        for name, event in machine.events.items()
        for source, ways in event.transitions.items()
    }


def advance(
    ways: Ways, guards: Guards, facts: Facts[Any], trigger: StrEnum
) -> Row | None:
    """Return the row of the table that fires, or None where none does.

    It walks what the library has built. The library's own event, which a test holds
    against this, takes thirty times as long: a sixteenth of a worker's time.
    """
    for row in ways.get((trigger, facts.task.state), ()):
        if row.when is None or guards[row.when](facts):
            return row
    return None


class _Cursor:
    """A throwaway model: the machine keeps no reference to it."""

    def __init__(self, state: State) -> None:
        self.state = state.value
        self.row: Row | None = None


def fired(machine: Built, facts: Facts[Any], trigger: StrEnum) -> Row | None:
    """Return the row that the library itself fires: what ``advance`` is held to."""
    cursor = _Cursor(facts.task.state)
    event = machine.events.get(trigger.value)
    if event is None:
        return None
    try:
        moved = event.trigger(cursor, facts=facts)
    except MachineError:
        return None
    return cursor.row if moved else None
