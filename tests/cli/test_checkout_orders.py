"""Checkouts at the command line: listed by kind, shown with each step, verified."""

import asyncio
import json
from dataclasses import replace

import pytest

from handlers.submit import submit
from payment_service.playground.memory.services import MemoryService, MemoryServices
from payment_service.wire.checkout import EXAMPLE, STEPS, read_checkout
from tests.cli.stage import Here, with_world


@pytest.fixture
def shell(tmp_path):
    """Run commands in this process: how they start is tested elsewhere."""
    return Here(tmp_path)


@pytest.fixture
async def bought(database_url):
    """Have the example bought, of services in memory."""

    async def work(world):
        services = MemoryServices(*map(MemoryService, STEPS))
        world.ports = replace(world.ports, services=services)
        request = read_checkout(json.dumps(EXAMPLE).encode(), STEPS)
        done = await submit(
            request, ports=world.ports, actor="key:shop", trace_parent=None
        )
        return await world._rest(done.queue_id)

    return await with_world(database_url, work)


async def run(shell, *words):
    return await asyncio.to_thread(shell, *words)


async def test_a_checkout_is_listed_by_its_kind(at_database, bought):
    listed = await run(at_database, "order", "list", "--kind", "checkout", "--json")
    others = await run(at_database, "order", "list", "--kind", "withdrawal")
    table = await run(at_database, "order", "list")

    assert [order["queue_id"] for order in listed.json["orders"]] == [bought.queue_id]
    assert others.out == "No order matches.\n"
    assert "checkout" in table.out
    assert all(f"{step} SUCCEEDED" in table.out for step in STEPS)


async def test_a_checkout_is_shown_with_its_steps_and_without_its_token(
    at_database, bought
):
    shown = await run(at_database, "order", "show", bought.order_id)
    as_json = await run(at_database, "order", "show", bought.order_id, "--json")

    assert (shown.code, as_json.code) == (0, 0)
    for step in STEPS:
        assert step in shown.out
    assert as_json.json["kind"] == "checkout"
    assert [task["name"] for task in as_json.json["tasks"]] == [*STEPS]
    for told in (shown.out, as_json.out):
        assert EXAMPLE["payment_method"]["token"] not in told
        assert EXAMPLE["delivery"]["city"] not in told


async def test_verify_finds_a_checkout_well(at_database, bought):
    answer = await run(at_database, "verify", "--json")

    assert answer.json["offences"] == []
    assert answer.json["orders"] == 1
    assert bought.queue.tasks[0].result is not None
