"""What a provider that hangs costs the orders of the others."""

import asyncio
import statistics
from contextlib import AsyncExitStack
from typing import Final

from ops.bench import results
from ops.bench.holding import Holding
from ops.bench.load import Load, request
from ops.bench.targets import Figure
from ops.bench.world import (
    Stage,
    World,
    connected,
    serving,
    split,
    staged,
    with_provider,
)
from payment_service.bus import NatsClient
from payment_service.bus.protocol import publication

WELL: Final = ("well-1", "well-2", "well-3", "well-4")
ANSWERS: Final = "answers"
HANGS: Final = "hangs"
HANG_SECONDS: Final = 60.0
HEAD_START_SECONDS: Final = 3.0
SHARE_AT_LEAST: Final = 0.9


async def measure(
    world: World, *, orders: int, in_flight: int, away: int, rounds: int
) -> None:
    """Drive orders over four providers, while others go to a fifth: one that hangs.

    In the rounds they are held against, the fifth gets as many orders and answers.
    """
    rates: dict[str, list[float]] = {ANSWERS: [], HANGS: []}
    async with AsyncExitStack() as stack:
        for name, seconds in ((ANSWERS, 0.0), (HANGS, HANG_SECONDS)):
            url = await stack.enter_async_context(Holding(seconds).serving())
            with_provider(world, name, url)
        for name in WELL:
            with_provider(world, name, f"{world.mocks.url}/approves")
        for _ in range(rounds):
            for name, found in rates.items():
                found.append(await _round(world, name, orders, in_flight, away))
    beside, alone = (statistics.median(rates[name]) for name in (HANGS, ANSWERS))
    figures = [
        Figure("four providers, the fifth answers", alone, "orders/s"),
        Figure("four providers, the fifth hangs", beside, "orders/s"),
        Figure(
            "share of the rate that is left",
            beside / alone,
            "",
            at_least=SHARE_AT_LEAST,
        ),
    ]
    detail = {name: [round(rate, 1) for rate in found] for name, found in rates.items()}
    results.keep("bulkhead", figures, detail, mocks=world.mocks.made_by)


async def _round(
    world: World, fifth: str, orders: int, in_flight: int, away: int
) -> float:
    """Return how many orders a second the four have brought to their end."""
    async with staged(world) as stage, serving(stage, split(1)):
        wire = await connected(stage)
        loads = [Load(wire, stage, label=f"{stage.prefix}-{name}") for name in WELL]
        for load in loads:
            await load.open()
        beside = asyncio.create_task(_send(wire, stage, fifth, away))
        await asyncio.sleep(HEAD_START_SECONDS)
        timed = await asyncio.gather(
            *(
                load.closed(orders // len(WELL), in_flight // len(WELL), (name,))
                for load, name in zip(loads, WELL, strict=True)
            )
        )
        beside.cancel()
        await wire.close()
    return sum(len(each.latencies) for each in timed) / max(t.seconds for t in timed)


async def _send(wire: NatsClient, stage: Stage, provider: str, a_second: int) -> None:
    """Send orders to one provider, whatever becomes of them, until cancelled."""
    subject, inbox = stage.names.subject("withdrawal.requested"), wire.new_inbox()
    number = 0
    while True:
        number += 1
        body = request(f"{stage.prefix}-beside-{number:07d}", (provider,))
        wire.send(publication(subject, body, reply=inbox))
        await asyncio.sleep(1 / a_second)
