"""What an adapter shows of what nobody may see."""

from typing import Final

from providers.testing.conformance.fake_server import saying
from providers.testing.conformance.harness import Stage
from providers.testing.conformance.scenario import Scenes
from providers.testing.conformance.vocabulary import (
    WORDS_FOR_PEOPLE,
    Call,
    Reply,
    Saying,
)

SCENES: Final = Scenes[Stage]()


@SCENES.scene("secrets-hidden", "Neither the adapter nor its table shows a secret.")
async def hidden(stage: Stage) -> None:
    parts = {"the adapter": stage.provider, "its table": stage.rehearsal.table}
    for name, part in parts.items():
        stage.hide(f"{part!r} {part!s}", name)


@SCENES.scene(
    "secrets-destination", "No answer shows where the money goes, even if told."
)
async def destination(stage: Stage) -> None:
    shown = [v for n, v in stage.destination.items() if n != "type"]
    for call in Call:
        for said in (Saying.DECLINED, Saying.UNLISTED_CODE, Saying.SUCCEEDED):
            replies = stage.double.replies(call, said, stage.deal)
            for label, reply in replies.items():
                words = " ".join(shown).encode()
                body = reply.body.replace(WORDS_FOR_PEOPLE.encode(), words)
                told = Reply(status=reply.status, body=body, headers=reply.headers)
                answer = await stage.ask(call, saying(told), label)
                stage.must(
                    not any(value in repr(answer) for value in shown),
                    f"{label}: it shows the destination",
                )
