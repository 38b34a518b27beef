"""What the tests here ask of a running service."""

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql

from tests.service.stage import a_withdrawal

ORDERS = 12
# With this nothing but requests touches the database: a pool is idle when nobody asks.
QUIET: dict[str, Any] = {"sweep_interval": timedelta(minutes=10)}
PATIENCE_SECONDS = 20.0
REPEAT_SECONDS = 0.2


async def pays(stage, count=ORDERS, name="w"):
    """Send withdrawals at once, by HTTP and NATS in turn, and see every one paid.

    Each is accepted when it is first sent.
    """
    orders = [f"{name}-{number}" for number in range(count)]
    await asyncio.gather(*(_send(stage, order_id) for order_id in orders))
    await paid(stage, orders)


async def posts(stage, count=ORDERS, name="w"):
    """Send withdrawals by HTTP at once; return (order ids, status codes)."""
    orders = [f"{name}-{number}" for number in range(count)]
    return orders, await asyncio.gather(*(post(stage, o) for o in orders))


async def post(stage, order_id):
    """Send one withdrawal by HTTP and return the status code."""
    body = a_withdrawal(order_id)
    status, _ = await stage.call("POST", "/v1/withdrawals", role="upstream", body=body)
    return status


async def insists(stage, order_id):
    """Send a withdrawal as an upstream does: again and again until it is taken."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (status := await post(stage, order_id)) not in {200, 202}:
            assert status == 503, status
            await asyncio.sleep(REPEAT_SECONDS)


async def paid(stage, orders):
    """Wait until all of these are paid, and core agrees."""
    found = await asyncio.gather(*(_rests(stage, order_id) for order_id in orders))
    assert {order["state"] for order in found} == {"COMPLETED"}
    assert stage.core.check() == []
    assert stage.letters == []


async def _rests(stage, order_id):
    """Ask until the order is final: a question may fail where the database does."""

    async def look():
        status, order = await stage.call(
            "GET", f"/v1/orders/{order_id}?wait=5s", role="viewer"
        )
        return order if status == 200 and order["state"] != "ACTIVE" else None

    return await stage.until(look)


async def _send(stage, order_id):
    if order_id[-1] in "02468":
        assert await post(stage, order_id) == 202
    else:
        answer = await stage.ask(a_withdrawal(order_id))
        assert answer["status"] == "accepted", answer


def set_on_database(url, **settings):
    """Set these for everybody who connects to the database."""
    name = sql.Identifier(url.rpartition("/")[2])
    _set(url, sql.SQL("DATABASE {}").format(name), settings)


def set_on_role(url, **settings):
    """Set these for whoever connects as the user of the URL."""
    _set(url, sql.SQL("ROLE CURRENT_USER"), settings)


def _set(url, whom, settings):
    with psycopg.connect(url, autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(
                sql.SQL("ALTER {} SET {} = {}").format(
                    whom, sql.Identifier(name.lower()), sql.Literal(value)
                )
            )
