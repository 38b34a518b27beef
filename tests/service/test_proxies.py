"""The whole service behind a proxy: core and every provider are called through it."""

import asyncio

from tests.service.stage import a_withdrawal, staged
from tests.wires.proxy import REFUSED, proxied


async def test_core_and_providers_are_called_through_the_proxy(
    monkeypatch, database_url, nats_server, subject_prefix
):
    async with proxied() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with staged(database_url, nats_server.url, subject_prefix) as stage:
            await stage.ask(a_withdrawal(script="acme=decline,zeta=succeed"))
            order = await stage.final("w-1")
            await stage.until(lambda: stage.core.notifications)

    assert order["state"] == "COMPLETED"
    called = {target for _, target in proxy.asked}
    theirs = {stage.core.url, stage.simulator.base_url("acme")}
    assert called == {url.split("/")[2] for url in theirs}
    assert stage.core.check() == []


async def test_a_proxy_that_refuses_delays_an_order_and_moves_no_money(
    monkeypatch, database_url, nats_server, subject_prefix
):
    async with proxied(answer=REFUSED % 403) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with staged(database_url, nats_server.url, subject_prefix) as stage:
            await stage.ask(a_withdrawal())
            await stage.until(lambda: len(proxy.asked) > 1)
            assert stage.core.holds() == {}
            assert stage.simulator.book.executed() == 0
            proxy.answer = None
            order = await stage.final("w-1")

    assert order["state"] == "COMPLETED"
    assert stage.simulator.book.executed() == 1
    assert stage.core.check() == []


async def test_tunnels_that_are_cut_under_requests_lose_no_money(
    monkeypatch, database_url, nats_server, subject_prefix
):
    async with proxied() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with staged(database_url, nats_server.url, subject_prefix) as stage:
            names = [f"w-{n}" for n in range(12)]
            for name in names:
                await stage.ask(a_withdrawal(name))
                for task in [*proxy.tasks]:
                    task.cancel()
            orders = await asyncio.gather(*(stage.final(name) for name in names))

    paid = [order for order in orders if order["state"] == "COMPLETED"]
    assert stage.simulator.book.executed() == len(paid)
    assert stage.core.holds() == {}
    assert stage.core.check() == []
