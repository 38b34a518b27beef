"""What is no answer moves no money, and who cannot be asked is asked by a repeat."""

from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.service.stage import a_withdrawal, staged

PAGE = b"<!doctype html><html><h1>Welcome</h1></html>"
UNASKED = "status = false\n"


@asynccontextmanager
async def a_page_for_everything():
    """Give an address where every path answers 200, and what was asked there."""
    asked = []

    async def welcome(request):
        asked.append(request.path)
        return web.Response(body=PAGE, content_type="text/html")

    runner = web.ServerRunner(web.Server(welcome, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


async def test_a_page_that_answers_everything_for_core_pays_nothing_out(
    database_url, nats_server, subject_prefix
):
    async with (
        a_page_for_everything() as (url, asked),
        staged(database_url, nats_server.url, subject_prefix, core_url=url) as stage,
    ):
        await stage.ask(a_withdrawal())
        await stage.until(lambda: len(asked) >= 2)

        order = await stage.order("w-1")
        assert [task["state"] for task in order["tasks"]] == ["PENDING"] * 3
        assert set(asked) == {"/v1/balance/freeze"}
        assert stage.simulator.book.executed() == 0


@pytest.mark.parametrize(
    ("script", "ends"),
    [
        ("commit_reset", "SUCCEEDED"),
        ("commit_502", "SUCCEEDED"),
        ("commit_hang", "SUCCEEDED"),
        ("hang_once", "SUCCEEDED"),
        ("decline_hang", "FAILED"),
        ("garbage", "SUCCEEDED"),
    ],
)
async def test_a_provider_without_a_status_is_asked_by_the_repeat(
    database_url, nats_server, subject_prefix, script, ends
):
    async with staged(
        database_url, nats_server.url, subject_prefix, table=UNASKED
    ) as stage:
        await stage.ask(a_withdrawal(script=f"acme={script},zeta=succeed"))

        order = await stage.final("w-1")
        assert order["tasks"][0]["state"] == ends
        assert stage.simulator.book.executed() == 1
        assert stage.core.check() == []


async def test_the_trail_says_what_an_unreadable_answer_was(stage):
    await stage.ask(a_withdrawal(script="acme=garbage"))
    await stage.final("w-1")

    _, answer = await stage.call("GET", "/v1/orders/w-1/events", role="viewer")
    heard = [e["detail"] for e in answer["events"] if e["trigger"].endswith("unclear")]
    body = heard[0]["evidence"]["body"]
    assert heard[0]["message"] == f"the body cannot be read: it is {body['is']}"
    assert body["begins"]
