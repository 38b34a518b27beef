"""Scenarios of memberships: granted once, confirmed, and revoked for good."""

import asyncio
from dataclasses import replace
from typing import Final

from handlers.ports.core import MembershipCall, MembershipVerb
from providers.testing.conformance.core.scenario import MEMBERSHIPS, scene
from providers.testing.conformance.core.scenarios.holds import (
    MISMATCH,
    REPEAT,
    UNDER_WAY,
)
from providers.testing.conformance.core.stage import AT_ONCE, CoreStage

V = MembershipVerb
FIRST: Final = (
    "A revoke comes before its grant where that is still under way: note that the task "
    "is over, answer 200, and refuse its grant from then on"
)
OVER: Final = "A task that was revoked is over: answer 409 with code revoked"


def final(call: MembershipCall) -> MembershipCall:
    """Return the call that confirms or revokes what was granted for now."""
    return replace(call, provisional=False)


@scene(MEMBERSHIPS, "grant-done", "a grant is done, and once whoever asks again")
async def _done(stage: CoreStage) -> None:
    call = stage.samples.membership()
    for case in ("a grant", "the grant again"):
        stage.done(await stage.member(V.GRANT, call), case, REPEAT)


@scene(MEMBERSHIPS, "grant-at-once", "the same grant from several at once is one")
async def _at_once(stage: CoreStage) -> None:
    call = stage.samples.membership()
    asking = (stage.member(V.GRANT, call) for _ in range(AT_ONCE))
    for told in await asyncio.gather(*asking):
        stage.done(told, "one of several grants at once", UNDER_WAY)


@scene(MEMBERSHIPS, "grant-other-card", "a grant's key with another card is 409")
async def _other_card(stage: CoreStage) -> None:
    call = stage.samples.membership()
    await stage.member(V.GRANT, call)
    other = replace(call, card_token=f"{call.card_token}_other")
    told = await stage.member(V.GRANT, other)
    stage.members[call.task_id] = call
    stage.never_done(told, "a grant again, of another card", MISMATCH)


@scene(MEMBERSHIPS, "confirm-done", "what was granted for now is granted for good")
async def _confirmed(stage: CoreStage) -> None:
    call = stage.samples.membership()
    await stage.member(V.GRANT, call)
    for case in ("a confirmation", "the confirmation again"):
        stage.done(await stage.member(V.CONFIRM, final(call)), case, REPEAT)


@scene(MEMBERSHIPS, "revoke-done", "a membership is revoked, and once more likewise")
async def _revoked(stage: CoreStage) -> None:
    call = stage.samples.membership()
    await stage.member(V.GRANT, call)
    for case in ("a revoke", "the revoke again"):
        stage.done(await stage.member(V.REVOKE, final(call)), case, REPEAT)
    told = await stage.member(V.CONFIRM, final(call))
    stage.never_done(told, "a confirmation after the revoke", OVER)


@scene(MEMBERSHIPS, "revoke-before-grant", "a grant that comes after is refused")
async def _before_grant(stage: CoreStage) -> None:
    call = stage.samples.membership()
    told = await stage.member(V.REVOKE, final(call))
    stage.done(told, "a revoke of what was never granted", FIRST)
    told = await stage.member(V.GRANT, call)
    stage.never_done(told, "a grant after its revoke", FIRST)


@scene(MEMBERSHIPS, "revoke-by-another", "a later task takes a membership away")
async def _by_another(stage: CoreStage) -> None:
    call, other = stage.samples.membership(), stage.samples.membership()
    await stage.member(V.GRANT, final(call))
    told = await stage.member(V.REVOKE, final(other))
    mend = "A revoke by a task that has granted nothing removes the card's membership"
    stage.done(told, "a revoke by another task than granted it", mend)
