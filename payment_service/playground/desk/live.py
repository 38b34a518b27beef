"""What happens to orders, as it happens: the events that everybody may hear."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import nats
import orjson
from nats.aio.msg import Msg

from payment_service.playground.world import World

EVENTS: Final = "order.event.>"


async def events_told(
    stage: World,
    *,
    listening: Callable[[], None],
    said: Callable[[dict[str, Any]], None],
) -> None:
    """Tell each event until this is cancelled; one that comes twice is told once.

    ``listening`` is called when none is missed from there on.
    """
    known: set[str] = set()

    async def hear(message: Msg) -> None:
        event = orjson.loads(message.data)
        if event.get("event_id") not in known:
            known.add(str(event.get("event_id")))
            said(event)

    client = await nats.connect(stage.nats_url, max_reconnect_attempts=-1)
    try:
        await client.subscribe(EVENTS, cb=hear)
        await client.flush()
        listening()
        await asyncio.Event().wait()
    finally:
        await client.close()
