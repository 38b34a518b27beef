"""Providers that are paused, hang or want to be left alone, with real sockets."""

import re

import pytest

from tests.service.stage import a_withdrawal, staged

QUICK = """
max_in_flight = 5
breaker = { min_calls = 5, open = "500ms", probes = 1 }
health = { patience = "5m", release = "100/s" }
"""
MANY, HANG = 40, 8


async def steer(stage, name, what, **said):
    body = {"reason": "the provider told us", **said}
    path = f"/v1/providers/{name}/{what}"
    status, _ = await stage.call("POST", path, role="admin", body=body)
    assert status == 200


async def gauge(stage, name):
    """Return what the worker itself goes by, not what the table says."""
    async with stage.http.get(f"{stage.url}/metrics") as answer:
        page = await answer.text()
    return re.findall(rf'provider_breaker_state{{provider="{name}"}} (\S+)', page)


async def followed(stage, name, number):
    async def look():
        return await gauge(stage, name) == [number]

    await stage.until(look)


async def test_a_paused_provider_gets_no_new_work_until_it_is_resumed(stage):
    await steer(stage, "acme", "pause")
    await followed(stage, "acme", "3.0")

    await stage.ask(a_withdrawal("w-1"))
    first = await stage.final("w-1")
    _, shown = await stage.call("GET", "/v1/providers", role="viewer")
    await steer(stage, "acme", "resume")
    await followed(stage, "acme", "0.0")
    await stage.ask(a_withdrawal("w-2"))
    second = await stage.final("w-2")

    assert [t["state"] for t in first["tasks"]] == ["SKIPPED", "SUCCEEDED", "SKIPPED"]
    assert first["tasks"][0]["code"] == "provider_paused"
    assert [t["state"] for t in second["tasks"]] == ["SUCCEEDED", "SKIPPED", "SKIPPED"]
    acme = next(p for p in shown["providers"] if p["name"] == "acme")
    assert acme["state"] == "paused"
    assert acme["because"] == "paused by key:admin: the provider told us"
    (paused,) = await stage.until(lambda: stage.told("provider.paused"))
    (resumed,) = await stage.until(lambda: stage.told("provider.resumed"))
    assert paused["message"] == resumed["message"] == "the provider told us"
    assert (paused["provider"], paused["actor"]) == ("acme", "key:admin")
    assert stage.core.check() == []


async def test_where_all_are_paused_an_order_waits_and_then_completes(stage):
    for name in ("acme", "zeta", "nova"):
        await steer(stage, name, "pause", **{"for": "1s"})
    await followed(stage, "nova", "3.0")

    await stage.ask(a_withdrawal("w-1"))

    order = await stage.final("w-1")
    assert order["state"] == "COMPLETED"
    assert stage.core.holds() == {}
    assert stage.simulator.book.executed() == 1


@pytest.mark.parametrize("body", [{"for": "soon"}, {"for": "0s"}, {"for": 7}])
async def test_a_pause_of_no_length_is_refused(stage, body):
    status, problem = await stage.call(
        "POST",
        "/v1/providers/acme/pause",
        role="admin",
        body={"reason": "r", **body},
    )

    assert (status, "for" in str(problem)) == (422, True)


async def test_a_provider_that_hangs_holds_up_nobody_else_and_loses_nothing(
    database_url, nats_server, subject_prefix
):
    async with staged(
        database_url, nats_server.url, subject_prefix, table=QUICK, sla="5s"
    ) as stage:
        acme, zeta = ({"cascade": [{"provider": name}]} for name in ("acme", "zeta"))
        for n in range(HANG):
            await ask_for(stage, f"h-{n}", "commit_hang", acme)
        await followed(stage, "acme", "2.0")

        for n in range(MANY):
            await ask_for(stage, f"z-{n}", "succeed", zeta)
            await ask_for(stage, f"a-{n}", "succeed", acme)
        await stage.until(lambda: done(stage, "z-") == MANY)
        assert done(stage, "a-") < MANY, "nobody had to wait"
        await stage.until(lambda: done(stage, "") == HANG + 2 * MANY)

        assert stage.simulator.book.executed() == HANG + 2 * MANY
        assert stage.core.check() == []
        assert stage.core.holds() == {}


async def ask_for(stage, order_id, script, cascade):
    wanted = a_withdrawal(order_id, script, **cascade)
    await stage.publish("withdrawal.requested", wanted)


def done(stage, prefix):
    told = stage.told("withdrawal.completed")
    return sum(event["order_id"].startswith(prefix) for event in told)


async def test_a_provider_that_asks_for_silence_is_left_alone_for_so_long(
    database_url, nats_server, subject_prefix
):
    async with staged(
        database_url, nats_server.url, subject_prefix, table=QUICK
    ) as stage:
        await stage.ask(a_withdrawal("w-1", "acme=rate_limit,*=decline"))

        await followed(stage, "acme", "2.0")
        await followed(stage, "acme", "0.0")

        assert (await stage.final("w-1"))["state"] == "COMPLETED"
        assert stage.simulator.book.executed() == 1
