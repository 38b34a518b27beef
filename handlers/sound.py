"""Looks an order over, once for each time it is loaded: whether it is as written.

Two things may be wrong with it. Its rows are not as their last steps have left them:
then nothing about it can be believed, not even where it stands, so no step is made of
it at all. Or another request was written into it: then its rows say truly where it
stands, and money in flight is given to a person.
"""

from collections.abc import Iterator
from typing import Final, Protocol

from fsm.domain.audit_keys import AuditKeys
from fsm.domain.binding import hash_of_result
from fsm.domain.erasure import is_erased
from fsm.domain.errors import Fault, Tampered
from fsm.domain.orders import Order
from fsm.domain.seals import queue_is_sealed, task_is_sealed
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Case
from fsm.engine.words import CaseKind
from handlers.ports.clock import Clock
from handlers.ports.store import Store

TAMPERED: Final = "tampered"
NOT_AS_REQUESTED: Final = "the order's row is not what was requested: nothing is sent"


class UnknownKey(Fault):
    """The order was signed by a key that this process does not have."""

    says_mend = True

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"the order is signed by the key {key_id!r}, which is not in "
            "PAYMENT_AUDIT_KEYS here: a new key is added everywhere before it signs"
        )


class Sealed(Protocol):
    """What an order is looked over with: the books, and what seals them."""

    @property
    def store(self) -> Store:
        """Where steps are committed, and cases opened."""
        ...

    @property
    def clock(self) -> Clock:
        """The database's clock."""
        ...

    @property
    def keys(self) -> AuditKeys:
        """What the trail is signed and rows are sealed with."""
        ...


async def looked_over(order: Order, books: Sealed) -> Order:
    """Return the order with ``sound`` said; what was looked over before comes back.

    :raises UnknownKey: it cannot be looked over here.
    :raises Tampered: its rows are not as the service has left them; a case is open.
    """
    if order.sound is not None:
        return order
    keys = books.keys
    if order.signature.key_id not in keys:
        raise UnknownKey(order.signature.key_id)
    changed = list(_changed(order, keys))
    if changed:
        raise await halted(order, *changed[0], books)
    return replace(order, sound=order.is_as_requested(keys))


async def halted(order: Order, task: Task, what: str, books: Sealed) -> Tampered:
    """Open a case, once for each version of the task, and return what to raise."""
    await books.store.open_case(order, case_of(task, what), books.clock.now())
    return Tampered(order.queue_id, what)


def case_of(task: Task, what: str, content: str | None = None) -> Case:
    """Return the case of something that another hand has written."""
    asked = {"provider": task.provider} if task.provider else {}
    detail = {"state": task.state.value, **asked, "what": what}
    return Case(
        kind=CaseKind.TAMPERED, task_id=task.task_id, detail=detail, content=content
    )


def _has_its_result(order: Order, task: Task, keys: AuditKeys) -> bool:
    """Tell whether what a task came to is there as its row says, or was erased."""
    if task.result is None or is_erased(order):
        return task.result is None and is_erased(order)
    key_id = order.signature.key_id
    return hash_of_result(task.task_id, task.result, key_id, keys) == task.result_hash


def _changed(order: Order, keys: AuditKeys) -> Iterator[tuple[Task, str]]:
    """Name the rows that are not as they were left, and the task each is about."""
    key_id, queue = order.signature.key_id, order.queue
    for task in queue.tasks:
        if not task_is_sealed(task, key_id, keys):
            yield task, f"the row of task {task.task_id} is not as it was left"
        elif task.result_hash is not None and not _has_its_result(order, task, keys):
            yield task, f"what task {task.task_id} came to is not as it was left"
    if not queue_is_sealed(queue, key_id, keys):
        yield queue.tasks[0], "the order's own row is not as it was left"
