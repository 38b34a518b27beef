"""Draws the lifecycles as Mermaid diagrams, from the table that runs them."""

from collections.abc import Iterable
from typing import Any, Final

from fsm.engine.lifecycle import Lifecycle
from fsm.engine.words import FINAL, RUNNING, OrderState, State

START: Final = "[*]"
BREAK: Final = "<br/>"

# The order's states have a rule (``fsm.engine.graph``) and no table.
ORDER_MOVES: Final = (
    (OrderState.ACTIVE, OrderState.COMPLETED, "a task has succeeded"),
    (OrderState.ACTIVE, OrderState.FAILED, "all tasks are final, none has succeeded"),
    (OrderState.ACTIVE, OrderState.CANCELLED, "likewise, with a cancel requested"),
    (OrderState.ACTIVE, OrderState.REVERSING, "of several steps one is lost"),
    (OrderState.REVERSING, OrderState.FAILED, "what was won is undone"),
    (OrderState.REVERSING, OrderState.CANCELLED, "likewise, with a cancel requested"),
)


def mermaid(lifecycles: Iterable[Lifecycle[Any]]) -> str:
    """Return all diagrams as fenced blocks of Markdown: each task's, and an order's."""
    blocks = []
    for each in lifecycles:
        blocks += [f"A task, `{each.name}`:", _fenced(task_diagram(each))]
    return "\n\n".join([*blocks, "An order:", _fenced(order_diagram())])


def task_diagram(lifecycle: Lifecycle[Any]) -> str:
    """Return the task's states; what moves a task within its state is a note."""
    moves: dict[tuple[State, State], dict[str, None]] = {}
    for row in lifecycle.table:
        moves.setdefault((row.source, row.dest), {})[row.trigger.value] = None
    between = [
        (source, dest, BREAK.join(triggers))
        for (source, dest), triggers in moves.items()
        if source is not dest
    ]
    within = {
        source: list(triggers)
        for (source, dest), triggers in moves.items()
        if source is dest
    }
    drawn = {state for move in moves for state in move}
    lines = _lines(between, first=State.PENDING, final=FINAL & drawn, every=State)
    for state in State:
        if state in within:
            lines += _note(state, within[state])
    return "\n".join(lines)


def order_diagram() -> str:
    """Return the order's states."""
    final = frozenset(OrderState) - RUNNING
    return "\n".join(
        _lines(ORDER_MOVES, first=OrderState.ACTIVE, final=final, every=OrderState)
    )


def _lines(
    moves: Iterable[tuple[str, str, str]],
    *,
    first: str,
    final: frozenset[str],
    every: Iterable[str],
) -> list[str]:
    order = [str(state) for state in every]
    ranked = sorted(moves, key=lambda m: (order.index(m[0]), order.index(m[1])))
    return [
        "stateDiagram-v2",
        f"    {START} --> {first}",
        *(f"    {source} --> {dest}: {label}" for source, dest, label in ranked),
        *(f"    {state} --> {START}" for state in order if state in final),
    ]


def _note(state: State, triggers: list[str]) -> list[str]:
    return [
        f"    note right of {state}",
        "        goes on waiting after",
        *(f"        {trigger}" for trigger in triggers),
        "    end note",
    ]


def _fenced(diagram: str) -> str:
    return f"```mermaid\n{diagram}\n```"
