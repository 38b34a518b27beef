"""Compares core's ledger with what core has said to the calls of a scenario."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fsm.domain.money import written
from fsm.domain.text import parse_time
from handlers.ports.core import Operation
from providers.core.ledger import CoreLedger, Entry
from providers.testing.conformance.core.stage import CoreStage
from providers.testing.conformance.core.told import Heard

MARGIN: Final = timedelta(hours=1)
"""How far core's clock may be off before its entries are not found: as in verify."""
SKEW: Final = timedelta(minutes=5)

Op = Operation
ONCE: Final = "Book a movement in the transaction that answers it, and once for a key"


async def entries_of(ledger: CoreLedger, since: datetime) -> dict[str, list[Entry]]:
    """Return the entries booked since then, by task.

    :raises NoLedger: there is none, or it cannot be read to its end.
    """
    found: dict[str, list[Entry]] = {}
    async for page, odd in ledger.read(since - MARGIN, datetime.now(UTC) + MARGIN):
        for entry in page:
            found.setdefault(str(entry["task_id"]), []).append(entry)
        for line in odd:
            found.setdefault("", []).append({"at": line.at, "why": line.why})
    return found


def compare(stage: CoreStage, booked: Mapping[str, list[Entry]]) -> None:
    """Note what the ledger says otherwise than core's own answers."""
    for heard in stage.tasks.values():
        entries = booked.get(heard.call.task_id, [])
        problems = [*_counts(heard, entries), *_contents(heard, entries)]
        for each in problems:
            stage.must(False, f"{each}, task {heard.call.task_id}")  # noqa: FBT003
        stage.cases += not problems
        for each in _oddities(entries):
            stage.ought(False, f"{each}, task {heard.call.task_id}")  # noqa: FBT003


def _counts(heard: Heard, entries: Sequence[Entry]) -> Iterator[str]:
    count = Counter(str(entry["operation"]) for entry in entries)
    for operation in Op:
        if count[operation] > 1:
            yield f"core's ledger has {count[operation]} entries of {operation}. {ONCE}"
        if operation in heard.done - {Op.ROLLBACK} and not count[operation]:
            yield f"core says that the {operation} is done, and has booked none. {ONCE}"
        if count[operation] and operation not in heard.asked | {Op.ROLLBACK, Op.RETURN}:
            yield f"core has booked a {operation} that nobody has asked for"
    ended = count[Op.COMMIT] + count[Op.ROLLBACK]
    if count[Op.FREEZE] > ended and {Op.ROLLBACK, Op.COMMIT} & heard.done:
        yield (
            "core says that the hold has ended, and its ledger holds the money. " + ONCE
        )
    if count[Op.COMMIT] and count[Op.ROLLBACK]:
        yield "core has booked both a commit and a rollback: one of them is too much"
    if count[Op.COMMIT] and not count[Op.FREEZE]:
        yield "core has booked a commit of what was never held"


def _contents(heard: Heard, entries: Sequence[Entry]) -> Iterator[str]:
    money = heard.call.money
    for entry in entries:
        if (entry["amount"], entry["currency"]) != (money.amount, money.currency):
            said = written(entry["amount"], entry["currency"])
            asked = written(money.amount, money.currency)
            yield f"core's {entry['operation']} is of {said}, the call of {asked}"
        if _time_in(entry) is None:
            yield "an entry's `at` is no RFC 3339 time, as 2026-01-31T23:59:59Z is"


def _oddities(entries: Sequence[Entry]) -> Iterator[str]:
    done = {str(entry["operation"]) for entry in entries}
    if Op.ROLLBACK in done and Op.FREEZE not in done:
        yield "core has booked a rollback of what was never held: it moves nothing"
    times = [at for entry in entries if (at := _time_in(entry)) is not None]
    if any(abs(at - datetime.now(UTC)) > SKEW for at in times):
        yield "core's clock is more than 5 minutes off: `verify --core` counts by it"


def _time_in(entry: Mapping[str, Any]) -> datetime | None:
    try:
        return parse_time(str(entry.get("at")))
    except ValueError:
        return None
