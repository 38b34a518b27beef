"""The doctor asks each service about a step that it never heard of, and judges it."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import web

from payment_service.cli.doctor.permissions import of_calls
from payment_service.cli.doctor.services import check
from payment_service.cli.service_policy import service_in_words
from payment_service.settings import Settings
from providers.config import parse_config
from providers.http.outbound import Outbound


@asynccontextmanager
async def answering(status, body):
    asked = []

    async def say(request):
        asked.append((request.method, request.path, dict(request.headers)))
        return web.Response(status=status, body=body)

    runner = web.ServerRunner(web.Server(say, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


def configured(url, *names, lines=""):
    text = "".join(f'[services.{n}]\nbase_url = "{url}"\n{lines}\n' for n in names)
    return parse_config(text, ack_wait=timedelta(seconds=30), environment={})


ALL = ("fraud", "payment", "delivery", "merchant")


def found(status, body, *names, lines="", url=None):
    """Return the findings by service, and what the services were asked."""

    async def run():
        async with answering(status, body) as (here, asked), Outbound() as outbound:
            config = configured(url or here, *names, lines=lines)
            return {each.what: each async for each in check(config, outbound)}, asked

    return asyncio.run(run())


def test_a_service_is_known_by_what_it_does_not_know():
    findings, asked = found(404, b"", *ALL, lines='token = "t0k3n-of-ours"')

    assert [each.state for each in findings.values()] == ["ok"] * 4
    assert {method for method, _, _ in asked} == {"GET"}
    assert {path.split("/")[2] for _, path, _ in asked} == {*ALL}
    assert {h["Authorization"] for _, _, h in asked} == {"Bearer t0k3n-of-ours"}


@pytest.mark.parametrize(
    ("status", "body", "state", "told"),
    [
        (401, b"", "wrong", "see token of [services.fraud]"),
        (403, b"", "wrong", "see token of [services.fraud]"),
        (405, b"", "wrong", "set asks = false in [services.fraud]"),
        (501, b"", "wrong", "set asks = false in [services.fraud]"),
        (
            404,
            b"<html>nginx",
            "advice",
            "404 to a step it never heard of, with an HTML",
        ),
        (200, b"<html>Welcome", "wrong", "base_url of [services.fraud]"),
        (301, b"", "wrong", "base_url of [services.fraud]"),
        (500, b"", "wrong", "404 is due"),
        (200, {"status": "done"}, "wrong", "says: done"),
        (200, {"status": "refused"}, "wrong", "says: refused"),
        (200, {"status": "pending"}, "wrong", "says: pending"),
    ],
)
def test_what_is_wrong_is_told_with_how_to_mend_it(status, body, state, told):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    findings, _ = found(status, raw, *ALL)

    assert findings["fraud"].state == state
    assert told in f"{findings['fraud'].told} → {findings['fraud'].mend}"


def test_one_that_is_not_there_is_told():
    findings, _ = found(404, b"", *ALL, "items", url="http://127.0.0.1:9")

    assert {each.state for each in findings.values()} == {"wrong"}
    assert "base_url of [services.items]" in findings["items"].mend


def test_who_cannot_be_asked_is_only_connected_to():
    findings, asked = found(200, b"", *ALL, lines="asks = false")
    loaded, nothing = found(200, b"", "items")

    assert {each.state for each in findings.values()} == {"ok"}
    assert loaded["items"].state == "ok"
    assert asked == nothing == []


def test_a_step_without_a_service_is_told_where_there_are_others():
    findings, _ = found(404, b"", "fraud", "payment")

    assert findings["delivery"].state == "wrong"
    assert "every checkout is rejected" in findings["delivery"].told
    assert found(404, b"")[0] == {}


@pytest.mark.parametrize(
    ("name", "lines", "told"),
    [
        ("items", "", "Loads for the steps"),
        ("fraud", "", "Given up after 10 tries: the order is undone."),
        ("payment", 'deadline = "2m"', "after 10 tries or 2m: undone"),
        ("merchant", "asks = false", "it cannot be asked."),
        ("merchant", "", "a person decides"),
        (
            "fraud",
            'default = { after = "9s", result = {} }',
            "Away for 9s, its default holds",
        ),
    ],
)
def test_how_a_service_is_treated_is_told_in_words(name, lines, told):
    table = configured("http://s.internal", name, lines=lines).services[name]

    assert told in " ".join(service_in_words(table))


def test_a_token_that_can_be_read_on_the_way_is_told():
    config = configured("http://s.internal", "fraud", lines='token = "t0k3n-of-ours"')
    here = configured("http://127.0.0.1:9", "fraud", lines='token = "t0k3n-of-ours"')
    bare = configured("http://s.internal", "fraud")
    settings = Settings(_env_file=None)

    (finding,) = of_calls(settings, config)
    (other,) = of_calls(settings, bare)
    assert finding.state == "advice"
    assert "its token too" in finding.told
    assert "token" not in other.told
    assert [*of_calls(settings, here)] == []
