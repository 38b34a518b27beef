import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import fsm
import handlers
import payment_service
import providers
from fsm.domain import errors
from fsm.domain.errors import (
    AmbiguousOrder,
    BrokenInvariant,
    BusUnavailable,
    CoreUnavailable,
    InvalidRequest,
    Later,
    NotNow,
    PaymentServiceError,
    StaleWrite,
    StoreUnavailable,
    Tampered,
    UnknownOrder,
)

PACKAGES = (fsm, handlers, providers, payment_service)


def grown() -> set[tuple[str, str]]:
    """Return every error of ours with the one that it is a kind of."""
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not re.search(r"__main__|skeleton|plugin", found.name):
                importlib.import_module(found.name)
    return set(_below(PaymentServiceError))


def _below(kind: type[PaymentServiceError]) -> Iterator[tuple[str, str]]:
    ours = {package.__name__ for package in PACKAGES}
    for each in kind.__subclasses__():
        if each.__module__.partition(".")[0] in ours:
            yield each.__name__, kind.__name__
            yield from _below(each)


def drawn() -> list[tuple[str, str]]:
    """Read the tree of the docstring: four columns a generation."""
    text = str(errors.__doc__).partition("```\n")[2].partition("```")[0]
    root, *lines = text.splitlines()
    above = [root]
    edges = []
    for line in lines:
        found = re.fullmatch(r"([│├└─ ]+)(\w+)( +\S.*)?", line)
        assert found, line
        depth = len(found[1]) // 4
        above = [*above[:depth], found[2]]
        edges.append((found[2], above[-2]))
    return edges


def test_the_tree_is_drawn_whole():
    edges = drawn()

    assert len(edges) == len({*edges})
    assert {*edges} == grown()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidRequest("amount: must be at least 1"), 422),
        (UnknownOrder("w-1"), 404),
        (AmbiguousOrder("w-1", [{"queue_id": "q"}]), 409),
        (NotNow("it is final"), 409),
        (Tampered("q", "its amount"), 409),
        (StoreUnavailable("password=x"), 503),
        (StaleWrite("q"), 503),
        (BrokenInvariant("one_live"), 500),
    ],
)
def test_an_error_knows_its_status(error, status):
    assert error.status == status


@pytest.mark.parametrize("error", [BusUnavailable("nats://me:pw@"), StaleWrite("q")])
def test_what_is_ours_to_know_is_told_nobody(error):
    assert isinstance(error, Later)
    assert error.told() == "This cannot be done just now; try again."


def every_kind() -> list[type[PaymentServiceError]]:
    """Return every error of ours, each once."""
    grown()
    found, left = [], [PaymentServiceError]
    while left:
        kind = left.pop()
        if kind.__module__.partition(".")[0] in {each.__name__ for each in PACKAGES}:
            found.append(kind)
            left += kind.__subclasses__()
    return found


# The root, and what a command has found, which is its answer; each says itself what to
# look for where there is nothing, and whom it has not reached.
NOTHING_TO_MEND = {"PaymentServiceError", "Wrong", "NothingFound", "NotReached"}


def test_every_error_has_its_mend_its_exit_code_and_its_status():
    kinds = every_kind()
    bare = {kind.__name__ for kind in kinds if not (kind.says_mend or kind.mend)}

    assert bare == NOTHING_TO_MEND
    assert {kind.exit_code for kind in kinds} == {1, 2}
    assert {kind.status for kind in kinds} == {404, 409, 422, 500, 503}
    assert len(kinds) > 40


@pytest.mark.parametrize("kind", every_kind(), ids=lambda kind: kind.__name__)
def test_a_mend_is_an_order_in_one_line(kind):
    assert "\n" not in kind.mend
    assert not kind.mend.endswith(".")
    assert len(kind.mend) < 100


def test_who_asks_for_what_is_not_there_is_told_which_kind():
    assert UnknownOrder("secret", "case").told() == "There is no such case."


def test_candidates_are_told():
    candidates = [{"queue_id": "q-1"}, {"queue_id": "q-2"}]

    assert AmbiguousOrder("w-1", candidates).members() == {"candidates": candidates}


@pytest.mark.parametrize("kind", [StoreUnavailable, BusUnavailable, CoreUnavailable])
def test_a_neighbour_that_is_away_is_mended_at_its_setting(kind):
    assert kind.mend.startswith("see PAYMENT_")


OTHERWISE = re.compile(r"(?<!never )\b(or raise|[Rr]aises) (?=:class:|[A-Z]|\d|that\b)")
RAISES = re.compile(r":raises [\w., ]+:")


def test_what_a_function_raises_is_told_one_way():
    """As a field of the docstring; who does nothing else begins with the word Raise."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    root = Path(__file__).parents[3]
    files = [f for each in PACKAGES for f in (root / each.__name__).rglob("*.py")]
    told = [
        (f"{file.relative_to(root)}:{node.lineno}", text)
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, functions) and (text := ast.get_docstring(node))
    ]

    odd = [at for at, text in told if OTHERWISE.search(RAISES.sub("", text))]
    assert odd == []
    assert sum(len(RAISES.findall(text)) for _, text in told) > 250
