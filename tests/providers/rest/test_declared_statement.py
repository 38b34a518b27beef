"""A declared statement: each line that is ours, and every other one by its name."""

import time
from datetime import UTC, datetime

import orjson
import pytest

from providers import statements
from providers.config import ProviderTable
from providers.http.outbound import Lost, Response
from providers.rest.statement import DeclaredStatement
from providers.statements import PAGE_BYTES_MAX, NoStatement, Oddity

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NIGHT = datetime(2026, 1, 2, 0, 0, 1, tzinfo=UTC)
FORM = {
    "path": "/list",
    "query": {"from": "{from_date}", "to": "{to}", "after": "{cursor?}"},
    "rows_at": "rows",
    "next_cursor_at": "next",
    "reference_at": "ref",
    "status_at": "st",
    "status_map": {"2": "succeeded", "5": "returned"},
    "amount_at": "sum",
    "amount_form": "decimal",
    "currency_at": "cur",
    "time_at": "at",
}
TASK = "018f0000-0000-7000-8000-000000000001"
ROW = {"ref": TASK, "st": 2, "sum": "1.50", "cur": "eur", "at": "2026-01-01"}


class Canned:
    """A way out that answers with what it was given, and keeps what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def lane(self, max_in_flight, *, tls=None, body_max):
        assert (max_in_flight, tls, body_max) == (1, None, PAGE_BYTES_MAX)
        return self

    async def request(self, method, url, **more):
        self.asked.append((method, url, more))
        # The last one is how it goes on answering.
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(given, dict | list):
            return Response(status=200, body=orjson.dumps(given))
        return given


def stated(out, **changes):
    form = {"pause": "1ms", **FORM, **changes}
    table = ProviderTable.model_validate(
        {
            "name": "acme",
            "adapter": "rest",
            "base_url": "https://x.example",
            "create": {"path": "/p"},
            "statement": {n: v for n, v in form.items() if v is not None},
            "headers": {"X-Key": "k"},
        }
    )
    assert table.statement is not None
    return DeclaredStatement(table, table.statement, out).pages(NOON, NIGHT)


async def pages(out, **changes):
    return [page async for page in stated(out, **changes)]


async def read(out, **changes):
    return [row for page in await pages(out, **changes) for row in page.rows]


async def odd(*rows, **changes):
    """Return what is odd about the lines of one page."""
    (page,) = await pages(Canned({"rows": list(rows)}), **changes)
    return [(line.row, line.oddity, line.reference) for line in page.odd]


def numbered(number):
    return ROW | {"sum": f"{number}.00"}


async def test_a_cursor_is_followed_to_the_end():
    out = Canned(
        {"rows": [ROW], "next": 7},
        {"rows": [], "next": "8"},
        {"rows": [numbered(2)]},
    )

    rows = await read(out)

    assert len(rows) == 2
    query = "from=2026-01-01&to=2026-01-02T00%3A00%3A01.000Z"
    assert [url.partition("?")[2] for _, url, _ in out.asked] == [
        query,
        f"{query}&after=7",
        f"{query}&after=8",
    ]
    assert {more["headers"]["X-Key"] for *_, more in out.asked} == {"k"}


async def test_a_line_is_told_in_our_words():
    (row,) = await read(Canned({"rows": [ROW]}))

    assert row == {
        "reference": TASK,
        "status": "succeeded",
        "amount": 150,
        "currency": "EUR",
        "at": "2026-01-01",
    }


async def test_a_word_that_nobody_listed_says_nothing():
    (page,) = await pages(Canned({"rows": [ROW | {"st": "succeeded"}]}))

    assert page.rows == []
    assert page.odd[0].why == "cannot be read (nobody has listed succeeded)"
    assert page.odd[0].reference == TASK


async def test_pages_are_counted_until_one_is_empty():
    out = Canned({"rows": [ROW]}, {"rows": [numbered(2)]}, {"rows": []})

    rows = await read(out, query={"page": "{page}"}, next_cursor_at=None)

    assert len(rows) == 2
    assert [url[-6:] for _, url, _ in out.asked] == ["page=1", "page=2", "page=3"]


async def test_where_nothing_counts_there_is_one_page():
    rows = await read(Canned({"rows": [ROW], "next": 7}), next_cursor_at=None)

    assert len(rows) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Lost("no answer in time"), "no answer"),
        (Response(status=500, body=b"{}"), "answered 500"),
        (Response(status=302, body=b"{}"), "answered 302"),
        (Response(status=200, body=b"<html>"), "page 1 is an HTML page"),
        (Response(status=200, body=b"\x1f\x8b"), "page 1 is compressed"),
        ({}, "no list"),
        ({"rows": {}}, "no list"),
        ({"rows": None}, "no list"),
    ],
)
async def test_a_page_that_cannot_be_read_ends_it(answer, why):
    with pytest.raises(NoStatement, match=why):
        await read(Canned(answer))


FOREIGN, OTHER = Oddity.FOREIGN, Oddity.OTHER
OPPOSITE, UNREADABLE = Oddity.OPPOSITE, Oddity.UNREADABLE


@pytest.mark.parametrize(
    ("row", "oddity"),
    [
        (ROW | {"ref": None}, FOREIGN),
        (ROW | {"ref": ""}, FOREIGN),
        (ROW | {"ref": "payroll-7"}, FOREIGN),
        (ROW | {"ref": 7}, FOREIGN),
        (ROW | {"ref": [TASK]}, FOREIGN),
        ({"fee": "0.30"}, FOREIGN),
        ({}, FOREIGN),
        (None, FOREIGN),
        (7, FOREIGN),
        ([ROW], FOREIGN),
        (ROW | {"sum": "-1.50"}, OPPOSITE),
        (ROW | {"sum": -1.5}, OPPOSITE),
        (ROW | {"sum": "1.505"}, UNREADABLE),
        (ROW | {"sum": "0.00"}, UNREADABLE),
        (ROW | {"sum": "--1.50"}, UNREADABLE),
        (ROW | {"sum": None}, UNREADABLE),
        (ROW | {"sum": True}, UNREADABLE),
        (ROW | {"cur": "euro"}, UNREADABLE),
        (ROW | {"st": []}, UNREADABLE),
        (ROW | {"st": None}, UNREADABLE),
    ],
)
async def test_one_odd_line_is_named_and_stops_no_other(row, oddity):
    out = Canned({"rows": [ROW, row, numbered(2)]})

    (page,) = await pages(out)

    assert [line["amount"] for line in page.rows] == [150, 200]
    (line,) = page.odd
    about = TASK if oddity in {OPPOSITE, UNREADABLE} else None
    assert (line.page, line.row, line.oddity) == (1, 2, oddity)
    assert line.reference == about


async def test_where_payouts_are_written_as_money_that_goes_a_plus_is_odd():
    minus = [ROW | {"sum": "-1.50"}, ROW | {"sum": -2}, ROW]

    (page,) = await pages(Canned({"rows": minus}), sign="minus")

    assert [line["amount"] for line in page.rows] == [150, 200]
    assert [(line.row, line.oddity) for line in page.odd] == [(3, OPPOSITE)]


async def test_lines_of_other_kinds_are_no_payouts():
    kinds = {"kind_at": "kind", "kinds": ["PAYOUT", "2"]}
    rows = [
        ROW | {"kind": "PAYOUT"},
        ROW | {"kind": "FEE", "sum": "-0.30"},
        ROW | {"kind": 2},
        ROW,
        {"kind": "PAYOUT"},
    ]

    found = await odd(*rows, **kinds)

    assert found == [(2, OTHER, TASK), (4, OTHER, TASK), (5, FOREIGN, None)]


async def test_our_reference_is_ours_in_either_case():
    (row,) = await read(Canned({"rows": [ROW | {"ref": TASK.upper()}]}))

    assert row["reference"] == TASK


async def test_the_whole_body_may_be_the_list():
    form = {"rows_at": "", "next_cursor_at": None, "query": {"page": "{page}"}}

    assert len(await read(Canned([ROW], []), **form)) == 1


async def test_a_page_that_names_itself_is_asked_for_twice_at_most():
    out = Canned({"rows": [ROW], "next": "7"})
    kept = []

    async def keep():
        async for page in stated(out):
            kept.extend(page.rows)

    with pytest.raises(NoStatement, match="page 2 is page 1 again: it goes round"):
        await keep()

    assert len(out.asked) == 2
    assert len(kept) == 1


async def test_cursors_that_go_round_are_noticed():
    wake = [{"rows": [numbered(n)], "next": f"{n % 3}"} for n in range(1, 9)]

    with pytest.raises(NoStatement, match="page 4 names a page read before"):
        await pages(Canned(*wake))


async def test_empty_pages_that_name_each_other_are_noticed():
    wake = [{"rows": [], "next": f"{n % 2}"} for n in range(9)]

    with pytest.raises(NoStatement, match="goes round"):
        await pages(Canned(*wake))


async def test_the_same_page_under_every_number_is_noticed():
    out = Canned({"rows": [ROW]})

    with pytest.raises(NoStatement, match="goes round"):
        await pages(out, query={"page": "{page}"}, next_cursor_at=None)

    assert len(out.asked) == 2


async def test_a_cursor_that_says_no_is_the_end():
    for end in (None, "", False):
        assert len(await read(Canned({"rows": [ROW], "next": end}))) == 1


@pytest.mark.parametrize("cursor", [{"after": 1}, ["7"], {}, [], 1.5])
async def test_a_cursor_that_cannot_be_read_is_no_end(cursor):
    with pytest.raises(NoStatement, match="page 1 has a next cursor that cannot be"):
        await read(Canned({"rows": [ROW], "next": cursor}))


async def test_a_page_that_did_not_come_is_asked_for_again():
    busy = Response(status=503, body=b"", headers={})
    out = Canned(busy, Lost("no answer in time"), {"rows": [ROW]})

    assert len(await read(out)) == 1
    assert len(out.asked) == 3


async def test_the_time_that_a_provider_asks_for_is_kept():
    busy = Response(status=429, body=b"", headers={"retry-after": "1"})
    began = time.monotonic()

    await read(Canned(busy, {"rows": [ROW]}))

    assert time.monotonic() - began >= 1


async def test_who_wants_to_be_left_alone_for_long_is():
    busy = Response(status=429, body=b"", headers={"retry-after": "600"})
    out = Canned(busy)

    with pytest.raises(NoStatement, match="not to be asked for in 600 s"):
        await read(out)

    assert len(out.asked) == 1


async def test_pages_are_asked_for_at_their_pace_and_until_their_deadline():
    out = Canned(*[{"rows": [numbered(n)], "next": str(n)} for n in range(1, 99)])
    limits = {"pause": "40ms", "deadline": "200ms"}

    with pytest.raises(NoStatement, match="is not there after 0 s"):
        await read(out, **limits)

    assert 3 <= len(out.asked) <= 6


async def test_a_page_has_a_limit_of_lines(monkeypatch):
    monkeypatch.setattr(statements, "PAGE_ROWS_MAX", 2)

    with pytest.raises(NoStatement, match="page 1 has more than 2 lines"):
        await read(Canned({"rows": [ROW, ROW, ROW]}))


async def test_there_is_a_limit_of_pages(monkeypatch):
    monkeypatch.setattr(statements, "PAGES_MAX", 3)
    out = Canned(*[{"rows": [numbered(n)], "next": str(n)} for n in range(1, 9)])

    with pytest.raises(NoStatement, match="does not end after 3 pages"):
        await read(out)
