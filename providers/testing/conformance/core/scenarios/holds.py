"""Scenarios of holds: a freeze is done once, its key is its own, a no is a no."""

from dataclasses import replace
from typing import Final

from fsm.domain.ids import ID_LENGTH_MAX
from fsm.domain.money import AMOUNT_MAX, Money
from handlers.ports.core import BalanceCall, Confirmed, Operation
from providers.core.client import balance_request
from providers.testing.conformance.core.made_up import a_new_id
from providers.testing.conformance.core.scenario import BALANCE, PAYOUTS, scene
from providers.testing.conformance.core.stage import CoreStage
from providers.testing.conformance.core.told import Unanswered
from providers.testing.conformance.harness import NotHere

Op = Operation
HASTE_SECONDS: Final = (0.005, 0.03, 0.1)
FOREIGN: Final = "a-made-up-token"
REPEAT: Final = (
    "Keep what each key came to, and answer a repeat as the first call: 200 with an "
    "object"
)
UNDER_WAY: Final = (
    "Have a call wait for the one under way with its key, or answer 503: 409 and 422 "
    "mean never"
)
MISMATCH: Final = "Compare a repeat with what its key came with first: another is 409"


def another(call: BalanceCall) -> BalanceCall:
    """Return the same call about another amount."""
    money = call.money
    amount = money.amount - 1 if money.amount > 1 else money.amount + 1
    return replace(call, money=Money(amount, money.currency))


@scene(BALANCE, "freeze-done", "a freeze is done, and is answered 200 with an object")
async def _done(stage: CoreStage) -> None:
    told = await stage.ask(Op.FREEZE, stage.samples.attempt())
    mend = (
        "Answer 200 with a JSON object once the money is held; name a merchant, an "
        "order and a currency that core knows (see --help)"
    )
    stage.done(told, "a freeze", mend)


@scene(BALANCE, "freeze-repeated", "a freeze that comes again is done, and held once")
async def _repeated(stage: CoreStage) -> None:
    call = await stage.held()
    stage.done(await stage.ask(Op.FREEZE, call), "a freeze again under its key", REPEAT)


@scene(BALANCE, "freeze-at-once", "the same freeze from several at once is one hold")
async def _at_once(stage: CoreStage) -> None:
    for told in await stage.ask_at_once(Op.FREEZE, stage.samples.attempt()):
        stage.done(told, "one of several freezes at once", UNDER_WAY)


@scene(BALANCE, "freeze-lost", "after a caller has hung up its freeze can be repeated")
async def _lost(stage: CoreStage) -> None:
    mend = "Finish or undo what was begun, whoever has hung up, and free its key"
    for seconds in HASTE_SECONDS:
        call = stage.samples.attempt()
        await stage.abandon(Op.FREEZE, call, seconds)
        told = await stage.ask(Op.FREEZE, call)
        stage.done(told, "a freeze after its caller has hung up", mend)


@scene(BALANCE, "freeze-other-amount", "a freeze's key with another amount is 409")
async def _other_amount(stage: CoreStage) -> None:
    call = await stage.held()
    told = await stage.ask(Op.FREEZE, another(call))
    status = stage.outbound.status
    stage.never_done(told, "a freeze again, of another amount", MISMATCH)
    if not isinstance(told, Confirmed | Unanswered):
        said = f"a freeze again, of another amount: {status}, must be 409. {MISMATCH}"
        stage.must(status == 409, said)  # noqa: PLR2004 - by contract
    again = await stage.ask(Op.FREEZE, call)
    stage.done(again, "the first freeze again after one of another amount", REPEAT)


@scene(
    BALANCE, "freeze-too-much", "what is not there is refused, with a code, for good"
)
async def _too_much(stage: CoreStage) -> None:
    call = replace(
        stage.samples.attempt(), money=Money(AMOUNT_MAX, stage.samples.money.currency)
    )
    told = await stage.ask(Op.FREEZE, call)
    if isinstance(told, Confirmed):
        raise NotHere("core holds even 2^53-1: name a --merchant that has less")
    mend = "Amounts go up to 2^53-1: answer 409 or 422 with code and message"
    stage.refused(told, "a freeze of 2^53-1", mend)
    stage.refused(await stage.ask(Op.FREEZE, call), "the refused freeze again", mend)


