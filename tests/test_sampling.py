"""A sample goes through all forms, leaves no form out for good, and can be whole."""

import re
from pathlib import Path

import pytest

from tests.sampling import WANTED, every_case, every_nth, in_turn

ROOT = Path(__file__).parents[1]


@pytest.fixture(params=["", "1"], ids=["sampled", "every case"])
def whole(request, monkeypatch):
    monkeypatch.setenv(WANTED, request.param)
    return bool(request.param)


def test_turns_go_through_all_of_them(whole):
    taken = [in_turn("abc", turn) for turn in range(1, 7)]

    assert every_case() is whole
    if whole:
        assert taken == [[*"abc"]] * 6
    else:
        assert taken == [["b"], ["c"], ["a"]] * 2


def test_shifted_samples_are_together_all_of_them(whole):
    taken = [every_nth(range(10), 3, first=first) for first in range(4)]

    if whole:
        assert taken == [[*range(10)]] * 4
    else:
        assert taken[0] == taken[3] == [0, 3, 6, 9]
        assert sorted(n for each in taken[:3] for n in each) == [*range(10)]


def test_what_is_sampled_is_marked_and_the_target_finds_it_by_that():
    recipe = (ROOT / "Makefile").read_text().partition("\nevery-case:")[2]
    assert f"{WANTED}=1" in recipe.partition("\n\n")[0]
    assert "-m sampled" in recipe.partition("\n\n")[0]

    users = [
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(r"tests\.sampling import .*(in_turn|every_nth)", path.read_text())
        and path.name != Path(__file__).name
    ]
    assert users
    assert [p.name for p in users if "mark.sampled" not in p.read_text()] == []
