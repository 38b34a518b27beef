"""Scenarios of notifications: an order's end is taken, as often as it is told."""

import asyncio
from typing import Final

from providers.core.shapes import FINAL_TYPES
from providers.testing.conformance.core.scenario import NOTIFICATIONS, scene
from providers.testing.conformance.core.stage import AT_ONCE, CoreStage

TAKE: Final = (
    "Answer any 2xx once it is stored, also what you have heard before and what you "
    "have no use for: all else is sent again for ever"
)


@scene(NOTIFICATIONS, "notify-done", "the end of an order is taken with a 2xx")
async def _done(stage: CoreStage) -> None:
    told = await stage.notify(stage.samples.outcome())
    order = "where orders are looked up, name one with --order"
    stage.done(told, "a notification", f"{TAKE}; {order}")


@scene(NOTIFICATIONS, "notify-repeated", "one that was heard before is taken again")
async def _repeated(stage: CoreStage) -> None:
    event = stage.samples.outcome()
    await stage.notify(event)
    stage.done(await stage.notify(event), "a notification again", TAKE)
    for told in await asyncio.gather(*(stage.notify(event) for _ in range(AT_ONCE))):
        stage.done(told, "one of several notifications at once", TAKE)


@scene(NOTIFICATIONS, "notify-every-end", "each end of each kind of order is taken")
async def _every_end(stage: CoreStage) -> None:
    for kind in FINAL_TYPES:
        told = await stage.notify(stage.samples.outcome(kind))
        stage.done(told, f"a notification of {kind}", TAKE)


@scene(
    NOTIFICATIONS, "notify-odd", "without money, and with a member more, it is taken"
)
async def _odd(stage: CoreStage) -> None:
    event = dict(stage.samples.outcome("partner_link.completed"))
    for name in ("amount", "currency", "code"):
        del event[name]
    more = {**event, "result": "linked", "a_new_member": [1]}
    told = await stage.notify(more)
    stage.done(told, "a notification without money, with a member more", TAKE)
