"""The doctor takes nobody for core who does not answer as core."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from payment_service.cli.doctor.outside import check
from payment_service.config import parse_config
from payment_service.proxies import Proxies
from payment_service.settings import Settings

LEDGER = b'{"entries": [], "next_cursor": null}'


@asynccontextmanager
async def answering(status, body):
    async def say(request):
        del request
        return web.Response(status=status, body=body)

    runner = web.ServerRunner(web.Server(say, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
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
