"""What an adapter sends to collect: our reference, the exact amount, one key."""

from typing import Final

from fsm.domain.money import Money
from handlers.ports.services import (
    ServiceRefused,
)
from providers.testing.conformance.charge_doubles.vocabulary import (
    ChargeCall,
)
from providers.testing.conformance.charges.stage import ChargeStage
from providers.testing.conformance.fake_server import (
    hang_up,
    saying,
)
from providers.testing.conformance.harness import (
    REFERENCE,
)
from providers.testing.conformance.scenario import Scenes
from providers.testing.conformance.vocabulary import Reply

SCENES: Final = Scenes[ChargeStage]()
CHARGE: Final = ChargeCall.CHARGE
MONEY: Final = (
    Money(1, "EUR"),
    Money(12550, "EUR"),
    Money(1255, "JPY"),
    Money(2**53 - 1, "EUR"),
    Money(1250, "KWD"),
)


@SCENES.scene(
    "charge-wire",
    "A charge carries our reference as its key, and amount and currency exactly.",
)
async def wire(stage: ChargeStage) -> None:
    sent = 0
    for money in MONEY:
        charge = stage.charge(CHARGE, money=money)
        answer = await stage.ask(CHARGE, saying(Reply(status=500)), str(money), charge)
        if isinstance(answer, ServiceRefused) and not stage.counterpart.heard:
            continue
        sent += 1
        asked = stage.heard(str(money))
        if asked is not None:
            told = (asked.amount, asked.currency)
            right = told == (money.amount, money.currency)
            stage.must(right, f"{money}: the provider reads {told[0]} {told[1]}")
            keyed = asked.reference == asked.key == REFERENCE
            stage.must(keyed, f"{money}: as {asked.reference}, by the key {asked.key}")
    stage.must(sent, "no amount in any currency is sent at all")


@SCENES.scene(
    "charge-repeated", "A charge that is asked for twice is the same request, and key."
)
async def repeated(stage: ChargeStage) -> None:
    sent = []
    for case in ("a charge", "the charge again"):
        await stage.ask(CHARGE, hang_up, case)
        sent += stage.counterpart.heard[:1]
    same = len(sent) == 2 and all(  # noqa: PLR2004
        getattr(sent[0], part) == getattr(sent[1], part) for part in ("target", "body")
    )
    stage.must(same, "the charge again is another request than the first")
    keys = {each.headers.get("idempotency-key") for each in sent}
    stage.must(len(keys) == 1, f"the charge again has another key: {keys}")
