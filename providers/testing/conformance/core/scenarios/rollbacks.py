"""Scenarios of rollbacks: done whatever there was, and for good."""

import asyncio
from dataclasses import replace
from typing import Final

from fsm.domain.money import AMOUNT_MAX, Money
from handlers.ports.core import Operation
from providers.testing.conformance.core.scenario import BALANCE, scene
from providers.testing.conformance.core.scenarios.holds import (
    MISMATCH,
    REPEAT,
    UNDER_WAY,
    another,
)
from providers.testing.conformance.core.stage import AT_ONCE, CoreStage

Op = Operation
NEVER: Final = (
    "A rollback comes before its freeze where that is still under way: note that the "
    "task is over, answer 200, and refuse its freeze from then on"
)
OVER: Final = "A task that was rolled back is over: answer 409 with code and message"


@scene(BALANCE, "rollback-done", "a hold is let go, and once more whoever asks again")
async def _done(stage: CoreStage) -> None:
    call = await stage.held()
    for case in ("a rollback", "the rollback again"):
        stage.done(await stage.ask(Op.ROLLBACK, call), case, REPEAT)


@scene(BALANCE, "rollback-at-once", "the same rollback from several at once is one")
async def _at_once(stage: CoreStage) -> None:
    call = await stage.held()
    for told in await stage.ask_at_once(Op.ROLLBACK, call):
        stage.done(told, "one of several rollbacks at once", UNDER_WAY)


@scene(BALANCE, "rollback-never-frozen", "a rollback of what was never held is done")
async def _never_frozen(stage: CoreStage) -> None:
    call = stage.samples.attempt()
    for case in ("a rollback of what was never held", "the same again"):
        stage.done(await stage.ask(Op.ROLLBACK, call), case, NEVER)


@scene(BALANCE, "rollback-before-freeze", "a freeze that comes after is refused")
async def _before_freeze(stage: CoreStage) -> None:
    call = stage.samples.attempt()
    await stage.ask(Op.ROLLBACK, call)
    told = await stage.ask(Op.FREEZE, call)
    stage.never_done(told, "a freeze after its rollback", NEVER)


@scene(BALANCE, "rollback-beside-freeze", "of both at once nothing is held at last")
async def _beside_freeze(stage: CoreStage) -> None:
    for _ in range(AT_ONCE):
        call = stage.samples.attempt()
        _, undone = await asyncio.gather(
            stage.ask(Op.FREEZE, call), stage.ask(Op.ROLLBACK, call)
        )
        stage.done(undone, "a rollback beside its freeze", NEVER)
        told = await stage.ask(Op.COMMIT, call)
        mend = "Lock the task while it is moved, and whoever is first"
        stage.never_done(told, "a commit after a freeze and its rollback at once", mend)


@scene(BALANCE, "rollback-final", "what was let go is never paid out, nor held again")
async def _final(stage: CoreStage) -> None:
    call = await stage.held()
    await stage.ask(Op.ROLLBACK, call)
    # A repeat may be answered as the first was, as long as it holds nothing.
    await stage.ask(Op.FREEZE, call)
    told = await stage.ask(Op.COMMIT, call)
    stage.never_done(told, "a commit after the rollback", OVER)


@scene(BALANCE, "rollback-of-refused", "what was refused can be rolled back as well")
async def _of_refused(stage: CoreStage) -> None:
    attempt = stage.samples.attempt()
    call = replace(attempt, money=Money(AMOUNT_MAX, attempt.money.currency))
    await stage.ask(Op.FREEZE, call)
    stage.done(
        await stage.ask(Op.ROLLBACK, call), "a rollback of a refused freeze", NEVER
    )


@scene(BALANCE, "rollback-other-amount", "a hold is not let go by another amount")
async def _other_amount(stage: CoreStage) -> None:
    call = await stage.held()
    told = await stage.ask(Op.ROLLBACK, another(call))
    stage.never_done(told, "a rollback of another amount than is held", MISMATCH)
    told = await stage.ask(Op.ROLLBACK, call)
    stage.done(told, "the rollback after one of another amount", REPEAT)