@scene(BALANCE, "freeze-refused-stays", "what was refused is never held under its key")
async def _refused_stays(stage: CoreStage) -> None:
    call = stage.samples.attempt()
    much = replace(call, money=Money(AMOUNT_MAX, call.money.currency))
    if isinstance(await stage.ask(Op.FREEZE, much), Confirmed):
        raise NotHere("core refuses no amount: name a --merchant that has less")
    told = await stage.ask(Op.FREEZE, call)
    mend = (
        "Keep a refusal under its key: whoever asked has gone on, and nobody would let "
        "this hold go"
    )
    stage.never_done(told, "a freeze under a key that was refused", mend)


@scene(BALANCE, "freeze-next-attempt", "an order's next attempt is held after the last")
async def _next_attempt(stage: CoreStage) -> None:
    first = await stage.held()
    await stage.ask(Op.ROLLBACK, first)
    told = await stage.ask(Op.FREEZE, stage.samples.attempt(first))
    mend = "Know holds by task_id: an order has one attempt after the other"
    stage.done(told, "a freeze of the next attempt of an order", mend)


@scene(PAYOUTS, "freeze-apart", "the hold of one task is not that of another")
async def _apart(stage: CoreStage) -> None:
    one, other = await stage.held(), await stage.held("a freeze beside another")
    await stage.ask(Op.ROLLBACK, one)
    told = await stage.ask(Op.COMMIT, other)
    mend = "A rollback is about its own task_id alone"
    stage.done(told, "a commit after the rollback of another task", mend)


@scene(BALANCE, "freeze-odd", "what ids, nulls and new members there can be is taken")
async def _odd(stage: CoreStage) -> None:
    plain = stage.samples.attempt()
    told = await stage.ask(Op.FREEZE, replace(plain, terminal_id=None))
    stage.done(told, "a freeze with terminal_id null", "Take null: it is not a must")
    if stage.samples.order_id is None:
        long = f"{a_new_id()}-ü-".ljust(ID_LENGTH_MAX, "x")
        told = await stage.ask(
            Op.FREEZE, replace(stage.samples.attempt(), order_id=long)
        )
        mend = f"An order_id has up to {ID_LENGTH_MAX} characters of Unicode"
        stage.done(told, "a freeze with a long order_id", mend)
    call = stage.samples.attempt()
    body = {**balance_request(call), "a_new_member": {"of": ["a", "later version"]}}
    mend = "Ignore members that you do not know: new ones may come"
    told = await stage.send(Op.FREEZE, call, body)
    stage.done(told, "a freeze with a member more", mend)


@scene(
    BALANCE, "freeze-unreadable", "what cannot be read is not done, and spoils no key"
)
async def _unreadable(stage: CoreStage) -> None:
    call = stage.samples.attempt()
    told = await stage.send(Op.FREEZE, call, b'{"task_id": "')
    case = "a freeze whose body is cut off"
    mend = "Answer 400 before anything is done: it is no refusal, and it comes again"
    stage.must(isinstance(told, Unanswered), f"{case} is taken for an answer. {mend}")
    told = await stage.ask(Op.FREEZE, call)
    stage.done(told, "a freeze after one whose body was cut off", mend)


@scene(BALANCE, "token-foreign", "who has another token gets nothing, and no refusal")
async def _token(stage: CoreStage) -> None:
    if stage.token is None:
        raise NotHere("no token was given")
    call = stage.samples.attempt()
    told = await stage.send(Op.FREEZE, call, balance_request(call), token=FOREIGN)
    mend = (
        "Answer 401: it is asked for again once the token is mended, where 409 or 422 "
        "would give the attempt up"
    )
    said = "a freeze with another token is answered as if it were yours"
    stage.must(isinstance(told, Unanswered), f"{said}. {mend}")
