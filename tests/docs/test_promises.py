"""docs/promises.md: every promise once, with tests that exist, and who judges it."""

import ast
import re
from collections import Counter

import pytest

from tests.docs.pages import DOCS, ROOT, listed, rows_of, section_of

PAGE = DOCS / "promises.md"
NUMBER = re.compile(r"\b[SLMA][1-9][0-9]?\b")
GROUPS = {
    "S": "## Money",
    "L": "## Nobody is forgotten",
    "M": "## Messages",
    "A": "## The audit trail",
}
PROMISES = {
    row[0]: row
    for heading in GROUPS.values()
    for row in rows_of(section_of(PAGE, heading))
}
JUDGES = {
    listed(row[0])[0]: NUMBER.findall(row[2])
    for row in rows_of(section_of(PAGE, "## Who judges what"))
}
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def docstrings(file):
    """Return the docstring of a module, and those of its functions and classes."""
    tree = ast.parse(file.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    inner = [
        ast.get_docstring(node) or ""
        for node in ast.walk(tree)
        if isinstance(node, kinds)
    ]
    return ast.get_docstring(tree) or "", inner


@pytest.mark.parametrize(("letter", "heading"), GROUPS.items())
def test_they_are_numbered_without_a_gap(letter, heading):
    numbers = [row[0] for row in rows_of(section_of(PAGE, heading))]

    assert numbers == [f"{letter}{n}" for n in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("number", PROMISES)
def test_each_is_shown_by_tests_that_are_there(number):
    shown = listed(PROMISES[number][2])

    assert shown
    for named in shown:
        file, _, name = named.partition("::")
        defined = re.compile(rf"^(?:async )?def {name}\(", re.MULTILINE)
        files = [each for each in TESTS if each.name == file]
        assert any(defined.search(each.read_text()) for each in files), named


@pytest.mark.parametrize("judge", JUDGES)
def test_a_judge_says_itself_what_it_judges(judge):
    whole, inner = docstrings(ROOT / judge)
    said = re.search(r"Judges ([SLMA0-9, ]+) of docs/promises\.md", whole)

    assert said, f"{judge} does not say what it judges"
    assert NUMBER.findall(said[1]) == JUDGES[judge]
    assert {number for text in inner for number in NUMBER.findall(text)} <= {
        *JUDGES[judge]
    }


def test_every_promise_about_money_has_more_than_one_judge():
    judged = Counter(number for numbers in JUDGES.values() for number in numbers)

    for number in ("S1", "S2", "S4", "S5"):
        assert judged[number] >= 4
    assert {*judged} <= {*PROMISES}


def test_the_oracle_has_a_rule_for_each_number():
    _, inner = docstrings(ROOT / "tests/world/oracle.py")
    heads = {number for text in inner for number in NUMBER.findall(text.split(":")[0])}

    assert heads == {*JUDGES["tests/world/oracle.py"]}
