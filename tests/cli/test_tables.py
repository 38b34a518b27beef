"""Tables fit a terminal of any width, and what strangers wrote moves no cursor."""

import io
import json
import os
import re
import sys
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment_service.cli import main, printing
from payment_service.cli.orders import ORDERS
from payment_service.cli.tables import Fall, folded, lay_out, width_of

ID = "0195f1de-7c1a-7000-8000-3f2a9c1b0e55"
NAMES = ("order", "queue", "kind", "merchant", "customer", "amount", "state", "tasks")
ROW = ("w-1001", ID, "withdrawal", "m-1", "c-9", "125.50 EUR", "COMPLETED", "acme x")
LONG = ("order-" * 5, ID, "withdrawal", "顧客" * 9, "c-9", "5 JPY", "ACTIVE", "a " * 80)
FORGED = "\x1b[2J\x1b]0;owned\x07\u202eevil\x9b31m\r\n\tx"
ESCAPES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")


class Said(io.StringIO):
    """What a terminal or a pipe is sent."""

    encoding = "utf-8"

    def __init__(self, *, to_a_person):
        super().__init__()
        self._to_a_person = to_a_person

    def isatty(self):
        return self._to_a_person


@contextmanager
def said_to(*, a_person, **env):
    """Give what is printed to a terminal, or into a pipe, until the block is left."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NO_COLOR", "FORCE_COLOR"):
            patch.delenv(name, raising=False)
        for name, value in {"TERM": "xterm", **env}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdout", said := Said(to_a_person=a_person))
        yield said


@pytest.mark.parametrize("width", [120, 80, 60, 40])
def test_an_id_is_whole_and_in_one_line_at_every_width(width):
    laid = lay_out(NAMES, [ROW, LONG], ORDERS, width=width)

    lines = [*laid.lines, *filter(None, [laid.head])]
    assert all(width_of(line) <= width for line in lines)
    shown = "\n".join(lines)
    for whole in ("w-1001", LONG[0], "125.50 EUR", "COMPLETED", "ACTIVE"):
        assert whole in shown
    assert ID in shown or laid.missing


@pytest.mark.parametrize(
    ("width", "kept"),
    [
        (
            160,
            ["order", "queue", "kind", "merchant", "customer", "amount", "state"],
        ),
        (80, ["order", "queue", "amount", "state"]),
        (40, ["order", "amount", "state"]),
    ],
)
def test_columns_fall_away_by_what_they_are_worth(width, kept):
    laid = lay_out(NAMES, [ROW], ORDERS, width=width)
    head = laid.head or ""

    assert [name for name in head.split() if name != "tasks"] == kept
    assert laid.missing == len(NAMES) - len(head.split())


def test_prose_is_shortened_before_a_column_falls_away():
    laid = lay_out(("id", "error"), [(ID, "x" * 90)], Fall(prose=("error",)), width=80)

    assert (laid.missing, laid.is_shortened) == (0, True)
    assert laid.lines[0] == f"{ID}  {'x' * 41}…"


def test_where_no_table_fits_each_row_stands_by_itself():
    laid = lay_out(("id", "of"), [(ID, ID), (ID, "x")], Fall(), width=39)

    assert laid.head is None
    assert laid.lines == [
        "id",
        f"  {ID}",
        "of",
        f"  {ID}",
        "",
        "id",
        f"  {ID}",
        "of  x",
    ]


@given(
    st.lists(st.tuples(*[st.text(st.characters(categories=["L", "N"]))] * 3)),
    st.integers(8, 200),
)
def test_a_key_is_never_cut(rows, width):
    names, fall = ("key", "more", "text"), Fall(first=("more",), prose=("text",))
    laid = lay_out(names, rows, fall, width=width)

    shown = "\n".join(laid.lines).replace("\n  ", "\n")
    assert all(row[0].strip() in shown for row in rows)


def test_a_sentence_is_folded_between_words_alone():
    text = f"task {ID}, version 3: waits-for-a-person"

    assert folded(text, width=40, indent=3)[1] == f"   {ID},"
    assert " ".join(line.strip() for line in folded(text, width=40)) == text


def test_what_falls_away_is_said_and_can_be_had():
    with said_to(a_person=True, COLUMNS="80") as narrow:
        printing.print_table(NAMES, [ROW], empty="", fall=ORDERS)
    with said_to(a_person=True, COLUMNS="80") as wide:
        printing.print_table(NAMES, [ROW], empty="", fall=ORDERS, wide=True)

    assert "… --wide shows 3 more columns\n" in narrow.getvalue()
    assert all(name in wide.getvalue() for name in NAMES)
    assert "--wide" not in wide.getvalue()


def test_a_pipe_gets_every_cell_in_one_line_whatever_its_width():
    with said_to(a_person=False, COLUMNS="20") as said:
        printing.print_table(NAMES, [ROW], empty="", fall=ORDERS)

    assert said.getvalue() == "\t".join(NAMES) + "\n" + "\t".join(ROW) + "\n"


# What strangers wrote.


@pytest.mark.parametrize("a_person", [True, False])
def test_no_stored_text_moves_the_cursor(a_person):
    with said_to(a_person=a_person, NO_COLOR="1") as said:
        row = ("w-1", FORGED)
        printing.print_table(("order", "error"), [row], empty="", wide=True)
        printing.print_pairs({"message": FORGED})
        printing.print_text(f"task x: {FORGED}")
        printing.print_prose(FORGED)
        printing.print_json({"message": FORGED})
        printing.heading(FORGED)

    assert not ESCAPES.search(said.getvalue())
    assert said.getvalue().count("evil") == 6


def test_a_stored_text_forges_no_line():
    with said_to(a_person=False) as said:
        printing.print_prose("x\n1. acme: SUCCEEDED")
        printing.print_table(("a", "b"), [("x\ny\tz", "w")], empty="")

    assert said.getvalue() == "x?1. acme: SUCCEEDED\na\tb\nx?y?z\tw\n"


def test_json_has_the_same_text_all_the_same():
    told = {"message": FORGED, "name": "Łódź 顧客 🙂"}
    with said_to(a_person=True) as said:
        printing.print_json(told)

    assert json.loads(said.getvalue()) == told
    assert "Łódź 顧客 🙂" in said.getvalue()


def test_an_error_moves_no_cursor(capsys):
    assert main(["order", "show", "x", f"--{FORGED}"]) == 2

    assert not ESCAPES.search(capsys.readouterr().err)


# Colours.


@pytest.mark.parametrize(
    ("env", "on_terminal", "in_a_pipe"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_colours_are_where_people_want_them(env, on_terminal, in_a_pipe):
    for a_person, wanted in ((True, on_terminal), (False, in_a_pipe)):
        with said_to(a_person=a_person, **env) as said:
            printing.heading("Attempts")
        assert ("\x1b[" in said.getvalue()) == wanted


def test_the_doctor_has_colours_for_people_alone(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.startswith("PAYMENT_")]:
        monkeypatch.delenv(name)
    with said_to(a_person=True) as coloured:
        main(["doctor"])
    with said_to(a_person=True, NO_COLOR="1") as plain:
        main(["doctor"])

    assert "\x1b[1;31mwrong" in coloured.getvalue()
    assert "wrong" in plain.getvalue()
    assert "\x1b" not in plain.getvalue()
