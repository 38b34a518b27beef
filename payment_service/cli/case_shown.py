"""Shows a case: with its order, why each attempt was made, and what comes next."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from fsm.domain.explain import explain
from fsm.domain.masking import masked
from fsm.domain.money import with_money, written
from fsm.domain.orders import Order
from fsm.engine.words import UNSETTLED, CaseKind, CaseState, State
from fsm.flows import RULES
from handlers.ports.reads import AuditEntry, CaseRecord
from payment_service.cli.context import read_settings, run_async
from payment_service.cli.database import open_database
from payment_service.cli.order_printing import print_attempts, print_order
from payment_service.cli.orders import found_order
from payment_service.cli.printing import (
    heading,
    print_json,
    print_pairs,
    print_prose,
    print_text,
)
from payment_service.cli.short_ids import whole_id
from payment_service.storage.beginnings import Named
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.reads import PostgresReads
from payment_service.wire.views import case_view, explanation_view, order_view

Found = tuple[CaseRecord, Order, Sequence[AuditEntry]]
Step = tuple[str, str]
"""A command, after the program's name, and what it does."""


def show(asked: str, *, as_json: bool) -> int:
    """Print a case with all that somebody needs who decides about it."""
    case, order, trail = run_async(_found(asked))
    steps = [*next_steps(case, order)]
    if as_json:
        explanation, words = explanation_view(order, [each.line for each in trail])
        print_json(
            {
                "case": case_view(case, datetime.now(UTC)),
                "order": order_view(order),
                "explanation": explanation,
                "in_words": words,
                "next": [{"command": told, "does": does} for told, does in steps],
            }
        )
        return 0
    _print_case(case)
    heading("Order")
    print_order(order)
    print_attempts(explain(order, [each.line for each in trail], RULES))
    heading("What can be done next")
    for told, does in steps:
        print_prose(f"{does}:")
        # Never folded: it is there to be copied.
        print_text(f"  payment-service {told}")
    if not steps:
        print_text("Nothing: it is over.")
    return 0


async def _found(asked: str) -> Found:
    async with open_database() as database:
        store = PostgresOperatorStore(database, read_settings().audit_keys)
        reads = PostgresReads(database)
        case = await store.case(await whole_id(database, Named.CASE, asked))
        order = await found_order(reads, case.queue_id)
        return case, order, await reads.events(order.queue_id)


def next_steps(case: CaseRecord, order: Order) -> Iterator[Step]:
    """Give what can be done about a case as it stands, the nearest first."""
    if case.state not in UNSETTLED:
        return
    if case.owner is None:
        yield f"case assign {case.id} --owner NAME", "give it an owner"
    if any(
        task.task_id == case.task_id and task.state is State.MANUAL_CHECK
        for task in order.queue.tasks
    ):
        told = f'task resolve {case.task_id} positive|negative --reason "…"'
        yield told, "decide the manual check of its task"
    is_return = case.kind is CaseKind.RETURN_AFTER_SUCCESS
    if is_return and case.state is CaseState.OPEN:
        told = f'case settle {case.id} --reason "…"'
        yield told, "have core take the returned payout back"
    if case.state is CaseState.OPEN:
        yield f'case close {case.id} --reason "…"', "close it once it is dealt with"
    else:
        yield f"case show {case.id}", "wait: core is asked to take the money back"


def _print_case(case: CaseRecord) -> None:
    view = case_view(case, datetime.now(UTC))
    detail = with_money(masked(case.detail, "detail"))
    risk = written(case.money_at_risk, case.currency) if case.currency else None
    names = ("kind", "state", "owner", "task_id", "opened_at", "closed_at", "reason")
    told = {name: view.get(name) for name in names}
    print_pairs({"case": case.id, **told, "at risk": risk, "detail": detail or None})
