"""Writes a proposal into the trail of an order, for a person with a key to see."""

from dataclasses import dataclass, field, replace

from fsm.domain.audit_keys import AuditKeys
from fsm.domain.orders import Order
from fsm.domain.proposals import Proposal
from handlers.cancel import order_of_task
from handlers.ports.reads import CaseRecord
from handlers.ports.watch import NobodyWatches
from handlers.propose import propose
from payment_service.cli.context import read_settings
from payment_service.cli.database import open_database
from payment_service.cli.orders import found_order
from payment_service.storage.clock import DatabaseClock
from payment_service.storage.database import Database
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.reads import PostgresReads
from payment_service.storage.store import PostgresStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellBooks:
    """What a line is written with: no provider and no core, for nobody is called."""

    store: PostgresStore
    clock: DatabaseClock
    keys: AuditKeys
    watch: NobodyWatches = field(default_factory=NobodyWatches)


async def write_down(by_id: str, asked: str, proposal: Proposal) -> bool:
    """Write the proposal down; False where the same stood there before.

    ``asked`` is the id of a task, an order or a case, as ``by_id`` says.

    :raises Refusal: there is no such thing, or nothing to decide about it.
    """
    keys = read_settings().audit_keys
    async with open_database() as database:
        clock = DatabaseClock(database)
        await clock.calibrate()
        books = ShellBooks(store=PostgresStore(database), clock=clock, keys=keys)
        order, case, told = await _about(by_id, asked, proposal, books, database)
        entries = await PostgresReads(database).events(order.queue_id)
        return await propose(
            order,
            told,
            trail=[entry.line for entry in entries],
            books=books,
            case=case,
        )


async def _about(
    by_id: str, asked: str, proposal: Proposal, books: ShellBooks, database: Database
) -> tuple[Order, CaseRecord | None, Proposal]:
    if by_id == "order_id":
        return await found_order(PostgresReads(database), asked), None, proposal
    if by_id == "task_id":
        order = await order_of_task(asked, ports=books)
        return order, None, replace(proposal, task_id=asked)
    case = await PostgresOperatorStore(database, books.keys).case(asked)
    order = await order_of_task(case.task_id, ports=books)
    return order, case, replace(proposal, task_id=case.task_id, case_id=asked)
