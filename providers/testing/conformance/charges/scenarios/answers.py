"""What an adapter makes of the answers to a charge, and to a question for one."""

from typing import Final

from fsm.domain.money import Money
from handlers.ports.payments import Charged
from handlers.ports.services import (
    ServiceNotKnown,
    ServiceNotSent,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
)
from providers.testing.conformance.charge_doubles.vocabulary import (
    ChargeCall,
    ChargeSaying,
)
from providers.testing.conformance.charges.stage import ChargeStage
from providers.testing.conformance.corruptions import NEVER_A_NO, broken, errors, huge
from providers.testing.conformance.fake_server import (
    Manner,
    hang_up,
    saying,
    taking_turns,
)
from providers.testing.conformance.harness import (
    OTHER_REFERENCE,
    NotHere,
    a_deal,
)
from providers.testing.conformance.scenario import Scenes
from providers.testing.conformance.vocabulary import Reply

SCENES: Final = Scenes[ChargeStage]()
CHARGE: Final = ChargeCall.CHARGE
STATUS: Final = ChargeCall.STATUS
DONE: Final = ChargeSaying.DONE
AT_WORK: Final = ChargeSaying.AT_WORK
DECLINED: Final = ChargeSaying.DECLINED
UNDECIDED: Final = (ServiceUnclear, ServiceNotSent)
OURS: Final = (12550, "EUR")
OTHER_MONEY: Final = (Money(12551, "EUR"), Money(12550, "USD"))


@SCENES.scene(
    "charge-done", "What is charged is Charged, with the money that was collected."
)
async def charged(stage: ChargeStage) -> None:
    for call in (CHARGE, STATUS):
        for label, reply in stage.replies(call, DONE).items():
            answer = await stage.expect(call, saying(reply), [Charged], label)
            if isinstance(answer, Charged):
                told = (answer.amount, answer.currency)
                fits = all(a in {None, b} for a, b in zip(told, OURS, strict=True))
                stage.must(fits, f"{label}: it says {told}")


@SCENES.scene(
    "charge-at-work",
    "What is only taken is not charged: unclear, and Pending if asked.",
)
async def at_work(stage: ChargeStage) -> None:
    for label, reply in stage.replies(CHARGE, AT_WORK).items():
        await stage.expect(CHARGE, saying(reply), [ServiceUnclear], label)
    for label, reply in stage.replies(STATUS, AT_WORK).items():
        await stage.expect(STATUS, saying(reply), [ServicePending], label)


@SCENES.scene("charge-declined", "Every definite no is refused, and says its code.")
async def declined(stage: ChargeStage) -> None:
    for call in (CHARGE, STATUS):
        for label, reply in stage.replies(call, DECLINED).items():
            answer = await stage.expect(call, saying(reply), [ServiceRefused], label)
            if isinstance(answer, ServiceRefused):
                stage.must(answer.code, f"{label}: the code is empty")


@SCENES.scene(
    "charge-no-beside-an-error",
    "408, 409, 425, 429 and 5xx are never a no, whatever their body says.",
)
async def no_beside_an_error(stage: ChargeStage) -> None:
    for label, reply in stage.replies(CHARGE, DECLINED).items():
        for status in NEVER_A_NO:
            told = Reply(status=status, body=reply.body, headers=reply.headers)
            case = f"{label}, but with HTTP {status}"
            await stage.expect(CHARGE, saying(told), UNDECIDED, case)


@SCENES.scene(
    "charge-errors", "No error that is not the provider's own word is a yes or a no."
)
async def no_answer(stage: ChargeStage) -> None:
    for call in (CHARGE, STATUS):
        own = stage.double.replies(call, ChargeSaying.LOCKED_OUT, a_deal())
        for label, reply in (*own.items(), *errors(401, 403, *NEVER_A_NO)):
            await stage.expect(call, saying(reply), UNDECIDED, f"{label} ({call})")
    for label, reply in errors(404):
        await stage.expect(CHARGE, saying(reply), UNDECIDED, label)


@SCENES.scene("charge-unlisted-word", "A state that nobody has listed proves nothing.")
async def unlisted(stage: ChargeStage) -> None:
    for call in (CHARGE, STATUS):
        for label, reply in stage.replies(call, ChargeSaying.UNLISTED_WORD).items():
            await stage.expect(call, saying(reply), [ServiceUnclear], label)


@SCENES.scene("charge-unreadable", "An answer that cannot be read proves nothing.")
async def unreadable(stage: ChargeStage) -> None:
    for call in (CHARGE, STATUS):
        for said in (DONE, DECLINED):
            for reply in list(stage.replies(call, said).values())[:1]:
                spoilt = (*broken(reply), ("more than 256 KiB", huge(reply)))
                for label, told in spoilt:
                    case = f"{said} with {label} ({call})"
                    await stage.expect(call, saying(told), [ServiceUnclear], case)


@SCENES.scene(
    "charge-other-money", "A yes about other money is told as it is, and a no is none."
)
async def other_money(stage: ChargeStage) -> None:
    tried = False
    for money in OTHER_MONEY:
        deal = a_deal(money=money)
        for call in (CHARGE, STATUS):
            for label, reply in stage.replies(call, DONE, deal).items():
                if reply.body == stage.replies(call, DONE)[label].body:
                    continue
                tried = True
                case = f"{label}, about {money} ({call})"
                answer = await stage.ask(call, saying(reply), case)
                stage.be(answer, [Charged, ServiceUnclear], case)
                told = (getattr(answer, "amount", 0), getattr(answer, "currency", ""))
                stage.must(told not in {OURS, (None, None)}, f"{case}: it is hidden")
    if not tried:
        raise NotHere("its answers do not say how much was collected")


@SCENES.scene("charge-other", "An answer about another charge is not about ours.")
async def other(stage: ChargeStage) -> None:
    deal = a_deal(reference=OTHER_REFERENCE)
    kinds = (ServiceUnclear, ServiceNotKnown)
    for call in (CHARGE, STATUS):
        for label, reply in stage.replies(call, DONE, deal).items():
            if reply.body != stage.replies(call, DONE)[label].body:
                await stage.expect(call, saying(reply), kinds, f"{label} ({call})")


@SCENES.scene(
    "charge-not-known", "What the provider does not know is NotKnown, and no no."
)
async def not_known(stage: ChargeStage) -> None:
    for label, reply in stage.replies(STATUS, ChargeSaying.NOT_FOUND).items():
        await stage.expect(STATUS, saying(reply), [ServiceNotKnown], label)


@SCENES.scene(
    "charge-needs-customer",
    "What waits for a customer is a no once it is cancelled, and no sooner.",
)
async def needs_customer(stage: ChargeStage) -> None:
    cancelled = stage.double.cancelled(a_deal())
    if cancelled is None:
        raise NotHere("none of its charges waits for a customer")
    paid = next(iter(stage.replies(STATUS, DONE).values()))
    for call in (CHARGE, STATUS):
        for label, reply in stage.replies(call, ChargeSaying.NEEDS_CUSTOMER).items():
            case = f"{label} ({call})"
            then: dict[str, tuple[Manner, type]] = {
                "cancelled": (saying(cancelled), ServiceRefused),
                "paid meanwhile": (saying(paid), ServiceUnclear),
                "a cancel that is lost": (hang_up, ServiceUnclear),
                "a cancel that fails": (saying(Reply(status=500)), ServiceUnclear),
            }
            for what, (manner, kind) in then.items():
                turns = taking_turns(saying(reply), manner)
                told = f"{case}, then {what}"
                answer = await stage.ask(call, turns, told, changes=2)
                stage.be(answer, [kind], told)
