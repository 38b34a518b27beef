"""What an adapter sends: our reference, the exact amount, and the same thing twice."""

from typing import Final

from fsm.domain.money import AMOUNT_MAX, Money
from providers.port import Accepted, NotSent, Succeeded, Unclear
from providers.testing.conformance.fake_server import saying
from providers.testing.conformance.harness import (
    OTHER_REFERENCE,
    REFERENCE,
    NotHere,
    Stage,
    a_deal,
)
from providers.testing.conformance.scenario import Scenes
from providers.testing.conformance.vocabulary import Call, Reply, Saying

SCENES: Final = Scenes[Stage]()
MONEY: Final = (
    Money(1, "EUR"),
    Money(12550, "EUR"),
    Money(1999, "USD"),
    Money(110, "GBP"),
    Money(100_000_000_001, "EUR"),
    Money(AMOUNT_MAX - 2, "EUR"),
    Money(AMOUNT_MAX, "EUR"),
    Money(1255, "JPY"),
    Money(AMOUNT_MAX, "JPY"),
    Money(1, "KWD"),
    Money(AMOUNT_MAX, "KWD"),
)


@SCENES.scene(
    "wire-reference",
    "A create carries our reference, unchanged; a question that, or the provider's.",
)
async def reference(stage: Stage) -> None:
    for ours in (REFERENCE, OTHER_REFERENCE):
        for call in Call:
            if call is Call.CREATE or stage.can(call):
                await _carried(stage, call, ours)


async def _carried(stage: Stage, call: Call, ours: str) -> None:
    payout = stage.payout(call, ours)
    await stage.ask(call, saying(Reply(status=500)), f"a {call}", payout)
    asked = stage.heard(f"a {call}")
    if asked is None:
        return
    stage.must(asked.call is call, f"a {call}: the provider reads it as a {asked.call}")
    carried, wanted = asked.reference, ours
    if carried is None and call is not Call.CREATE:
        carried, wanted = asked.provider_reference, stage.deal.provider_reference
    stage.must(carried == wanted, f"a {call}: it carries {carried}, not {wanted}")


@SCENES.scene(
    "wire-amount", "Amount and currency are exact on the wire, up to the largest."
)
async def amount(stage: Stage) -> None:
    sent = 0
    for money in MONEY:
        payout = stage.payout(Call.CREATE, money=money)
        answer = await stage.ask(
            Call.CREATE, saying(Reply(status=500)), str(money), payout
        )
        if isinstance(answer, NotSent) and not stage.counterpart.heard:
            continue
        sent += 1
        asked = stage.heard(str(money))
        if asked is not None:
            told = (asked.amount, asked.currency)
            right = told == (money.amount, money.currency)
            stage.must(right, f"{money}: the provider reads {told[0]} {told[1]}")
    stage.must(sent, "no amount in any currency is sent at all")


@SCENES.scene(
    "wire-repeated", "A create asked twice is the same request, and one payout."
)
async def repeated(stage: Stage) -> None:
    if not stage.rehearsal.table.idempotent_create:
        raise NotHere("its create is not idempotent, so it is never repeated")
    first = stage.some_reply(Call.CREATE, Saying.ACCEPTED, Saying.SUCCEEDED)
    exists = stage.double.replies(Call.CREATE, Saying.EXISTS, a_deal())
    again = next(iter(exists.values())) if exists else first
    one = await stage.ask(Call.CREATE, saying(first), "the first create")
    sent = list(stage.counterpart.heard)
    other = await stage.ask(Call.CREATE, saying(again), "the repeated create")
    sent += stage.counterpart.heard
    same = len(sent) == 2 and (sent[0].target, sent[0].body) == (  # noqa: PLR2004
        sent[1].target,
        sent[1].body,
    )
    stage.must(same, "the repeated create is another request than the first")
    stage.be(one, [Accepted, Succeeded], "the first create")
    if exists:
        stage.be(other, [Unclear], "the repeated create, which exists already")
    else:
        stage.must(
            _payout_of(one) == _payout_of(other),
            "the repeated create is another payout",
        )


def _payout_of(answer: object) -> str | None:
    return answer.reference if isinstance(answer, Accepted | Succeeded) else None
