"""The load of the demo: withdrawals, checkouts, links, and a truthful support desk."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import nats
import orjson

from payment_service.playground.demo.checkouts import SHARE
from payment_service.playground.demo.links import SHARE as LINK_SHARE
from payment_service.playground.demo.world import World
from providers.testing.simulator import story
from providers.testing.simulator.script import PayoutState

PER_SECOND: Final = 40
HTTP_SHARE: Final = 5
"""Every fifth order comes in over HTTP, the others over NATS."""

CASCADE: Final = 9
"""How many of the dozen an order may try; merchants rank them differently."""

AMOUNTS: Final = (1_500, 12_550, 4_990, 250_000, 99)


@dataclass(frozen=True, slots=True)
class SentOrder:
    """An order that was sent, and the destination that decides its fate."""

    order_id: str
    token: str
    amount: int
    cascade: tuple[str, ...]


def orders(count: int, seed: int) -> list[SentOrder]:
    """Return the orders of a demo; the same seed gives the same ones."""
    names = tuple(story.PROFILES)
    return [
        SentOrder(
            order_id=f"w-{n:05d}",
            token=f"tok_demo_{seed}_{n:05d}",
            amount=AMOUNTS[n % len(AMOUNTS)],
            cascade=_rotated(names, n)[:CASCADE],
        )
        for n in range(count)
    ]


def _rotated(names: tuple[str, ...], by: int) -> tuple[str, ...]:
    at = by % len(names)
    return names[at:] + names[:at]


def request_of(sent: SentOrder) -> bytes:
    """Return the request as an upstream core service would send it."""
    return orjson.dumps(
        {
            "order_id": sent.order_id,
            "merchant_id": "m-demo",
            "customer_id": f"c-{sent.order_id[-2:]}",
            "amount": sent.amount,
            "currency": "EUR",
            "destination": {"type": "card", "token": sent.token},
            "cascade": [{"provider": name} for name in sent.cascade],
            "metadata": {"channel": "demo"},
        }
    )


async def send_all(
    world: World,
    batch: Sequence[SentOrder],
    checkouts: Sequence[bytes],
    links: Sequence[bytes],
) -> None:
    """Send the orders at a steady pace; repeat none that was acknowledged."""
    left, cards = list(checkouts), list(links)
    client = await nats.connect(world.nats_url)
    stream = client.jetstream()
    try:
        async with aiohttp.ClientSession(headers=_auth(world.keys["upstream"])) as http:
            for n, sent in enumerate(batch):
                body = request_of(sent)
                if n % HTTP_SHARE == 0:
                    await _post(http, f"{world.api_url}/v1/withdrawals", body)
                else:
                    await stream.publish("withdrawal.requested", body)
                if n % SHARE == 0 and left:
                    await stream.publish("checkout.requested", left.pop(0))
                if n % LINK_SHARE == 0 and cards:
                    await stream.publish("partner.link.requested", cards.pop(0))
                await asyncio.sleep(1 / PER_SECOND)
    finally:
        await client.close()


def _auth(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def _post(http: aiohttp.ClientSession, url: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    async with http.post(url, data=body, headers=headers) as answer:
        if answer.status not in {200, 202}:
            raise RuntimeError(f"{url} answered {answer.status}")


async def decide_manual_checks(world: World, task_ids: Sequence[str]) -> None:
    """Decide each check by what the provider's own book says, as support would.

    What is still under way there is called off first: the service asks before it acts
    on a no, and a payout that may yet be paid would stop it.
    """
    book = world.simulator.book
    async with aiohttp.ClientSession(headers=_auth(world.keys["support"])) as http:
        for task_id in task_ids:
            for payout in book.of(task_id):
                book.move(payout, PayoutState.CANCELLED, at=time.time())
            paid = book.executed(task_id) > 0 or world.simulator.services.did(task_id)
            body: dict[str, Any] = {
                "decision": "positive" if paid else "negative",
                "reason": "the provider's statement of account",
            }
            url = f"{world.api_url}/v1/tasks/{task_id}/resolution"
            async with http.post(url, json=body) as answer:
                # 409: a late webhook settled it in the meantime.
                if answer.status not in {200, 409}:
                    raise RuntimeError(f"{url} answered {answer.status}")
