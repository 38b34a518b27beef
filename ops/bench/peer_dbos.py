"""A rival: the same withdrawal as a workflow of DBOS Transact, on PostgreSQL alone.

Each freeze, create, rollback, commit and notification is a durable step of its own,
against the same mocks: 10 calls and 10 steps an order, one process.
"""
# mypy: disable-error-code="import-not-found,untyped-decorator"
# Checked with and without the rival, which is not a dependency.

import sys
import uuid
from typing import Final

import aiohttp
import uvloop
from dbos import DBOS, DBOSConfig, SetWorkflowID

from ops.bench.contestant import Clocked, compete

PROVIDERS: Final = ("declines", "declines", "approves")
CONNECTIONS_MAX: Final = 256
COMPLETED: Final = "completed"
OK: Final = 200


class Outside:
    """The other side of the calls; set before the first workflow starts."""

    mocks: str = ""
    http: aiohttp.ClientSession

    @classmethod
    async def post(cls, path: str, body: dict[str, object]) -> tuple[int, str]:
        """Call and return what the answer says."""
        async with cls.http.post(f"{cls.mocks}/{path}", json=body) as answer:
            said = await answer.json()
            return answer.status, str(said["status"])


@DBOS.step(retries_allowed=True, max_attempts=5)
async def balance(operation: str, task: str) -> None:
    """Move the balance at core."""
    status, _ = await Outside.post(f"core/{operation}", {"task_id": task})
    if status != OK:
        raise RuntimeError(f"core answered {status}")


@DBOS.step()
async def create(provider: str, task: str) -> str:
    """Ask a provider for the payout."""
    body: dict[str, object] = {"task_id": task, "amount": 1000}
    _, said = await Outside.post(f"{provider}/create", body)
    return said


@DBOS.step(retries_allowed=True, max_attempts=5)
async def notify(order: str, outcome: str) -> None:
    """Tell core the outcome."""
    await Outside.post("core/notify", {"order_id": order, "status": outcome})


@DBOS.workflow()
async def withdraw(order: str) -> str:
    """Go down the cascade until a provider pays."""
    for position, provider in enumerate(PROVIDERS):
        task = f"{order}-{position}"
        await balance("freeze", task)
        if await create(provider, task) == "succeeded":
            await balance("commit", task)
            await notify(order, COMPLETED)
            return COMPLETED
        await balance("rollback", task)
    await notify(order, "failed")
    return "failed"


async def one() -> None:
    """Run one order to its end."""
    order = str(uuid.uuid4())
    with SetWorkflowID(order):
        handle = await DBOS.start_workflow_async(withdraw, order)
    if await handle.get_result() != COMPLETED:
        raise RuntimeError(f"order {order} did not complete")


async def main(arguments: list[str]) -> None:
    """Compete: the addresses, then how many orders, in flight, and to warm up."""
    url, Outside.mocks = arguments[:2]
    orders, in_flight, warm_up = map(int, arguments[2:])
    connector = aiohttp.TCPConnector(limit=CONNECTIONS_MAX)
    async with aiohttp.ClientSession(connector=connector) as http:
        Outside.http = http
        config = DBOSConfig(name="bench", system_database_url=url, log_level="ERROR")
        DBOS(config=config)
        DBOS.launch()
        try:
            await compete(Clocked(in_flight, one), orders, warm_up)
        finally:
            DBOS.destroy()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
