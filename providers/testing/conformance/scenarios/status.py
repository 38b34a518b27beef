"""What an adapter makes of the answers to a question for the status."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import orjson

from fsm.domain.money import Money
from providers.config.places import Place
from providers.port import (
    Accepted,
    Declined,
    NotFound,
    NotSent,
    Returned,
    Succeeded,
    Unclear,
)
from providers.testing.conformance.corruptions import NEVER_A_NO, broken, errors
from providers.testing.conformance.fake_server import saying
from providers.testing.conformance.harness import (
    OTHER_REFERENCE,
    NotHere,
    Stage,
    a_deal,
)
from providers.testing.conformance.scenario import Scenes
from providers.testing.conformance.vocabulary import Call, Deal, Reply, Saying

SCENES: Final = Scenes[Stage]()
STATUS: Final = Call.STATUS


@SCENES.scene("status-unasked", "Where the status cannot be asked, nothing is sent.")
async def unasked(stage: Stage) -> None:
    if stage.rehearsal.table.status:
        raise NotHere("its status can be asked")
    await stage.expect(STATUS, saying(Reply(status=500)), [Unclear], "a question")
    stage.must(not stage.counterpart.heard, "a question: it was sent all the same")


@SCENES.scene(
    "status-succeeded", "A payout that was paid is Succeeded, with its money."
)
async def succeeded(stage: Stage) -> None:
    for label, reply in stage.replies(STATUS, Saying.SUCCEEDED).items():
        answer = await stage.expect(STATUS, saying(reply), [Succeeded], label)
        if isinstance(answer, Succeeded) and _says_money(stage):
            told = (answer.amount, answer.currency)
            stage.must(told[0] == 12550, f"{label}: it says {told}, not 12550 EUR")  # noqa: PLR2004


@SCENES.scene("status-accepted", "A payout that is under way is Accepted.")
async def accepted(stage: Stage) -> None:
    for label, reply in stage.replies(STATUS, Saying.ACCEPTED).items():
        await stage.expect(STATUS, saying(reply), [Accepted], label)


@SCENES.scene(
    "status-declined", "A payout that was not and will not be paid is Declined."
)
async def declined(stage: Stage) -> None:
    for said in (Saying.DECLINED, Saying.CANCELLED):
        for label, reply in stage.double.replies(STATUS, said, a_deal()).items():
            await stage.expect(STATUS, saying(reply), [Declined], label)
    stage.replies(STATUS, Saying.DECLINED)


@SCENES.scene(
    "status-returned", "A payout that was paid and came back is Returned, never a no."
)
async def returned(stage: Stage) -> None:
    for label, reply in stage.replies(STATUS, Saying.RETURNED).items():
        await stage.expect(STATUS, saying(reply), [Returned], label)


@SCENES.scene(
    "status-list", "In a list only ours counts; two of ours that may pay are unclear."
)
async def in_a_list(stage: Stage) -> None:
    asking = stage.rehearsal.table.asking
    place = None if asking is None else asking.answers.items_at
    if place is None:
        raise NotHere("its status is no list of payouts")
    ours = stage.some_reply(STATUS, Saying.SUCCEEDED)
    others = next(iter(_asked(stage, Saying.DECLINED, _ANOTHER).values()), None)
    if others is None:
        raise NotHere("it never lists a payout as declined")
    beside = _together(place, others, ours)
    await stage.expect(STATUS, saying(beside), [Succeeded], "ours beside another")
    await stage.expect(STATUS, saying(others), [Unclear], "another's alone")
    twice = _together(place, ours, _asked_again(stage))
    await stage.expect(STATUS, saying(twice), [Unclear], "two of ours that were paid")


_ANOTHER: Final = replace(
    a_deal(reference=OTHER_REFERENCE), provider_reference="another"
)


def _asked_again(stage: Stage) -> Reply:
    """Return that a second payout was paid under our reference."""
    second = replace(a_deal(), provider_reference="another")
    return next(iter(_asked(stage, Saying.SUCCEEDED, second).values()))


def _together(place: Place, first: Reply, second: Reply) -> Reply:
    """Return one list of what two answers list."""
    body = orjson.loads(first.body)
    found = place.look(body)
    more = place.look(orjson.loads(second.body))
    if isinstance(found, list) and isinstance(more, list):
        found += more
    return Reply(status=first.status, body=orjson.dumps(body))


@SCENES.scene(
    "status-not-found", "A reference that the provider does not know is NotFound."
)
async def not_found(stage: Stage) -> None:
    for label, reply in stage.replies(STATUS, Saying.NOT_FOUND).items():
        await stage.expect(STATUS, saying(reply), [NotFound], label)


@SCENES.scene(
    "status-error", "An error of the question is never a no: credentials run out too."
)
async def error(stage: Stage) -> None:
    refusals = stage.double.replies(Call.CREATE, Saying.DECLINED, a_deal())
    told = {**refusals, **_asked(stage, Saying.DECLINED)}
    own = {**_asked(stage, Saying.LOCKED_OUT), **_asked(stage, Saying.BUSY)}
    for label, reply in (*own.items(), *errors(401, 403, *NEVER_A_NO)):
        await stage.expect(STATUS, saying(reply), [Unclear, NotSent], label)
    for label, reply in told.items():
        for status in (401, 403, *NEVER_A_NO):
            changed = Reply(status=status, body=reply.body, headers=reply.headers)
            case = f"{label}, but with HTTP {status}"
            await stage.expect(STATUS, saying(changed), [Unclear, NotSent], case)


@SCENES.scene("status-unlisted-word", "A state that nobody has listed proves nothing.")
async def unlisted_word(stage: Stage) -> None:
    for label, reply in stage.replies(STATUS, Saying.UNLISTED_WORD).items():
        await stage.expect(STATUS, saying(reply), [Unclear], label)


@SCENES.scene("status-unreadable", "A status that cannot be read proves nothing.")
async def unreadable(stage: Stage) -> None:
    replies = (
        stage.some_reply(STATUS, Saying.SUCCEEDED),
        *list(_asked(stage, Saying.DECLINED).values())[:1],
    )
    for reply in replies:
        for label, spoilt in broken(reply):
            case = f"HTTP {spoilt.status} with {label}"
            await stage.expect(STATUS, saying(spoilt), [Unclear], case)


@SCENES.scene("status-other-payout", "A status of another payout is not believed.")
async def other_payout(stage: Stage) -> None:
    deal = a_deal(reference=OTHER_REFERENCE)
    seen = False
    for said in (Saying.SUCCEEDED, Saying.ACCEPTED, Saying.DECLINED):
        for label, reply in _differing(stage, said, deal).items():
            seen = True
            await stage.expect(STATUS, saying(reply), [Unclear, NotFound], label)
    if not seen:
        raise NotHere("its status does not say which payout it is about")


@SCENES.scene(
    "status-other-money", "Other money than ours is told as it is, and is never a no."
)
async def other_money(stage: Stage) -> None:
    for money in (Money(12551, "EUR"), Money(12550, "USD")):
        deal = a_deal(money=money)
        for label, reply in _differing(stage, Saying.DECLINED, deal).items():
            case = f"{label}, about {money}"
            await stage.expect(STATUS, saying(reply), [Unclear], case)
        for label, reply in _differing(stage, Saying.SUCCEEDED, deal).items():
            case = f"{label}, about {money}"
            answer = await stage.ask(STATUS, saying(reply), case)
            if not isinstance(answer, Unclear):
                stage.be(answer, [Succeeded], case)
                told = (
                    getattr(answer, "amount", None),
                    getattr(answer, "currency", None),
                )
                right = told[0] == money.amount and told[1] in {None, money.currency}
                stage.must(right, f"{case}: it says {told}")
    if not _says_money(stage):
        raise NotHere("its status does not say how much was paid")


def _asked(stage: Stage, said: Saying, deal: Deal | None = None) -> Mapping[str, Reply]:
    return stage.double.replies(STATUS, said, deal or a_deal())


def _differing(stage: Stage, said: Saying, deal: Deal) -> Mapping[str, Reply]:
    """Return the answers that are not those about our payout."""
    ours = _asked(stage, said)
    found = _asked(stage, said, deal)
    return {n: r for n, r in found.items() if r.body != ours[n].body}


def _says_money(stage: Stage) -> bool:
    return bool(_differing(stage, Saying.SUCCEEDED, a_deal(money=Money(12551, "EUR"))))
