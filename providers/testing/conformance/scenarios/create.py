"""What an adapter makes of the answers to a create."""

from typing import Final

from fsm.domain.money import Money
from fsm.payout.policy import AskedBy
from providers.port import Accepted, Declined, NotSent, Succeeded, Unclear
from providers.testing.conformance.corruptions import (
    NEVER_A_NO,
    SERVER_ERRORS,
    broken,
    errors,
    huge,
)
from providers.testing.conformance.fake_server import hang_up, saying
from providers.testing.conformance.harness import NotHere, Stage, a_deal
from providers.testing.conformance.scenario import Scenes
from providers.testing.conformance.vocabulary import Call, Reply, Saying

SCENES: Final = Scenes[Stage]()
CREATE: Final = Call.CREATE
TAKEN: Final = (Accepted, Succeeded)
# Who was not let in has not been served; whether it is trusted is the adapter's choice.
NOT_SERVED: Final = (401, 403, 429)


@SCENES.scene(
    "create-repeat-asks",
    "Where the status cannot be asked, a repeat of the create says what became of it.",
)
async def repeat_asks(stage: Stage) -> None:
    plan = stage.rehearsal.table.policy
    if plan.asked_by is AskedBy.OURS or not plan.idempotent_create:
        raise NotHere("its status can be asked, or its create cannot be repeated")
    await stage.expect(Call.CREATE, hang_up, [Unclear], "the answer is lost")
    first = stage.heard("the answer is lost")
    kinds = {
        Saying.SUCCEEDED: Succeeded,
        Saying.ACCEPTED: Accepted,
        Saying.DECLINED: Declined,
    }
    for said, kind in kinds.items():
        replies = stage.double.replies(Call.CREATE, said, a_deal())
        for label, reply in replies.items():
            await stage.expect(Call.CREATE, saying(reply), [kind], f"again: {label}")
            stage.must(stage.heard(label) == first, f"{label}: it asks for another")


@SCENES.scene("create-accepted", "A create that was taken is Accepted.")
async def accepted(stage: Stage) -> None:
    for label, reply in stage.replies(CREATE, Saying.ACCEPTED).items():
        await stage.expect(CREATE, saying(reply), [Accepted], label)


@SCENES.scene("create-succeeded", "A create that paid is Succeeded, with our money.")
async def succeeded(stage: Stage) -> None:
    for label, reply in stage.replies(CREATE, Saying.SUCCEEDED).items():
        answer = await stage.expect(CREATE, saying(reply), [Succeeded], label)
        if isinstance(answer, Succeeded):
            told = (answer.amount, answer.currency)
            fits = all(
                x in {None, y} for x, y in zip(told, (12550, "EUR"), strict=True)
            )
            stage.must(fits, f"{label}: it says {told}, and the provider 12550 EUR")


@SCENES.scene("create-declined", "Every definite no is Declined, and says its code.")
async def declined(stage: Stage) -> None:
    for label, reply in stage.replies(CREATE, Saying.DECLINED).items():
        answer = await stage.expect(CREATE, saying(reply), [Declined], label)
        if isinstance(answer, Declined):
            stage.must(answer.code, f"{label}: the code is empty")


@SCENES.scene("create-unlisted-code", "A refusal for an unknown reason is no no.")
async def unlisted_code(stage: Stage) -> None:
    for label, reply in stage.replies(CREATE, Saying.UNLISTED_CODE).items():
        await stage.expect(CREATE, saying(reply), [Unclear], label)


@SCENES.scene("create-unlisted-word", "A state that nobody has listed proves nothing.")
async def unlisted_word(stage: Stage) -> None:
    for label, reply in stage.replies(CREATE, Saying.UNLISTED_WORD).items():
        await stage.expect(CREATE, saying(reply), [Unclear], label)


@SCENES.scene(
    "create-no-beside-an-error",
    "408, 409, 425, 429 and 5xx are never a no, whatever their body says.",
)
async def no_beside_an_error(stage: Stage) -> None:
    for label, reply in stage.replies(CREATE, Saying.DECLINED).items():
        for status in NEVER_A_NO:
            told = Reply(status=status, body=reply.body, headers=reply.headers)
            kinds = [Unclear, NotSent] if status in NOT_SERVED else [Unclear]
            case = f"{label}, but with HTTP {status}"
            await stage.expect(CREATE, saying(told), kinds, case)


