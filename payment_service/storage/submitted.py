"""Says what became of a submitted request: accepted, a repeat of one, or a conflict."""

from collections.abc import Mapping
from typing import NamedTuple

from fsm.domain.audit_keys import AuditKeys
from fsm.domain.errors import StoreUnavailable
from fsm.domain.orders import Submission
from fsm.engine.words import Kind
from handlers.ports.store import NewOrder


class Submitted(NamedTuple):
    """What a request collided with."""

    queue_id: str
    content_hash: bytes
    key_id: str


class Holder(NamedTuple):
    """The order that runs with an exclusive key."""

    kind: str
    order_id: str
    queue_id: str


def order_key(new: NewOrder) -> tuple[str, str, str]:
    """Return what an order is one by: (merchant, kind, the caller's own id)."""
    return new.request.merchant_id, new.request.kind.value, new.request.order_id


def exclusive_key(new: NewOrder) -> str:
    """Return the key of which one order runs; empty where there is none."""
    return new.order.queue.exclusive_key or ""


def held_by(kind: str, order_id: str, queue_id: str, *, wanted: Kind) -> Submission:
    """Answer a request of which one runs: the same thing, or what is in its way."""
    return Submission(
        status="duplicate" if kind == wanted.value else "conflict",
        order_id=order_id,
        queue_id=queue_id,
    )


def accepted(new: NewOrder) -> Submission:
    """Answer a request whose order is stored."""
    return Submission(
        status="accepted", order_id=new.request.order_id, queue_id=new.order.queue_id
    )


def repeated(
    new: NewOrder,
    known: Mapping[tuple[str, str, str], Submitted],
    held: Mapping[str, Holder],
    keys: AuditKeys,
) -> Submission | StoreUnavailable:
    """Answer a request that collided with one of the ``known`` or ``held``, by keys.

    What is returned as an error is the answer to this request alone.

    :raises StoreUnavailable: what it collided with is not to be seen.
    """
    found = known.get(order_key(new))
    holder = held.get(exclusive_key(new)) if found is None else None
    if holder is not None:
        return held_by(*holder, wanted=new.request.kind)
    if found is None:
        # It collided with a row that no longer is, or that this snapshot misses.
        raise StoreUnavailable(f"order {new.request.order_id!r} is being written")
    queue_id = found.queue_id
    if queue_id == new.order.queue_id:
        # Its first answer was lost on the way, and it was repeated.
        return accepted(new)
    if found.key_id not in keys:
        # Answered once there is the key, like all else about that order.
        return StoreUnavailable(
            f"order {new.request.order_id!r} is signed by the key {found.key_id!r}, "
            "which is not in PAYMENT_AUDIT_KEYS here"
        )
    same = found.content_hash == new.request.content_hash(found.key_id, keys)
    return Submission(
        status="duplicate" if same else "conflict",
        order_id=new.request.order_id,
        queue_id=queue_id if same else None,
    )
