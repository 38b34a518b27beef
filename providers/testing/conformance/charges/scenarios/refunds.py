"""What an adapter sends to give money back, and what it takes for a refund."""

from typing import Final

from fsm.domain.money import Money
from handlers.ports.payments import Refunded
from handlers.ports.services import (
    ServiceNotSent,
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
    saying,
)
from providers.testing.conformance.harness import (
    OTHER_REFERENCE,
    REFERENCE,
    a_deal,
)
from providers.testing.conformance.scenario import Scenes
from providers.testing.conformance.vocabulary import Reply

SCENES: Final = Scenes[ChargeStage]()
REFUND: Final = ChargeCall.REFUND
DONE: Final = ChargeSaying.DONE
AT_WORK: Final = ChargeSaying.AT_WORK
DECLINED: Final = ChargeSaying.DECLINED
UNDECIDED: Final = (ServiceUnclear, ServiceNotSent)
OTHER_MONEY: Final = (Money(12551, "EUR"), Money(12550, "USD"))


@SCENES.scene(
    "refund-wire", "A refund is of this charge, and has a key that is not the charge's."
)
async def refund_wire(stage: ChargeStage) -> None:
    for ours in (REFERENCE, OTHER_REFERENCE):
        charge = stage.charge(REFUND, ours)
        await stage.ask(REFUND, saying(Reply(status=500)), "a refund", charge)
        asked = stage.heard("a refund")
        if asked is None:
            continue
        stage.must(asked.call is REFUND, f"the provider reads it as a {asked.call}")
        stage.must(asked.key == f"{ours}:refund", f"a refund by the key {asked.key}")
        stage.must(asked.reference == ours, f"a refund of {asked.reference}")
        theirs = {None, stage.deal.provider_reference}
        of_it = asked.provider_reference in theirs
        stage.must(of_it, f"a refund of their {asked.provider_reference}")


@SCENES.scene("refund-done", "What is given back is Refunded.")
async def refunded(stage: ChargeStage) -> None:
    for label, reply in stage.replies(REFUND, DONE).items():
        await stage.expect(REFUND, saying(reply), [Refunded], label)


@SCENES.scene("refund-refused", "A refund that is refused says so, with its code.")
async def refund_refused(stage: ChargeStage) -> None:
    for label, reply in stage.replies(REFUND, DECLINED).items():
        answer = await stage.expect(REFUND, saying(reply), [ServiceRefused], label)
        if isinstance(answer, ServiceRefused):
            stage.must(answer.code, f"{label}: the code is empty")


@SCENES.scene(
    "refund-no-yes",
    "Nothing but a plain yes is Refunded: no error, no new word, nothing on its way.",
)
async def refund_no_yes(stage: ChargeStage) -> None:
    for said in (AT_WORK, ChargeSaying.UNLISTED_WORD):
        for label, reply in stage.replies(REFUND, said).items():
            await stage.expect(REFUND, saying(reply), [ServiceUnclear], label)
    yes = next(iter(stage.replies(REFUND, DONE).values()))
    for label, reply in errors(401, 403, 404, *NEVER_A_NO):
        await stage.expect(REFUND, saying(reply), UNDECIDED, label)
    for status in NEVER_A_NO:
        told = Reply(status=status, body=yes.body, headers=yes.headers)
        await stage.expect(REFUND, saying(told), UNDECIDED, f"a yes with HTTP {status}")
    for label, told in (*broken(yes), ("more than 256 KiB", huge(yes))):
        await stage.expect(REFUND, saying(told), [ServiceUnclear], f"a yes, {label}")


@SCENES.scene(
    "refund-other-money", "A refund of other money than ours is none of ours."
)
async def refund_other_money(stage: ChargeStage) -> None:
    for money in OTHER_MONEY:
        for label, reply in stage.replies(REFUND, DONE, a_deal(money=money)).items():
            case = f"{label}, about {money}"
            await stage.expect(REFUND, saying(reply), [ServiceUnclear], case)
