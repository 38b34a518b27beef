"""What the service reads in a provider's own list of payouts."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

from fsm.domain.money import AMOUNT_MAX, Money
from providers.statements import NoStatement, Row
from providers.testing.conformance.corruptions import an_error, broken
from providers.testing.conformance.fake_server import saying, taking_turns
from providers.testing.conformance.harness import (
    NOW,
    OTHER_REFERENCE,
    REFERENCE,
    NotHere,
    Stage,
)
from providers.testing.conformance.harness import a_deal as deal
from providers.testing.conformance.scenario import Scenes
from providers.testing.conformance.vocabulary import Lister, Reply

SCENES: Final = Scenes[Stage]()
DEALS: Final = (
    deal(),
    deal(OTHER_REFERENCE, Money(AMOUNT_MAX, "EUR")),
    deal(REFERENCE[:-1] + "c", Money(1255, "JPY")),
)


@SCENES.scene("statement-whole", "The list of payouts is read to its end, each exact.")
async def whole(stage: Stage) -> None:
    turns = [saying(page) for page in _pages(stage)]
    stage.counterpart.receive_by(taking_turns(*turns))
    rows = [row async for row in _rows(stage)]
    told = [(r["reference"], r["status"], r["amount"], r["currency"]) for r in rows]
    right = [
        (d.reference, "succeeded", d.money.amount, d.money.currency) for d in DEALS
    ]
    stage.must(told == right, f"it reads {told}, and the provider says {right}")


@SCENES.scene(
    "statement-broken", "A list that breaks off is refused, and never shorter."
)
async def breaks_off(stage: Stage) -> None:
    pages = _pages(stage)
    spoilt = [*broken(pages[0]), ("HTTP 500", an_error(500)), ("404", an_error(404))]
    for label, reply in spoilt:
        turns = [saying(page) for page in (*pages[:-1], reply)]
        stage.counterpart.receive_by(taking_turns(*turns))
        try:
            rows = [row async for row in _rows(stage)]
        except NoStatement as refused:
            stage.hide(str(refused), label)
            stage.cases += 1
        else:
            stage.blame(f"{label} for the last page: it passes for {len(rows)} payouts")


def _pages(stage: Stage) -> list[Reply]:
    pages = list(stage.double.pages(DEALS)) if isinstance(stage.double, Lister) else []
    if not pages or stage.statement is None:
        raise NotHere("it gives no list of its payouts")
    return pages


async def _rows(stage: Stage) -> AsyncIterator[Row]:
    if stage.statement is not None:
        day = timedelta(days=1)
        async for page in stage.statement.pages(NOW - day, NOW + day):
            for row in page.rows:
                yield row
