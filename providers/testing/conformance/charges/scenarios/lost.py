"""What an adapter makes of a charge whose answer never comes."""

import socket
from contextlib import closing
from typing import Final

from handlers.ports.services import (
    ServiceNotSent,
    ServiceUnclear,
)
from providers.testing.conformance.charge_doubles.vocabulary import (
    ChargeCall,
    ChargeSaying,
)
from providers.testing.conformance.charges.stage import ChargeStage
from providers.testing.conformance.fake_server import (
    breaking_off,
    hang_up,
    reset_after_request,
    reset_in_request,
    silence,
)
from providers.testing.conformance.scenario import IMPATIENT, Scenes

SCENES: Final = Scenes[ChargeStage]()
DONE: Final = ChargeSaying.DONE
DECLINED: Final = ChargeSaying.DECLINED


@SCENES.scene("charge-not-sent", "A connection that was never made is NotSent.")
async def not_sent(stage: ChargeStage) -> None:
    with closing(socket.socket()) as taken:
        # Bound, and nobody listens: the port refuses for as long as this is open.
        taken.bind(("127.0.0.1", 0))
        stage.lead_to(f"http://127.0.0.1:{taken.getsockname()[1]}")
        for call in ChargeCall:
            await stage.expect(call, silence, [ServiceNotSent], f"a {call}")


@SCENES.scene(
    "charge-timeout",
    "A request that is not answered in time proves nothing.",
    timeout=IMPATIENT,
)
async def timeout(stage: ChargeStage) -> None:
    for call in ChargeCall:
        await stage.expect(call, silence, [ServiceUnclear], f"silence after a {call}")


@SCENES.scene(
    "charge-reset", "A connection that breaks once a byte has left proves nothing."
)
async def reset(stage: ChargeStage) -> None:
    manners = {
        "a reset before the request was read": reset_in_request,
        "a reset after the request was read": reset_after_request,
        "a connection closed without a word": hang_up,
    }
    for call in ChargeCall:
        for label, manner in manners.items():
            await stage.expect(call, manner, [ServiceUnclear], f"{label} (a {call})")
        for said in (DONE, DECLINED):
            for label, reply in list(stage.replies(call, said).items())[:1]:
                case = f"{label}, broken off (a {call})"
                await stage.expect(call, breaking_off(reply), [ServiceUnclear], case)
