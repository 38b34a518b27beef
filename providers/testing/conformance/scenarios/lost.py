"""What an adapter makes of a create whose answer never comes, or comes in pieces."""

import socket
from contextlib import closing
from typing import Final

from providers.config import Config
from providers.port import NotSent, Unclear
from providers.registry import build_providers
from providers.testing.conformance.fake_server import (
    breaking_off,
    dripping,
    hang_up,
    reset_after_request,
    reset_in_request,
    silence,
)
from providers.testing.conformance.harness import PUBLIC_URL, Stage
from providers.testing.conformance.scenario import IMPATIENT, Scenes
from providers.testing.conformance.vocabulary import Call, Saying

SCENES: Final = Scenes[Stage]()


@SCENES.scene("lost-refused", "A connection that was never made is NotSent.")
async def refused(stage: Stage) -> None:
    with closing(socket.socket()) as taken:
        # Bound, and nobody listens: the port refuses for as long as this is open.
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        table = stage.rehearsal.table.model_copy(update={"base_url": url})
        config = Config(providers={table.name: table})
        made = build_providers(config, stage.outbound, public_url=PUBLIC_URL)
        stage.provider = made.get(table.name) or stage.provider
        for call in Call:
            if call is Call.CREATE or stage.can(call):
                await stage.expect(call, silence, [NotSent], f"a {call}")


@SCENES.scene(
    "lost-timeout",
    "A request that is not answered in time proves nothing.",
    timeout=IMPATIENT,
)
async def timeout(stage: Stage) -> None:
    for call in Call:
        if call is Call.CREATE or stage.can(call):
            await stage.expect(call, silence, [Unclear], f"silence after a {call}")


@SCENES.scene(
    "lost-slow",
    "An answer that drips past the time limit proves nothing.",
    timeout=IMPATIENT,
)
async def slow(stage: Stage) -> None:
    for saying in (Saying.ACCEPTED, Saying.SUCCEEDED, Saying.DECLINED):
        replies = stage.double.replies(Call.CREATE, saying, stage.deal)
        for label, reply in list(replies.items())[:1]:
            await stage.expect(Call.CREATE, dripping(reply), [Unclear], label)


@SCENES.scene(
    "lost-reset", "A connection that breaks once a byte has left proves nothing."
)
async def reset(stage: Stage) -> None:
    manners = {
        "a reset before the request was read": reset_in_request,
        "a reset after the request was read": reset_after_request,
        "a connection closed without a word": hang_up,
    }
    for call in Call:
        if call is Call.CREATE or stage.can(call):
            for label, manner in manners.items():
                await stage.expect(call, manner, [Unclear], f"{label} (a {call})")


@SCENES.scene(
    "lost-half", "An answer that breaks off proves nothing, whatever it began with."
)
async def half(stage: Stage) -> None:
    for saying in (Saying.ACCEPTED, Saying.SUCCEEDED, Saying.DECLINED):
        replies = stage.double.replies(Call.CREATE, saying, stage.deal)
        for label, reply in list(replies.items())[:1]:
            await stage.expect(Call.CREATE, breaking_off(reply), [Unclear], label)
