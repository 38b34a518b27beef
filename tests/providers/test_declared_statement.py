"""A declared statement: read to its end, or refused with the page that is wrong."""

from datetime import UTC, datetime

import orjson
import pytest

from payment_service.config import ProviderTable
from payment_service.outbound import Lost, Response
from providers.rest.statement import DeclaredStatement
from providers.statements import NoStatement

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
ROW = {"ref": "r-1", "st": 2, "sum": "1.50", "cur": "eur", "at": "2026-01-01"}


class Canned:
    """A way out that answers with what it was given, and keeps what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def lane(self, max_in_flight, *, tls=None):
        assert (max_in_flight, tls) == (1, None)
        return self

    async def request(self, method, url, **more):
        self.asked.append((method, url, more))
        given = self.answers.pop(0)
        if isinstance(given, dict):
            return Response(status=200, body=orjson.dumps(given))
        return given


async def read(out, **changes):
    table = ProviderTable.model_validate(
        {
            "name": "acme",
            "adapter": "rest",
            "base_url": "https://x.example",
            "create": {"path": "/p"},
            "statement": {n: v for n, v in (FORM | changes).items() if v is not None},
            "headers": {"X-Key": "k"},
        }
    )
    assert table.statement is not None
    statement = DeclaredStatement(table, table.statement, out)
    return [row async for page in statement.pages(NOON, NIGHT) for row in page]


async def test_a_cursor_is_followed_to_the_end():
    out = Canned({"rows": [ROW], "next": 7}, {"rows": [], "next": "8"}, {"rows": [ROW]})

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
        "reference": "r-1",
        "status": "succeeded",
        "amount": 150,
        "currency": "EUR",
        "at": "2026-01-01",
    }


async def test_an_unknown_word_stays_unknown():
    (row,) = await read(Canned({"rows": [ROW | {"st": "succeeded"}]}))

    assert row["status"] == "?succeeded"


async def test_pages_are_counted_until_one_is_empty():
    out = Canned({"rows": [ROW]}, {"rows": [ROW]}, {"rows": []})

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
        (Response(status=200, body=b"<html>"), "answered 200"),
        ({}, "no list"),
        ({"rows": {}}, "no list"),
        ({"rows": [7]}, "without reference, status, amount, currency"),
        ({"rows": [ROW | {"sum": "1.505"}]}, "without amount"),
        ({"rows": [ROW | {"cur": "euro"}]}, "without amount, currency"),
        ({"rows": [ROW | {"ref": None}]}, "without reference"),
        ({"rows": [ROW | {"st": []}]}, "without status"),
    ],
)
async def test_a_page_that_cannot_be_read_ends_it(answer, why):
    with pytest.raises(NoStatement, match=why):
        await read(Canned(answer))
