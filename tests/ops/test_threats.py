"""The threat model is made from the tests that show it, and from nothing else."""

import pytest

from ops.threats import BEGIN, END, PAGE, PLACES, BadMark, attacks, tables, written

FEWEST = 5


@pytest.fixture(scope="module")
def found():
    return attacks()


def test_the_page_is_what_the_tests_say(found):
    page = PAGE.read_text()

    assert written(page, found) == page, "run `make threats`"


@pytest.mark.parametrize("place", list(PLACES))
def test_every_place_was_tried(found, place):
    held = [each.holds for each in found if each.place == place]

    assert len(held) >= (FEWEST if place != "shell" else 3)
    assert len({*held}) == len(held)


def test_all_six_places_are_named():
    places = " ".join(place.name for place in PLACES.values())

    for word in (
        "TCP port",
        "requests",
        "anywhere on NATS",
        "API",
        "shell",
        "database",
    ):
        assert word in places


@pytest.mark.parametrize(
    "mark",
    [
        '"the moon", "nothing gets in"',
        '"bus"',
        '"bus", holds',
        '"bus", "a | b"',
        'place="bus", holds="x"',
    ],
)
def test_a_mark_that_says_nothing_is_named(tmp_path, mark):
    text = f"@pytest.mark.attack({mark})\ndef test_it():\n    pass\n"
    (tmp_path / "test_x.py").write_text(text)

    with pytest.raises(BadMark, match=r"test_x\.py:1"):
        attacks(tmp_path)


def test_what_no_test_shows_is_not_in_the_page(found):
    invented = f"a\n{BEGIN}\n| Nothing gets in | [trust us](x) |\n{END}\nb"

    assert "Nothing gets in" not in written(invented, found)
    assert tables([]).count("| [") == 0
