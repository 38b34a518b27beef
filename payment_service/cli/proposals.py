"""Writes a proposal into the trail of an order, for a person with a key to see."""

from dataclasses import replace

from fsm.domain.orders import Order
from fsm.domain.proposals import Proposal
from handlers.ports.reads import CaseRecord
from handlers.shell_operations import ShellOperations
from payment_service.cli.orders import found_order
from payment_service.cli.shell import shell_operations


async def write_down(by_id: str, asked: str, proposal: Proposal) -> bool:
    """Write the proposal down; False where the same stood there before.

    ``asked`` is the id of a task, an order or a case, as ``by_id`` says.

    :raises Refusal: there is no such thing, or nothing to decide about it.
    """
    async with shell_operations() as operations:
        order, case, about = await _about(by_id, asked, proposal, operations)
        return await operations.propose(order, about, case)


async def _about(
    by_id: str, asked: str, proposal: Proposal, operations: ShellOperations
) -> tuple[Order, CaseRecord | None, Proposal]:
    if by_id == "order_id":
        return await found_order(operations.reads, asked), None, proposal
    if by_id == "task_id":
        order = await operations.order_of_task(asked)
        return order, None, replace(proposal, task_id=asked)
    case = await operations.operator_store.case(asked)
    order = await operations.order_of_task(case.task_id)
    return order, case, replace(proposal, task_id=case.task_id, case_id=asked)
