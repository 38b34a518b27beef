"""The diagrams are drawn from the table, and docs/lifecycle.md shows them as such."""

from pathlib import Path

from fsm.engine.diagram import ORDER_MOVES, mermaid, order_diagram, task_diagram
from fsm.engine.steps import Step
from fsm.engine.words import FINAL, OrderState
from fsm.flows import RULES
from fsm.payout.lifecycle import PAYOUT
from fsm.payout.table import TABLE
from tests.fsm.orders import edges
from tests.fsm.test_table import STATES

PAGE = Path(__file__).parents[2] / "docs/lifecycle.md"
BEGIN, END = "<!-- fsm:begin -->", "<!-- fsm:end -->"


def test_every_move_of_the_table_is_drawn_once():
    lines = task_diagram(PAYOUT).splitlines()

    for source, dest in {(r.source, r.dest) for r in TABLE if r.source is not r.dest}:
        (line,) = [x for x in lines if x.startswith(f"    {source} --> {dest}: ")]
        drawn = set(line.partition(": ")[2].split("<br/>"))
        fires = {r.trigger for r in TABLE if (r.source, r.dest) == (source, dest)}
        assert drawn == {trigger.value for trigger in fires}


def test_final_states_are_marked():
    marked = {
        line.split()[0]
        for line in task_diagram(PAYOUT).splitlines()
        if line.endswith("--> [*]")
    }

    assert marked == FINAL & STATES


def test_every_state_is_drawn():
    assert all(f" {state}" in task_diagram(PAYOUT) for state in STATES)
    assert all(f" {state}" in order_diagram() for state in OrderState)


def test_the_orders_moves_are_those_that_happen():
    happen = {
        (edge.before.state, edge.decision.after.state)
        for edge in edges("both", 2, wild=False)
        if isinstance(edge.decision, Step)
    }

    assert {(a, b) for a, b in happen if a is not b} == {
        m[:2] for m in ORDER_MOVES if OrderState.REVERSING not in m
    }


def test_the_page_shows_the_diagrams():
    _, _, rest = PAGE.read_text().partition(BEGIN)
    shown, end, _ = rest.partition(END)

    assert end, "the markers are missing"
    assert shown.strip() == mermaid(RULES.lifecycles.values())
