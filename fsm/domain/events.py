"""Order events: what the outside is told, each with an id that survives a replay."""

from datetime import UTC, datetime

import orjson

from fsm.domain.ids import derived_id
from fsm.domain.messages import Message, traced_by
from fsm.domain.orders import Order
from fsm.engine.flow import Flow, Rules
from fsm.engine.outcome import ended_last
from fsm.engine.steps import Announced, Announcement
from fsm.engine.words import Kind


def stamp(at: datetime) -> str:
    """Write a time as RFC 3339 in UTC."""
    at = at if at.tzinfo is UTC else at.astimezone(UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_id(order: Order, announcement: Announcement) -> str:
    """Return the event's stable id: derived from what it is about."""
    task = announcement.task
    about = (task.task_id, task.version) if task else (order.queue_id,)
    if announcement.type in OUTCOMES:
        about = (order.queue_id,)
    return derived_id(announcement.type, *about)


OUTCOMES = frozenset({Announced.COMPLETED, Announced.FAILED, Announced.CANCELLED})


def order_event(order: Order, announcement: Announcement, at: datetime) -> Message:
    """Return the message that tells it, in the order's own trace."""
    body = event_body(order, announcement, at)
    return Message(
        headers=traced_by(order.trace_parent),
        subject=f"order.event.{body['type']}",
        body=orjson.dumps(body),
        message_id=str(body["event_id"]),
        queue_id=order.queue_id,
    )


def event_body(
    order: Order, announcement: Announcement, at: datetime
) -> dict[str, object]:
    """Return the body of an event; what is not known is left out."""
    task, money = announcement.task, order.money
    body: dict[str, object | None] = {
        "event_id": event_id(order, announcement),
        "type": f"{order.queue.kind}.{announcement.type}",
        "at": stamp(at),
        "order_id": order.order_id,
        "queue_id": order.queue_id,
        "task_id": task.task_id if task else None,
        "merchant_id": order.merchant_id,
        "customer_id": order.customer_id,
        "amount": money and money.amount,
        "currency": money and money.currency,
        "provider": (task.provider or None) if task else None,
        "terminal_id": task.terminal_id if task else None,
        "provider_reference": task.provider_reference if task else None,
        "attempts": _attempts(order, announcement),
        "code": announcement.code,
        "message": announcement.message,
        "result": announcement.result,
    }
    return {name: value for name, value in body.items() if value is not None}


def _attempts(order: Order, announcement: Announcement) -> int | None:
    """Return how many attempts of a payout were sent, with the one that it is about.

    None of what has no attempts, or none yet.
    """
    queue, about = order.queue, announcement.task
    if queue.kind is not Kind.WITHDRAWAL or announcement.type is Announced.ACCEPTED:
        return None
    its = about and about.task_id
    return sum(t.sent_first_at is not None or t.task_id == its for t in queue.tasks)


def rejected_event(
    kind: str, order_id: str, problem: str, *, at: datetime, cause: str
) -> Message:
    """Tell that a request was refused; there is no order, so there is no queue."""
    identity = derived_id("rejected", cause)
    body = {
        "event_id": identity,
        "type": f"{kind}.{Announced.REJECTED}",
        "at": stamp(at),
        "order_id": order_id,
        "code": "invalid",
        "message": problem,
    }
    return Message(
        subject=f"order.event.{kind}.{Announced.REJECTED}",
        body=orjson.dumps(body),
        message_id=identity,
    )


def result_of(order: Order, rules: Rules) -> str | None:
    """Return how an order has ended, in its flow's own word; None where it has none."""
    queue = order.queue
    flow = rules.flows.get((queue.kind, queue.flow_version))
    if flow is None or not queue.final:
        return None
    return flow.outcome(queue, queue.state, ended_last(queue)).result


def outcome_of(order: Order, at: datetime, flow: Flow) -> dict[str, object]:
    """Return the final event again, from the rows alone: the notification's body."""
    queue = order.queue
    outcome = flow.outcome(queue, queue.state, ended_last(queue))
    return event_body(order, outcome.announcement, at)
