"""GLOSSARY.md: one word, one meaning, and every name that it gives is in the code."""

import ast
import re
from collections import Counter
from functools import cache

import pytest

from tests.api.promised import document
from tests.docs.pages import ROOT, listed, rows_of

PAGE = ROOT / "GLOSSARY.md"
TERMS = [row for row in rows_of(PAGE.read_text()) if len(row) == 3]
WORDS = dict(row for row in rows_of(PAGE.read_text()) if len(row) == 2)
FOLDERS = (
    "fsm",
    "handlers",
    "providers",
    "payment_service",
    "migrations",
    "tests/world",
    "tests/planted",
    "tests/crashes",
)
SHAPES = document()["components"]["schemas"]
ARROW = re.compile(r"`([^`]+)` → `([^`]+)`")


@cache
def identifiers():
    """Return every name of the source and its folders; what is only told is none."""
    files = [file for name in FOLDERS for file in (ROOT / name).rglob("*.py")]
    names = {part for file in files for part in file.relative_to(ROOT).parts}
    for file in files:
        names.update(_names_in(ast.parse(file.read_text())))
    return names


def _names_in(tree):
    """Yield names, and the words of texts that are values: columns in SQL, for one."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name
            case ast.Assign(value=value) | ast.AnnAssign(value=value) if value:
                yield from _words_of(value)
            case ast.Call():
                for value in node.args:
                    yield from _words_of(value)
            case _:
                pass


def _words_of(value):
    for node in ast.walk(value):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"\w+", node.value)


def words_of(shape, member):
    """Return what a member may be, as OpenAPI has it."""
    told = SHAPES[shape]["properties"][member]
    parts = told.get("anyOf", [told])
    names = [part["$ref"].rpartition("/")[2] for part in parts if "$ref" in part]
    return [word for name in names for word in SHAPES[name]["enum"]]


def test_every_term_has_one_meaning():
    terms = Counter(term for row in TERMS for term in row[0].split(", "))
    meanings = Counter(row[1] for row in TERMS)

    assert [term for term, times in terms.items() if times > 1] == []
    assert [meaning for meaning, times in meanings.items() if times > 1] == []


@pytest.mark.parametrize("row", TERMS, ids=lambda row: row[0])
def test_what_it_names_is_in_the_code(row):
    later = {new for _, new in ARROW.findall(row[2])}
    names = {*listed(row[2])} - later

    assert names, "a term that the code does not know"
    assert names - identifiers() == set()


@pytest.mark.parametrize("row", TERMS, ids=lambda row: row[0])
def test_a_name_to_come_is_not_there_yet(row):
    """Once it is taken, the arrow goes, and the old name with it."""
    assert [old for old, new in ARROW.findall(row[2]) if old == new] == []


@pytest.mark.parametrize(
    ("what", "shape"),
    [
        ("state of a task", "state"),
        ("what a row waits for", "waiting_for"),
    ],
)
def test_the_words_of_a_task_are_told_whole(what, shape):
    assert {*listed(WORDS[what])} == {*words_of("Task", shape)}


@pytest.mark.parametrize(
    ("what", "shape"),
    [
        ("state of an order", "Order"),
        ("state of a case", "Case"),
        ("why a letter is dead", "DeadLetter"),
    ],
)
def test_the_other_closed_vocabularies_are_told_whole(what, shape):
    member = "reason" if shape == "DeadLetter" else "state"

    assert sorted(listed(WORDS[what])) == sorted(words_of(shape, member))


def test_the_one_picture_that_is_kept_is_explained():
    readme = (ROOT / "README.md").read_text()
    picture = "PostgreSQL is the truth, JetStream the doorbell."

    assert picture in readme
    assert picture in PAGE.read_text().partition("\n## ")[0]


def test_no_state_and_no_wait_is_a_word_of_two_meanings():
    waits = words_of("Task", "waiting_for")
    states = [*words_of("Task", "state"), *words_of("Order", "state")]

    assert {*waits} & {*states} == set()