@SCENES.scene("create-server-error", "A 5xx without a word proves nothing.")
async def server_error(stage: Stage) -> None:
    for label, reply in errors(*SERVER_ERRORS):
        await stage.expect(CREATE, saying(reply), [Unclear], label)


@SCENES.scene(
    "create-client-error", "A 404 or 409 that is not the provider's own proves nothing."
)
async def client_error(stage: Stage) -> None:
    for label, reply in errors(404, 409):
        await stage.expect(CREATE, saying(reply), [Unclear], label)


@SCENES.scene(
    "create-not-let-in", "401, 403 and 429 with Retry-After are never a no to a payout."
)
async def not_let_in(stage: Stage) -> None:
    told = [*errors(*NOT_SERVED)]
    for said in (Saying.LOCKED_OUT, Saying.BUSY):
        told += stage.double.replies(CREATE, said, a_deal()).items()
    for label, reply in told:
        await stage.expect(CREATE, saying(reply), [Unclear, NotSent], label)


@SCENES.scene("create-redirected", "A redirect proves nothing, and is not followed.")
async def redirected(stage: Stage) -> None:
    for status in (301, 302, 307, 308):
        headers = {"Location": f"{stage.counterpart.url}/elsewhere"}
        reply = Reply(status=status, headers=headers)
        await stage.expect(CREATE, saying(reply), [Unclear], f"HTTP {status}")


@SCENES.scene("create-unreadable", "An answer that cannot be read proves nothing.")
async def unreadable(stage: Stage) -> None:
    bare = {r.status for r in _replies(stage, Saying.ACCEPTED) if not r.body}
    for reply in (_taken(stage), *_replies(stage, Saying.DECLINED)[:1]):
        for label, spoilt in broken(reply):
            if spoilt.body or spoilt.status not in bare:
                case = f"HTTP {spoilt.status} with {label}"
                await stage.expect(CREATE, saying(spoilt), [Unclear], case)


@SCENES.scene(
    "create-huge", "An answer beyond all measure is not read, and proves nothing."
)
async def too_much(stage: Stage) -> None:
    for reply in (_taken(stage), *_replies(stage, Saying.DECLINED)[:1]):
        case = f"HTTP {reply.status} with more than 256 KiB"
        await stage.expect(CREATE, saying(huge(reply)), [Unclear], case)


@SCENES.scene(
    "create-other-payout",
    "An answer about another payout, or other money, is not ours.",
)
async def other_payout(stage: Stage) -> None:
    others = {
        "reference": a_deal(reference="018f3c2a-9b4d-7c1e-8a56-0f1e2d3c4b5b"),
        "amount": a_deal(money=Money(12551, "EUR")),
        "currency": a_deal(money=Money(12550, "USD")),
    }
    seen = False
    for what, deal in others.items():
        for said in (Saying.ACCEPTED, Saying.SUCCEEDED, Saying.DECLINED):
            right = stage.double.replies(CREATE, said, a_deal())
            for label, reply in stage.double.replies(CREATE, said, deal).items():
                if reply.body != right[label].body:
                    seen = True
                    await _not_believed(stage, reply, f"{label}, another {what}", what)
    if not seen:
        raise NotHere("its answers to a create do not say which payout they are about")


async def _not_believed(stage: Stage, reply: Reply, case: str, what: str) -> None:
    """A yes to other money is passed on as it is, so that it can be compared."""
    answer = await stage.ask(CREATE, saying(reply), case)
    if what == "reference" or isinstance(answer, Declined):
        stage.be(answer, [Unclear], case)
    elif isinstance(answer, Succeeded):
        told = (answer.amount, answer.currency)
        stage.must(told not in {(12550, "EUR"), (None, None)}, f"{case}: it is hidden")


def _replies(stage: Stage, said: Saying) -> list[Reply]:
    return list(stage.double.replies(CREATE, said, a_deal()).values())


def _taken(stage: Stage) -> Reply:
    return stage.some_reply(CREATE, Saying.SUCCEEDED, Saying.ACCEPTED)
