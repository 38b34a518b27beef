"""Shows orders: what was tried and why, the audit trail, timers and open cases."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar

from fsm.domain.errors import AmbiguousOrder, UnknownOrder
from fsm.domain.events import stamp
from fsm.domain.explain import explain, name_of, proposals
from fsm.domain.moments import read_moment, require_order
from fsm.domain.orders import Order
from fsm.engine.words import CaseState, Kind, OrderState, State
from fsm.flows import RULES
from handlers.ports.reads import (
    AuditEntry,
    CaseRecord,
    CaseSearch,
    Page,
    Reads,
    Search,
)
from payment_service.cli.context import run_async
from payment_service.cli.database import open_database
from payment_service.cli.errors import Usage
from payment_service.cli.order_printing import (
    print_attempts,
    print_cases,
    print_order,
    print_proposals,
    print_timers,
    print_trail,
    timers,
)
from payment_service.cli.printing import (
    print_json,
    print_table,
    print_text,
)
from payment_service.cli.short_ids import Ambiguous, whole_queue_id
from payment_service.cli.tables import Fall
from payment_service.storage.database import Database
from payment_service.storage.reads import PostgresReads
from payment_service.wire.views import (
    case_view,
    events_view,
    explanation_view,
    left_out_of,
    order_view,
    task_view,
)

Word = TypeVar("Word", bound=StrEnum)
Picture: TypeAlias = tuple[Order, Sequence[AuditEntry], Sequence[CaseRecord]]
"""An order, its trail and its open cases."""
CASES_MAX: Final = 100
ORDERS: Final = Fall(
    first=("customer", "made", "merchant", "kind", "queue"), prose=("tasks",)
)


def search(
    *,
    state: str | None,
    task_state: str | None,
    customer: str | None,
    merchant: str | None,
    provider: str | None,
    kind: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    cursor: str | None,
) -> Search:
    """Read the options of a search."""
    began, ended = _time("--from", since), _time("--to", until)
    try:
        require_order(began, ended)
    except ValueError as wrong:
        raise Usage(f"--from {wrong}") from None
    return Search(
        state=word_of("--state", OrderState, state),
        task_state=word_of("--task-state", State, task_state),
        customer_id=customer,
        merchant_id=merchant,
        provider=provider,
        kind=word_of("--kind", Kind, kind),
        since=began,
        until=ended,
        limit=limit,
        cursor=cursor,
    )


def word_of(option: str, words: type[Word], text: str | None) -> Word | None:
    """Return the word of a closed vocabulary, or say which there are."""
    if text is None:
        return None
    for word in words:
        if word.value.casefold() == text.casefold():
            return word
    raise Usage(f"{option}: {text!r} is none of {', '.join(words)}")


def _time(option: str, text: str | None) -> datetime | None:
    return None if text is None else time_of(option, text)


def time_of(option: str, text: str) -> datetime:
    """Return the time that an option names: a moment, a day, or how long ago."""
    try:
        return read_moment(text, datetime.now(UTC))
    except ValueError as wrong:
        raise Usage(f"{option}: {text!r} {wrong}") from None


def list_(sought: Search, *, wide: bool = False, as_json: bool) -> int:
    """Print a page of orders."""
    page = run_async(_page(sought))
    if as_json:
        shown = [order_view(order) for order in page.items]
        told = {"orders": shown, "next_cursor": page.next_cursor}
        print_json({**told, **left_out_of(page)})
        return 0
    columns = ("order", "queue", "kind", "merchant", "customer", "amount", "state")
    print_table(
        (*columns, "tasks", "made"),
        [_row(order) for order in page.items],
        empty="No order matches.",
        fall=ORDERS,
        wide=wide,
    )
    if page.left_out:
        print_text(
            f"{page.left_out} of these are left out, since this version cannot read "
            "them: `payment-service doctor` says what is in them."
        )
    if page.next_cursor:
        print_text(f"There are more: --cursor {page.next_cursor}")
    return 0


async def _page(sought: Search) -> Page[Order]:
    async with open_database() as database:
        return await PostgresReads(database).search(sought)


def _row(order: Order) -> Sequence[object]:
    queue = order.queue
    tasks = ", ".join(f"{name_of(t)} {t.state}" for t in queue.tasks if _begun(t.state))
    return (
        order.order_id,
        order.queue_id,
        queue.kind,
        order.merchant_id,
        order.customer_id,
        order.money or "-",
        queue.state,
        tasks or "-",
        stamp(order.created_at),
    )


def _begun(state: State) -> bool:
    return state not in {State.PENDING, State.SKIPPED}


def show(asked: str, *, wide: bool, as_json: bool) -> int:
    """Print all there is about one order."""
    found = run_async(_whole(asked))
    if as_json:
        print_json(_whole_view(*found))
    else:
        print_whole(found, wide=wide)
    return 0


def print_whole(found: Picture, *, wide: bool = False) -> None:
    """Print an order with all there is about it, for people."""
    order, trail, cases = found
    attempts = explain(order, [each.line for each in trail], RULES)
    print_order(order)
    print_attempts(attempts)
    print_proposals(trail)
    print_trail(order, trail, wide=wide)
    print_timers(order, wide=wide)
    print_cases(cases, wide=wide)


async def _whole(asked: str) -> Picture:
    async with open_database() as database:
        reads = PostgresReads(database)
        order = await shown_order(database, reads, asked)
        return await picture(reads, order)


async def picture(reads: Reads, order: Order) -> Picture:
    """Return an order with all there is about it."""
    trail = await reads.events(order.queue_id)
    sought = CaseSearch(state=CaseState.OPEN, queue_id=order.queue_id, limit=CASES_MAX)
    return order, trail, (await reads.cases(sought)).items


async def shown_order(database: Database, reads: Reads, asked: str) -> Order:
    """Return the order of a queue_id or order_id, or of a unique beginning of one.

    :raises Ambiguous: several may be meant; the line says which.
    :raises UnknownOrder: there is none.
    """
    try:
        return await found_order(reads, asked)
    except UnknownOrder:
        whole = await whole_queue_id(database, asked)
        if whole is None:
            raise
    return await found_order(reads, whole)


async def found_order(reads: Reads, asked: str) -> Order:
    """Return the order of a queue_id or order_id.

    :raises Ambiguous: several merchants or kinds share it; the line says which.
    :raises UnknownOrder: there is none.
    """
    try:
        return await reads.find(asked)
    except AmbiguousOrder as ambiguous:
        raise Ambiguous(_candidates(ambiguous)) from None


def _candidates(ambiguous: AmbiguousOrder) -> str:
    found = ", ".join(
        f"{each['queue_id']} ({each['merchant_id']}, {each['kind']})"
        for each in ambiguous.candidates
    )
    return f"{ambiguous}: give one of the queue ids {found}"


def _whole_view(
    order: Order,
    trail: Sequence[AuditEntry],
    cases: Sequence[CaseRecord],
) -> Mapping[str, object]:
    explanation, _ = explanation_view(order, [each.line for each in trail])
    by_task = {each["task_id"]: each for each in explanation}
    return {
        **order_view(order),
        "attempts": [
            {**task_view(task), **by_task[task.task_id]} for task in order.queue.tasks
        ],
        "proposals": proposals([each.line for each in trail]),
        "events": events_view(trail),
        "timers": timers(order),
        "cases": [case_view(case, datetime.now(UTC)) for case in cases],
    }
