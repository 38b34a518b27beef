"""What a flow of its own takes: less than 150 lines, and nothing but public seams."""

import ast
from pathlib import Path

from tests.fsm import chores
from tests.model.households import HOUSEHOLDS, WIDE

LINES_MAX = 150
SEAMS = {"fsm.engine", "fsm.domain.ids", "handlers.sound"}
"""What a flow is declared with: the engine's forms, ids, and what halts an order."""
SOURCE = Path(chores.__file__).read_text()


def imported():
    """Return (module, name) of all that the declaration imports of the service."""
    for node in ast.walk(ast.parse(SOURCE)):
        if isinstance(node, ast.ImportFrom):
            yield from ((str(node.module), alias.name) for alias in node.names)


def test_a_flow_of_its_own_is_declared_in_less_than_150_lines():
    assert len(SOURCE.splitlines()) < LINES_MAX


def test_it_has_three_steps_one_with_two_alternatives_and_one_that_is_undone():
    steps = chores.CHORES.steps

    assert [len([h for h in chores.HELPERS if h[0] == n]) for n in range(3)] == [
        1,
        2,
        1,
    ]
    assert [step.undo for step in steps] == [True, False, False]
    assert len({step.lifecycle for step in steps}) > 1


def test_it_imports_public_seams_alone_and_nothing_of_another_flow():
    ours = {m for m, _ in imported() if m.split(".")[0] in {"fsm", "handlers"}}

    assert {m for m in ours if not any(m.startswith(seam) for seam in SEAMS)} == set()
    assert [name for _, name in imported() if name.startswith("_")] == []


def test_the_model_checker_searches_the_very_same_declaration():
    assert [h.name for h in (*HOUSEHOLDS, *WIDE) if h.flow is chores.CHORES]
