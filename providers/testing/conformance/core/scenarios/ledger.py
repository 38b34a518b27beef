"""Scenarios of core's ledger, as `verify --core` reads it: whole, and each once.

What it says of the tasks of every other scenario is compared when that one is over.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from handlers.ports.core import Operation
from providers.core.ledger import Entry, NoLedger
from providers.testing.conformance.core.booked import entries_of
from providers.testing.conformance.core.scenario import LEDGER, scene
from providers.testing.conformance.core.stage import CoreStage
from providers.testing.conformance.harness import NotHere

Op = Operation
SEVERAL: Final = 3
LONG_AGO: Final = timedelta(days=400)
MISSED: Final = (
    "without it `verify --core` compares nothing, and `doctor` takes core for away"
)
READ: Final = "Give every entry of the time once, in an order that stays, to the end"


@scene(LEDGER, "ledger-listed", "what is held and let go is listed, once each")
async def _listed(stage: CoreStage) -> None:
    began = datetime.now(UTC)
    call = await stage.held()
    await stage.ask(Op.ROLLBACK, call)
    booked = await _read(stage, began)
    found = sorted(str(e["operation"]) for e in booked.get(call.task_id, []))
    said = f"of a freeze and its rollback the ledger lists {', '.join(found) or 'none'}"
    stage.must(found == [Op.FREEZE, Op.ROLLBACK], f"{said}. {READ}")
    odd = booked.get("", [])
    said = f"{len(odd)} entries cannot be read: {odd[0]['why'] if odd else ''}"
    stage.must(not odd, f"{said}. Each has task_id, operation, amount, currency, at")


@scene(LEDGER, "ledger-paged", "page by page it is whole, and comes to an end")
async def _paged(stage: CoreStage) -> None:
    began = datetime.now(UTC)
    calls = [await stage.held() for _ in range(SEVERAL)]
    for call in calls:
        await stage.ask(Op.ROLLBACK, call)
    first, again = await _read(stage, began), await _read(stage, began)
    for call in calls:
        listed = [first.get(call.task_id), again.get(call.task_id)]
        said = "of three tasks, read twice, the ledger lists not the same"
        stage.must(listed[0] and listed[0] == listed[1], f"{said}. {READ}")


@scene(LEDGER, "ledger-times", "what was booked now is not listed of another time")
async def _times(stage: CoreStage) -> None:
    call = await stage.held()
    await stage.ask(Op.ROLLBACK, call)
    ledger, past = stage.ledger, datetime.now(UTC) - LONG_AGO
    try:
        pages = [page async for page, _ in ledger.read(past, past + timedelta(1))]
    except NoLedger as error:
        stage.must(not _is_there(stage), str(error))
        raise NotHere(f"core offers no ledger: {MISSED}") from None
    listed = any(entry["task_id"] == call.task_id for page in pages for entry in page)
    mend = "List what was booked from `from` on and before `to`: else all is read"
    stage.ought(not listed, f"an entry of now is listed of a day long ago. {mend}")


async def _read(stage: CoreStage, since: datetime) -> dict[str, list[Entry]]:
    try:
        return await entries_of(stage.ledger, since)
    except NoLedger as error:
        if _is_there(stage):
            stage.must(False, f"{error}. {READ}")  # noqa: FBT003
        else:
            stage.ought(False, f"core offers no ledger: {MISSED}")  # noqa: FBT003
        raise NotHere("there is no ledger to read") from None


def _is_there(stage: CoreStage) -> bool:
    return not stage.outbound.is_no_route
