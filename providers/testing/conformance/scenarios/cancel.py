"""What an adapter makes of the answers to a cancellation."""

from typing import Final

from providers.port import Cancelled, NotSent, TooLate, Unclear
from providers.testing.conformance.corruptions import NEVER_A_NO, broken, errors
from providers.testing.conformance.fake_server import saying
from providers.testing.conformance.harness import NotHere, Stage
from providers.testing.conformance.scenario import Scenes
from providers.testing.conformance.vocabulary import Call, Reply, Saying

SCENES: Final = Scenes[Stage]()
CANCEL: Final = Call.CANCEL


@SCENES.scene("cancel-unasked", "A provider that cannot be asked goes on with it.")
async def unasked(stage: Stage) -> None:
    if stage.can(CANCEL):
        raise NotHere("it can be asked to cancel")
    reply = saying(Reply(status=500))
    await stage.expect(CANCEL, reply, [TooLate, Unclear], "a cancellation")


@SCENES.scene(
    "cancel-cancelled", "A payout that will not be paid any more is Cancelled."
)
async def cancelled(stage: Stage) -> None:
    for label, reply in stage.replies(CANCEL, Saying.CANCELLED).items():
        await stage.expect(CANCEL, saying(reply), [Cancelled], label)


@SCENES.scene("cancel-too-late", "A payout that goes on is TooLate.")
async def too_late(stage: Stage) -> None:
    for label, reply in stage.replies(CANCEL, Saying.TOO_LATE).items():
        await stage.expect(CANCEL, saying(reply), [TooLate], label)


@SCENES.scene(
    "cancel-no-yes", "Nothing but a plain yes is Cancelled: no error, page or new word."
)
async def no_yes(stage: Stage) -> None:
    yes = stage.some_reply(CANCEL, Saying.CANCELLED)
    said = stage.double.replies(CANCEL, Saying.CANCELLED, stage.deal).values()
    bare = {reply.status for reply in said if not reply.body}
    kinds = [Unclear, TooLate, NotSent]
    for label, reply in errors(401, 403, 404, *NEVER_A_NO):
        await stage.expect(CANCEL, saying(reply), kinds, label)
    for status in NEVER_A_NO:
        told = Reply(status=status, body=yes.body, headers=yes.headers)
        await stage.expect(CANCEL, saying(told), kinds, f"a yes with HTTP {status}")
    for label, spoilt in broken(yes):
        if spoilt.body or spoilt.status not in bare:
            await stage.expect(CANCEL, saying(spoilt), [Unclear], f"a yes with {label}")
    words = stage.double.replies(CANCEL, Saying.UNLISTED_WORD, stage.deal)
    for label, reply in words.items():
        await stage.expect(CANCEL, saying(reply), [Unclear], label)
