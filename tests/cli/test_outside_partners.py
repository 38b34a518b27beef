"""The doctor connects to each partner, and says which lines of its file are odd."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import web

from payment_service.cli.doctor.partners import check
from payment_service.cli.partner_policy import partner_in_words
from providers.config import parse_config
from providers.http.outbound import Outbound

TABLE = """
[partners.northbank]
base_url = "{url}"
countries = ["CA"]
bins = ["4510"]
{lines}
"""
FILE = """
[partners.northbank.file]
path = "/links-{date}.csv"
columns = { order_id = "reference", result = "outcome" }
results = { yes = "eligible", no = "not_eligible" }
"""


@asynccontextmanager
async def answering(status, body):
    asked = []

    async def say(request):
        asked.append((request.method, request.path))
        return web.Response(status=status, body=body)

    runner = web.ServerRunner(web.Server(say, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


def configured(url, lines=""):
    text = TABLE.replace("{url}", url).replace("{lines}", lines)
    return parse_config(text, ack_wait=timedelta(seconds=30), environment={})


def found(status=200, body=b"", lines="", url=None):
    """Return the findings, and what the partner was asked."""

    async def run():
        async with answering(status, body) as (here, asked), Outbound() as outbound:
            config = configured(url or here, lines)
            return {each.what: each async for each in check(config, outbound)}, asked

    return asyncio.run(run())


def test_a_partner_is_connected_to_and_asked_nothing():
    findings, asked = found()

    assert findings["northbank"].state == "ok"
    assert asked == []


def test_a_partner_that_is_not_there_is_told_with_its_table():
    findings, _ = found(url="http://127.0.0.1:9")

    finding = findings["northbank"]
    assert finding.state == "wrong"
    assert "see base_url of [partners.northbank]" in finding.mend


GOOD = b"reference,outcome\nl-1,yes\nl-2,no\n"


@pytest.mark.parametrize(
    ("status", "body", "state", "told"),
    [
        (200, GOOD, "ok", "says something of 2 cards"),
        (404, b"", "ok", "is not there, or not yet"),
        (200, GOOD + b"l-3,maybe\nx\n", "advice", "2 lines are left out: line 4: its"),
        (200, b"<html>\n", "wrong", "no column reference"),
        (500, b"", "wrong", "status 500"),
    ],
)
def test_its_newest_file_is_read(status, body, state, told):
    findings, asked = found(status, body, FILE)

    finding = findings["northbank file"]
    assert finding.state == state
    assert told in finding.told
    ((method, path),) = asked
    assert method == "GET"
    assert path.startswith("/links-2")


def test_an_adapter_that_is_not_there_is_told():
    findings, _ = found(lines='adapter = "nowhere:Partner"')

    assert findings["adapter"].state == "wrong"
    assert findings["adapter"].told.startswith(
        "[partners.northbank] adapter: No module"
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "nothing is granted until it is known"),
        ('multi_match = "provisional"', "is granted, and confirmed or revoked later"),
        ("", "looked up by asking again after 6h, at most every 1d"),
        (FILE, "looked up in its file"),
        (FILE.replace("order_id", "card_token"), "by the day alone: name its time"),
        ("", "for 5d the link is expired."),
        ('multi_match = "provisional"', "expired: what was granted is revoked."),
        ("notices = false", "It is not told of a revoke."),
    ],
)
def test_its_table_is_told_in_words(lines, said):
    table = configured("https://n.example", lines).partners["northbank"]

    assert said in " ".join(partner_in_words(table))


@pytest.mark.parametrize("name", ["order_id", "task_id", "time"])
def test_a_file_that_tells_links_apart_needs_no_more(name):
    columns = FILE.replace("order_id", name)
    if name == "time":
        columns = columns.replace("{ time", '{ card_token = "card", time')

    table = configured("https://n.example", columns).partners["northbank"]

    assert "by the day alone" not in " ".join(partner_in_words(table))
