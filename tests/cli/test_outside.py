"""The doctor takes nobody for core who does not answer as core."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web

from payment_service.cli.doctor.counterparties import check
from payment_service.cli.errors import Wrong
from payment_service.cli.statements import fetch
from payment_service.settings import Settings
from providers.config import parse_config
from providers.http.proxies import Proxies

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LEDGER = b'{"entries": [], "next_cursor": null}'


@asynccontextmanager
async def answering(status, body):
    async def say(request):
        del request
        return web.Response(status=status, body=body)

    runner = web.ServerRunner(web.Server(say, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def examined(status, body):
    async with answering(status, body) as url:
        settings = Settings(_env_file=None, core_url=url)
        nobody = parse_config("", ack_wait=settings.ack_wait, environment={})
        (finding,) = [each async for each in check(settings, nobody, Proxies({}))]
    return finding


def test_core_is_known_by_its_ledger():
    finding = asyncio.run(examined(200, LEDGER))

    assert finding.state == "ok"


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b"<!doctype html><html>Welcome", "200, and the body is an HTML page"),
        (200, b"", "200, and the body is empty"),
        (200, b"[]", "200, and the body is JSON, and a list"),
        (200, b"{}", "200, and the body has no list of entries"),
        (200, json.dumps({"entries": {}}).encode(), "has no list of entries"),
        (204, b"", "answered 204"),
        (301, LEDGER, "answered 301"),
        (404, LEDGER, "answered 404"),
    ],
)
def test_a_page_that_answers_everything_is_not_core(status, body, told):
    finding = asyncio.run(examined(status, body))

    assert finding.state == "wrong"
    assert told in str(finding)
    assert "PAYMENT_CORE_URL" in str(finding)


ENTRY = {"task_id": "t-1", "operation": "freeze", "amount": 1, "currency": "EUR"}


async def fetched(page):
    async with answering(200, json.dumps(page).encode()) as url:
        settings = Settings(_env_file=None, core_url=url)
        return await fetch(settings, {}, since=NOON, until=NOON)


def test_an_entry_that_cannot_be_read_stops_no_other():
    page = {"entries": [ENTRY, {"task_id": "t-2"}, 7, ENTRY | {"operation": "commit"}]}

    books = asyncio.run(fetched(page))

    assert [e.operation for e in books.entries_of("t-1")] == ["freeze", "commit"]
    assert [f"{odd.at} {odd.why}" for odd in books.odd_entries] == [
        "page 1 row 2 cannot be read (without operation, amount, currency)",
        "page 1 row 3 cannot be read (without task_id, operation, amount, currency)",
    ]


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ({"entries": [ENTRY], "next_cursor": "7"}, "page 2 is page 1 again"),
        ({"entries": [], "next_cursor": "7"}, "page 2 names a page read before"),
        ({"entries": None}, "without a list of entries"),
        ([ENTRY], "with what is JSON, and a list"),
    ],
)
def test_a_ledger_that_goes_round_or_is_none_is_told(page, told):
    with pytest.raises(Wrong, match=told):
        asyncio.run(fetched(page))
