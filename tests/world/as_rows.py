"""The rows of an order and its trail as ``payment-service verify`` reads them."""

from fsm.domain.erasure import is_erased
from fsm.domain.orders import Order
from fsm.engine.rows import Task
from fsm.invariants import Line, OrderRow, TaskRow


def order_row(order: Order) -> OrderRow:
    """Return the row."""
    queue, money = order.queue, order.money
    return OrderRow(
        order.queue_id,
        order.order_id,
        None if money is None else money.amount,
        None if money is None else money.currency,
        queue.state.value,
        queue.version,
        queue.waiting_for,
        queue.wake_at,
        queue.audit_hash,
        queue.kind.value,
        order.merchant_id,
        order.customer_id,
        order.destination,
        order.content_hash,
        *order.signature,
        order.metadata,
        queue.cancel_requested,
        queue.tries,
        order.created_at,
        order.finished_at,
        queue.customer_message,
        is_erased(order),
        queue.flow_version,
        queue.exclusive_key,
        queue.loaded,
        order.details,
    )


def task_row(task: Task) -> TaskRow:
    """Return the row."""
    return TaskRow(
        task.task_id,
        task.position,
        task.provider,
        task.state.value,
        task.version,
        task.waiting_for,
        task.wake_at,
        task.verdict,
        task.sla,
        task.sla_at,
        task.audit_hash,
        task.returned,
        task.terminal_id,
        task.proposed_by,
        task.proposed_decision,
        task.provider_reference,
        task.sent_first_at,
        task.sent_last_at,
        task.tries,
        task.taken,
        task.cancel_requested,
        task.deadline_at,
        task.code,
        task.created_at,
        task.updated_at,
        task.lifecycle,
        task.step,
        task.name,
        task.result,
        task.result_hash,
    )


def line_of(line: object) -> Line:
    """Return an audit line."""
    return Line(*(getattr(line, name) for name in Line._fields))
