"""What an adapter does with a token: fetched once, carried, and renewed."""

from typing import Final

from providers.port import Declined, NotSent
from providers.testing.conformance.fake_server import saying
from providers.testing.conformance.harness import NotHere, Stage
from providers.testing.conformance.scenario import Scenes
from providers.testing.conformance.token_desk import TokenDesk
from providers.testing.conformance.vocabulary import Call, Reply

SCENES: Final = Scenes[Stage]()
REFUSED: Final = Reply(status=401)


def _desk(stage: Stage) -> TokenDesk:
    if stage.desk is None:
        raise NotHere("its table fetches no token")
    return stage.desk


@SCENES.scene("token-once", "A token is fetched as the table says, once for all calls.")
async def once(stage: Stage) -> None:
    desk = _desk(stage)
    for call in Call:
        if stage.can(call):
            await stage.ask(call, saying(Reply(status=500)), f"a {call}")
            stage.heard(f"a {call}")
    stage.must(not desk.wrong, "; ".join(desk.wrong))
    stage.must(desk.given == 1, f"it fetched {desk.given} tokens, not one")


@SCENES.scene("token-away", "Without a token nothing is sent, and nothing is claimed.")
async def away(stage: Stage) -> None:
    _desk(stage).away = True
    for call in Call:
        if stage.can(call):
            manner = saying(Reply(status=500))
            await stage.expect(call, manner, [NotSent], f"a {call} without a token")
            stage.must(
                not stage.counterpart.heard, f"a {call}: it was sent without one"
            )


@SCENES.scene(
    "token-refused",
    "A refused token is renewed; its create is not refused, and not repeated.",
)
async def refused(stage: Stage) -> None:
    _desk(stage)
    answer = await stage.ask(Call.CREATE, saying(REFUSED), "a refused create")
    stage.must(not isinstance(answer, Declined), "a refused token is taken for a no")
    first = stage.carried()
    await stage.ask(Call.CREATE, saying(Reply(status=500)), "the next create")
    stage.must(stage.carried() not in {first, None}, "the refused token is sent again")
