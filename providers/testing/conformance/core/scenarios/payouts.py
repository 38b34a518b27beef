"""Scenarios of payouts: a commit is done once, of what is held, and taken back in."""

import asyncio
from typing import Final

from handlers.ports.core import BalanceCall, Confirmed, Operation, Refused
from providers.testing.conformance.core.scenario import PAYOUTS, scene
from providers.testing.conformance.core.scenarios.holds import (
    HASTE_SECONDS,
    MISMATCH,
    REPEAT,
    UNDER_WAY,
    another,
)
from providers.testing.conformance.core.stage import CoreStage
from providers.testing.conformance.core.told import Told
from providers.testing.conformance.harness import NotHere

Op = Operation
PAID: Final = "What was paid out cannot be let go: answer 409 with code and message"
NO_RETURN: Final = "core offers no return: settled returns need it"


@scene(PAYOUTS, "commit-done", "held money is paid out, and once more nobody minds")
async def _done(stage: CoreStage) -> None:
    call = await stage.held()
    for case in ("a commit", "the commit again"):
        stage.done(await stage.ask(Op.COMMIT, call), case, REPEAT)


@scene(PAYOUTS, "commit-at-once", "the same commit from several at once is one payout")
async def _at_once(stage: CoreStage) -> None:
    call = await stage.held()
    for told in await stage.ask_at_once(Op.COMMIT, call):
        stage.done(told, "one of several commits at once", UNDER_WAY)


@scene(PAYOUTS, "commit-lost", "after a caller has hung up its commit can be repeated")
async def _lost(stage: CoreStage) -> None:
    mend = "Finish or undo what was begun, whoever has hung up, and free its key"
    call = await stage.held()
    await stage.abandon(Op.COMMIT, call, HASTE_SECONDS[0])
    told = await stage.ask(Op.COMMIT, call)
    stage.done(told, "a commit after its caller has hung up", mend)


@scene(PAYOUTS, "commit-never-frozen", "what was never held is never paid out")
async def _never_frozen(stage: CoreStage) -> None:
    told = await stage.ask(Op.COMMIT, stage.samples.attempt())
    mend = "Pay out only what the task holds: answer 409 with code and message"
    stage.never_done(told, "a commit of what was never held", mend)


@scene(PAYOUTS, "commit-other-amount", "a hold is not paid out by another amount")
async def _other_amount(stage: CoreStage) -> None:
    call = await stage.held()
    told = await stage.ask(Op.COMMIT, another(call))
    stage.never_done(told, "a commit of another amount than is held", MISMATCH)
    told = await stage.ask(Op.COMMIT, call)
    stage.done(told, "the commit after one of another amount", REPEAT)


@scene(PAYOUTS, "commit-then-rollback", "what was paid out is never let go")
async def _then_rollback(stage: CoreStage) -> None:
    call = await stage.paid()
    told = await stage.ask(Op.ROLLBACK, call)
    stage.never_done(told, "a rollback of what was paid out", PAID)


@scene(PAYOUTS, "commit-beside-rollback", "of both at once one is done, one refused")
async def _beside_rollback(stage: CoreStage) -> None:
    call = await stage.held()
    ends = await asyncio.gather(
        stage.ask(Op.COMMIT, call), stage.ask(Op.ROLLBACK, call)
    )
    done = sum(isinstance(told, Confirmed) for told in ends)
    said = f"of a commit and a rollback at once {done} are done, must be one"
    stage.must(done == 1, f"{said}. Lock the task while it is moved")


@scene(PAYOUTS, "return-done", "a payout is taken back in, and once whoever asks again")
async def _returned(stage: CoreStage) -> None:
    call = await stage.paid()
    stage.done(await _return(stage, call), "a return", REPEAT)
    stage.done(await _return(stage, call), "the return again", REPEAT)


@scene(PAYOUTS, "return-never-paid", "what was never paid out is not taken back in")
async def _never_paid(stage: CoreStage) -> None:
    call = await stage.held()
    mend = "Take in only what the task has paid out: answer 409 with code and message"
    told = await _return(stage, call)
    stage.never_done(told, "a return of what is only held", mend)
    told = await stage.ask(Op.COMMIT, call)
    stage.done(told, "a commit after a return that was refused", REPEAT)


async def _return(stage: CoreStage, call: BalanceCall) -> Told:
    told = await stage.ask(Op.RETURN, call)
    if not isinstance(told, Confirmed | Refused) and stage.outbound.is_no_route:
        raise NotHere(NO_RETURN)
    return told
