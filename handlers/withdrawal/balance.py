"""The balance calls: freeze, commit, rollback and return of a hold, at core."""

from typing import Final

from fsm.domain.orders import Order
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.words import as_theirs
from fsm.payout.words import Trigger
from handlers.commit import Ports
from handlers.ports.core import BalanceCall, Confirmed, Operation, Refused

_EVENTS: Final = {
    Operation.FREEZE: (Trigger.FREEZE_CONFIRMED, Trigger.FREEZE_REFUSED),
    Operation.COMMIT: (Trigger.COMMIT_CONFIRMED, Trigger.COMMIT_REFUSED),
    Operation.ROLLBACK: (Trigger.ROLLBACK_CONFIRMED, Trigger.ROLLBACK_REFUSED),
    Operation.RETURN: (Trigger.RETURN_CONFIRMED, Trigger.RETURN_REFUSED),
}


async def balance(
    operation: Operation, order: Order, task: Task, ports: Ports
) -> Event:
    """Have core move the balance, and return its yes or its refusal.

    :raises CoreUnavailable: it gave no definite answer.
    """
    call = BalanceCall(
        task_id=task.task_id,
        queue_id=task.queue_id,
        order_id=order.order_id,
        merchant_id=order.merchant_id,
        provider=task.provider,
        terminal_id=task.terminal_id,
        money=order.require_money(),
    )
    confirmed, refused = _EVENTS[operation]
    match await ports.core.balance(operation, call):
        case Confirmed():
            return Event(trigger=confirmed, actor="core")
        case Refused(code=code, message=message):
            return Event(
                trigger=refused, actor="core", code=as_theirs(code), message=message
            )
