"""Buries what cannot be handled, and brings it back on an operator's word."""

from collections.abc import Mapping
from typing import Final

import orjson

from payment_service.domain.errors import NotNow
from payment_service.domain.events import rejected_event
from payment_service.domain.ids import ID_LENGTH_MAX, derived_id, is_uuid
from payment_service.domain.letters import DeadLetter, Reason
from payment_service.domain.messages import DEAD_LETTER, Message
from payment_service.ports.bus import Delivery
from payment_service.ports.clock import Clock
from payment_service.ports.desk import Desk
from payment_service.ports.store import Store

ERROR_LENGTH_MAX: Final = 1000
COPY_BYTES_MAX: Final = 768 * 1024
"""A copy with its headers must fit into one message; the table has it whole."""

# All else the server or this service gives a message anew at each publish.
KEPT: Final = frozenset({"traceparent"})


async def bury(
    delivery: Delivery,
    reason: Reason,
    error: str,
    *,
    store: Store,
    clock: Clock,
    rejected: tuple[str, str] | None = None,
) -> None:
    """Keep the message as a dead letter, with a copy for ``order.task.dlq``.

    After it returns the message may be taken off its stream. ``rejected`` is (kind,
    order_id) where it was a request that could be told apart: its sender hears of it.
    """
    letter = _letter(delivery, reason, error, clock)
    messages = [copy_of(letter, delivery.headers)]
    if rejected is not None:
        kind, order_id = rejected
        messages.append(
            rejected_event(kind, order_id, error, at=letter.at, cause=letter.id)
        )
    await store.bury(letter, messages)


def _letter(delivery: Delivery, reason: Reason, error: str, clock: Clock) -> DeadLetter:
    ids = ids_of(delivery.body)
    return DeadLetter(
        id=_letter_id(delivery, reason),
        subject=delivery.subject,
        reason=reason,
        error=error[:ERROR_LENGTH_MAX],
        deliveries=delivery.deliveries,
        body=delivery.body,
        headers=delivery.headers,
        at=clock.now(),
        task_id=ids.get("task_id"),
        queue_id=ids.get("queue_id"),
        order_id=ids.get("order_id"),
    )


def _letter_id(delivery: Delivery, reason: Reason) -> str:
    """One letter for one row's version, however often the sweeper has it rung for."""
    ids = ids_of(delivery.body)
    version = _version(delivery.body)
    entity = ids.get("task_id") or ids.get("queue_id")
    if entity is None or version is None:
        return derived_id("letter", delivery.identity)
    return derived_id("letter", delivery.subject, entity, version, reason.value)


def _version(body: bytes) -> int | None:
    found = _fields(body).get("version")
    return found if isinstance(found, int) else None


def _fields(body: bytes) -> dict[str, object]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def ids_of(body: bytes) -> dict[str, str]:
    """Return the ids that a message names, as far as they can be read."""
    found = _fields(body)
    ids = {n: str(found[n]) for n in ("task_id", "queue_id") if is_uuid(found.get(n))}
    order_id = found.get("order_id")
    if isinstance(order_id, str) and _is_plain(order_id):
        ids["order_id"] = order_id
    return ids


def _is_plain(text: str) -> bool:
    return text.isprintable() and len(text) <= ID_LENGTH_MAX


def copy_of(letter: DeadLetter, headers: Mapping[str, str]) -> Message:
    """Return the letter as ``order.task.dlq`` has it."""
    named = {
        "X-Original-Subject": letter.subject,
        "X-Reason": letter.reason.value,
        "X-Error": _header(letter.error),
        "X-Deliveries": str(letter.deliveries),
        "X-Task-Id": letter.task_id,
        "X-Queue-Id": letter.queue_id,
        "traceparent": headers.get("traceparent"),
    }
    return Message(
        subject=DEAD_LETTER,
        body=letter.body[:COPY_BYTES_MAX],
        message_id=f"letter:{letter.id}:{int(letter.at.timestamp())}",
        headers={name: value for name, value in named.items() if value},
    )


def _header(text: str) -> str:
    printable = "".join(c if " " <= c <= "~" else "?" for c in text)
    return printable[:500]


async def replay(
    letter_id: str, *, actor: str, desk: Desk, store: Store, clock: Clock
) -> None:
    """Send a dead letter's message again: a new message, judged by the same rules.

    :raises UnknownOrder: no such letter.
    :raises NotNow: somebody dealt with it before.
    """
    letter = await desk.letter(letter_id)
    await _reopen_news(letter, store)
    headers = {n: v for n, v in letter.headers.items() if n.lower() in KEPT}
    # Posted first: dying between the two sends it twice, which the rules absorb; the
    # other way round would lose it.
    await store.post(
        Message(
            subject=letter.subject,
            body=letter.body,
            message_id=f"replay:{letter.id}",
            headers=headers,
        )
    )
    if not await desk.mark_replayed(letter_id, actor=actor, at=clock.now()):
        raise NotNow(f"dead letter {letter_id} was dealt with by somebody else")


async def _reopen_news(letter: DeadLetter, store: Store) -> None:
    """Let a webhook wait again that was given up for want of a task.

    Where there still is none the sweeper buries it once more.
    """
    fields = _fields(letter.body)
    provider, event_id = fields.get("provider"), fields.get("event_id")
    if isinstance(provider, str) and isinstance(event_id, str):
        stored = await store.find_news(provider, event_id)
        if stored is not None:
            await store.reopen_news(stored.inbox_id)


async def discard(
    letter_id: str, *, actor: str, reason: str, desk: Desk, clock: Clock
) -> None:
    """Give up a dead letter, with the reason.

    :raises UnknownOrder: no such letter.
    :raises NotNow: somebody dealt with it before.
    """
    await desk.letter(letter_id)
    at = clock.now()
    if not await desk.mark_discarded(letter_id, actor=actor, reason=reason, at=at):
        raise NotNow(f"dead letter {letter_id} was dealt with by somebody else")
