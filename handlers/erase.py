"""Takes out of a final order what says whose it was, and where the money went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from fsm.domain.erasure import erasure_of, is_erased
from fsm.domain.errors import NotNow, StaleWrite, UnknownOrder
from fsm.domain.orders import Order
from handlers.commit import Ports
from handlers.ports.operator_store import OperatorStore
from handlers.ports.reads import Reads, Search
from handlers.sound import NOT_AS_REQUESTED, looked_over

TRIES_MAX: Final = 3
PAGE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What became of a customer's orders, by queue_id; what was refused says why."""

    done: Sequence[str] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


async def erase(
    order: Order,
    *,
    reason: str,
    actor: str,
    ports: Ports,
    operator_store: OperatorStore,
) -> bool:
    """Erase one order in one transaction; False where it was erased before.

    :raises NotNow: it is under way, a case or a dead letter about it is open, or it is
        not what was requested.
    :raises Tampered: another hand has changed it: its new row would be sealed as ours.
    """
    for _ in range(TRIES_MAX):
        if is_erased(order):
            return False
        _require_rest(order)
        order = await looked_over(order, ports)
        if not order.sound:
            raise NotNow(NOT_AS_REQUESTED)
        now = ports.clock.now()
        erasure = erasure_of(order, reason=reason, actor=actor, at=now, keys=ports.keys)
        try:
            await operator_store.erase(erasure)
        except StaleWrite:
            order = await _again(order.queue_id, ports)
        else:
            return True
    raise NotNow(f"order {order.order_id} changes all the time: try again")


async def erase_customer(
    customer_id: str,
    *,
    reason: str,
    actor: str,
    ports: Ports,
    operator_store: OperatorStore,
    reads: Reads,
) -> Erased:
    """Erase every order of a customer that may be erased now, one by one.

    What is erased is not found any more: who begins again goes on where it ended.
    """
    done: list[str] = []
    refused: dict[str, str] = {}
    sought = Search(customer_id=customer_id, limit=PAGE)
    while True:
        page = await reads.search(sought)
        for order in page.items:
            try:
                await erase(
                    order,
                    reason=reason,
                    actor=actor,
                    ports=ports,
                    operator_store=operator_store,
                )
                done.append(order.queue_id)
            except NotNow as refusal:
                refused[order.queue_id] = str(refusal)
        if page.next_cursor is None:
            return Erased(done=done, refused=refused)
        sought = replace(sought, cursor=page.next_cursor)


def _require_rest(order: Order) -> None:
    """Refuse what still has something to do, for which it may need to know whose."""
    queue = order.queue
    if not queue.final:
        raise NotNow(f"order {order.order_id} is {queue.state}: only a final one")
    waiting = [queue.waiting_for, *(task.waiting_for for task in queue.tasks)]
    if found := [each.value for each in waiting if each is not None]:
        raise NotNow(f"order {order.order_id} still waits for {', '.join(found)}")


async def _again(queue_id: str, ports: Ports) -> Order:
    order = await ports.store.load(queue_id)
    if order is None:
        raise UnknownOrder(queue_id)
    return order
