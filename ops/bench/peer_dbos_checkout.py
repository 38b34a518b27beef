"""A rival: the same checkout as a workflow of DBOS Transact, on PostgreSQL alone.

Each call is a durable step, made at once with others where it can be; or all fetches
together are one, as the service keeps them in one write. A step that is refused has
those undone that were done, last first.
"""
# mypy: disable-error-code="import-not-found,untyped-decorator"
# Checked with and without the rival, which is not a dependency.

import asyncio
import sys
import uuid
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import orjson
import uvloop
from dbos import DBOS, DBOSConfig, SetWorkflowID

from handlers.checkout.load import PLAN
from handlers.executor import run
from ops.bench.checkouts import TOGETHER
from ops.bench.contestant import Clocked, compete
from ops.bench.load import checkout

CONNECTIONS_MAX: Final = 256
COMPLETED: Final = "completed"
OK: Final = 200
REFUSED: Final = frozenset({409, 422})
Told = dict[str, Any]


class Refused(RuntimeError):
    """A service has said no."""


class Outside:
    """The other side of the calls; set before the first workflow starts."""

    mocks: str = ""
    together = False
    http: aiohttp.ClientSession

    @classmethod
    async def post(cls, path: str, body: Mapping[str, object], key: str = "") -> Told:
        """Call and return what the answer says.

        :raises Refused: it says no.
        :raises RuntimeError: it says nothing definite; DBOS tries again.
        """
        headers = {"Idempotency-Key": key} if key else {}
        url = f"{cls.mocks}/{path}"
        async with cls.http.post(url, json=body, headers=headers) as answer:
            said: Told = await answer.json()
            if answer.status in REFUSED:
                raise Refused(path)
            if answer.status != OK:
                raise RuntimeError(f"{path} answered {answer.status}")
            return said


FETCHES: Final = (
    ("items", "merchant_profile", "customer"),
    ("availability", "payment_method"),
)
"""What is fetched at once, as the service's own plan has it."""


async def fetched(name: str, order: Told, given: Mapping[str, Told]) -> Told:
    """Fetch something that the steps need."""
    path = f"services/v1/load/{name}"
    return await Outside.post(path, {**order, "loaded": dict(given)})


fetch = DBOS.step(name="fetch", retries_allowed=True, max_attempts=5)(fetched)


@DBOS.step(retries_allowed=True, max_attempts=5)
async def load_together(order: Told) -> Told:
    """Fetch all that the steps need in one durable step."""

    async def one_of(name: str, given: Mapping[str, Told]) -> Told:
        return await fetched(name, order, given)

    return dict((await run(PLAN, one_of)).results)


async def load(order: Told) -> Told:
    """Fetch all that the steps need, at once where it can be."""
    if Outside.together:
        found: Told = await load_together(order)
        return found
    loaded: Told = {}
    for names in FETCHES:
        given = dict(loaded)
        found_now = await asyncio.gather(*(fetch(n, order, given) for n in names))
        loaded |= dict(zip(names, found_now, strict=True))
    return loaded


@DBOS.step(retries_allowed=True, max_attempts=5)
async def do(step: str, order: Told) -> Told | None:
    """Have a step done; return its result, None where it was refused."""
    key = f"{order['order_id']}-{step}:do"
    try:
        said = await Outside.post(f"services/v1/{step}", order, key)
    except Refused:
        return None
    result: Told = said["result"]
    return result


@DBOS.step(retries_allowed=True, max_attempts=5)
async def undo(step: str, order: Told) -> None:
    """Have a step undone."""
    key = f"{order['order_id']}-{step}:undo"
    await Outside.post(f"services/v1/{step}/reverse", order, key)


@DBOS.step(retries_allowed=True, max_attempts=5)
async def notify(order: str, outcome: str) -> None:
    """Tell core the outcome."""
    await Outside.post("core/notify", {"order_id": order, "status": outcome})


@DBOS.workflow()
async def check_out(order: Told) -> str:
    """Do all steps, or undo those that were done."""
    order = {**order, "loaded": await load(order)}
    done: Told = {}
    for stage in (("fraud",), ("payment", "delivery"), ("merchant",)):
        asked = {**order, "results": dict(done)}
        came = await asyncio.gather(*(do(step, asked) for step in stage))
        done |= {s: r for s, r in zip(stage, came, strict=True) if r is not None}
        if None in came:
            for step in reversed(done):
                if step != "fraud":
                    await undo(step, order)
            await notify(order["order_id"], "failed")
            return "failed"
    await notify(order["order_id"], COMPLETED)
    return COMPLETED


async def one() -> None:
    """Run one order to its end."""
    order = str(uuid.uuid4())
    with SetWorkflowID(order):
        handle = await DBOS.start_workflow_async(
            check_out, orjson.loads(checkout(order))
        )
    if await handle.get_result() != COMPLETED:
        raise RuntimeError(f"order {order} did not complete")


async def main(arguments: list[str]) -> None:
    """Compete: addresses, how fetches are made, orders, in flight, to warm up."""
    url, Outside.mocks, fetches = arguments[:3]
    Outside.together = fetches == TOGETHER
    orders, in_flight, warm_up = map(int, arguments[3:])
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
