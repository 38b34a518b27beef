"""Buries what cannot be handled, and brings it back on an operator's word."""

from collections.abc import Mapping
from typing import Final

from fsm.domain.acts import NO_REASON
from fsm.domain.cards import holds_card
from fsm.domain.dead_letters import REPLAY_OF, DeadLetter, Reason, kept
from fsm.domain.errors import InvalidRequest, NotNow, Unstorable
from fsm.domain.events import rejected_event
from fsm.domain.ids import ID_LENGTH_MAX, derived_id, is_uuid, new_id
from fsm.domain.masking import masked_text
from fsm.domain.messages import DEAD_LETTER, Message, trace_parent_in
from fsm.engine.records import replace
from handlers.ports.bus import Delivery, fields_in
from handlers.ports.clock import Clock
from handlers.ports.operator_store import OperatorStore
from handlers.ports.store import Store

ERROR_LENGTH_MAX: Final = 1000
SUBJECT_LENGTH_MAX: Final = 500
COPY_BYTES_MAX: Final = 768 * 1024
"""A copy with its headers must fit into one message; the table has it whole."""


async def dead_letter(
    delivery: Delivery,
    reason: Reason,
    error: str,
    *,
    store: Store,
    clock: Clock,
    rejected: tuple[str, str] | None = None,
) -> bool:
    """Keep the message as a dead letter, with a copy for ``order.task.dlq``.

    After it returns the message may be taken off its stream. ``rejected`` is (kind,
    order_id) where it was a request that could be told apart: its sender hears of it.
    A letter that the store will never have is reduced to what it can have, so that the
    message comes to an end all the same; False says that it was.
    """
    letter = _letter(delivery, reason, error, clock)
    messages = [copy_of(letter, delivery.headers)]
    if rejected is not None:
        kind, order_id = rejected
        messages.append(
            rejected_event(kind, order_id, error, at=letter.at, cause=letter.id)
        )
    try:
        await store.dead_letter(letter, messages)
    except Unstorable as refused:
        reduced = _reduced(letter, str(refused))
        await store.dead_letter(reduced, [copy_of(reduced, {})])
        return False
    return True


def dead_letter_of_unfit(
    message: Message, because: str, clock: Clock
) -> tuple[DeadLetter, list[Message]]:
    """Return what is kept of a message that can never be published, and its copy."""
    ids = _ids_in(fields_in(message.body))
    letter = DeadLetter(
        id=derived_id("unfit", message.message_id),
        subject=message.subject,
        reason=Reason.INVALID,
        error=kept(f"cannot be published: {because}")[:ERROR_LENGTH_MAX],
        deliveries=0,
        body=message.body,
        headers=message.headers,
        at=clock.now(),
        task_id=ids.get("task_id"),
        queue_id=ids.get("queue_id"),
        order_id=ids.get("order_id"),
    )
    # A copy that cannot be published would have copies for ever.
    copies = [] if message.subject == DEAD_LETTER else [copy_of(letter, {})]
    return letter, copies


def _reduced(letter: DeadLetter, because: str) -> DeadLetter:
    """Return the letter with its bytes, and nothing else that a sender has written."""
    subject = letter.subject.encode("ascii", "backslashreplace").decode()
    return replace(
        letter,
        subject=subject[:SUBJECT_LENGTH_MAX],
        error=kept(f"reduced: {because}")[:ERROR_LENGTH_MAX],
        headers={},
        order_id=None,
    )


def _letter(delivery: Delivery, reason: Reason, error: str, clock: Clock) -> DeadLetter:
    ids = ids_of(delivery)
    return DeadLetter(
        id=_letter_id(delivery, reason),
        subject=kept(delivery.subject),
        reason=reason,
        error=masked_text(kept(error))[:ERROR_LENGTH_MAX],
        deliveries=delivery.deliveries,
        body=delivery.body,
        headers={kept(n): kept(v) for n, v in delivery.headers.items()},
        at=clock.now(),
        task_id=ids.get("task_id"),
        queue_id=ids.get("queue_id"),
        order_id=ids.get("order_id"),
    )


def _letter_id(delivery: Delivery, reason: Reason) -> str:
    """One letter for one row's version, however often the sweeper has it woken.

    What is invalid is no wake-up of ours: whoever forged it must not take the place of
    another's letter by the ids that it names.
    """
    ids = ids_of(delivery)
    version = _version(delivery)
    entity = ids.get("task_id") or ids.get("queue_id")
    if entity is None or version is None or reason is Reason.INVALID:
        return derived_id("letter", delivery.identity)
    return derived_id("letter", delivery.subject, entity, version, reason.value)


def _version(delivery: Delivery) -> int | None:
    found = _readable(delivery).get("version")
    return found if isinstance(found, int) else None


def _readable(delivery: Delivery) -> Mapping[str, object]:
    try:
        return delivery.fields()
    except InvalidRequest:
        return {}


def ids_of(delivery: Delivery) -> dict[str, str]:
    """Return the ids that a message names, as far as they can be read."""
    return _ids_in(_readable(delivery))


def _ids_in(found: Mapping[str, object] | str) -> dict[str, str]:
    if isinstance(found, str):
        return {}
    ids = {n: str(found[n]) for n in ("task_id", "queue_id") if is_uuid(found.get(n))}
    order_id = found.get("order_id")
    if isinstance(order_id, str) and _is_plain(order_id):
        ids["order_id"] = order_id
    return ids


def _is_plain(text: str) -> bool:
    return text.isprintable() and len(text) <= ID_LENGTH_MAX and not holds_card(text)


def copy_of(letter: DeadLetter, headers: Mapping[str, str]) -> Message:
    """Return the letter as ``order.task.dlq`` has it."""
    named = {
        "X-Original-Subject": _header(letter.subject),
        "X-Reason": letter.reason.value,
        "X-Error": _header(letter.error),
        "X-Deliveries": str(letter.deliveries),
        "X-Task-Id": letter.task_id,
        "X-Queue-Id": letter.queue_id,
        "traceparent": trace_parent_in(headers),
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
    letter_id: str,
    *,
    actor: str,
    reason: str | None = None,
    operator_store: OperatorStore,
    clock: Clock,
) -> None:
    """Send a dead letter's message again: a new message, judged by the same rules.

    Whoever replays it says that it should be handled, not that it is true: what counts
    only by who sent it is refused again, and its sender has to send it.

    :raises UnknownOrder: no such letter.
    :raises NotNow: somebody dealt with it before.
    """
    letter = await operator_store.letter(letter_id)
    # All else the server or this service gives a message anew at each publish.
    trace_parent = trace_parent_in(letter.headers)
    headers = {REPLAY_OF: letter.id}
    if trace_parent is not None:
        headers["traceparent"] = trace_parent
    now = clock.now()
    again = Message(
        subject=letter.subject,
        body=letter.body,
        # A new one each time: a second replay is no repeat that the server may drop.
        message_id=f"replay:{letter.id}:{new_id(now)}",
        headers=headers,
    )
    # One commit: what dies again before its mark was made would be marked over.
    if not await operator_store.mark_replayed(
        letter_id,
        actor=actor,
        reason=reason or NO_REASON,
        at=now,
        messages=[again],
        reopens=_webhook_in(letter),
    ):
        raise NotNow(f"dead letter {letter_id} was dealt with by somebody else")


def _webhook_in(letter: DeadLetter) -> tuple[str, str] | None:
    """Return which webhook waits again that was given up for want of a task.

    Where there still is none the sweeper buries it once more.
    """
    fields = fields_in(letter.body)
    if isinstance(fields, str):
        return None
    provider, event_id = fields.get("provider"), fields.get("event_id")
    if isinstance(provider, str) and isinstance(event_id, str):
        return provider, event_id
    return None


async def discard(
    letter_id: str,
    *,
    actor: str,
    reason: str,
    operator_store: OperatorStore,
    clock: Clock,
) -> None:
    """Give up a dead letter, with the reason.

    :raises UnknownOrder: no such letter.
    :raises NotNow: somebody dealt with it before.
    """
    await operator_store.letter(letter_id)
    at = clock.now()
    if not await operator_store.mark_discarded(
        letter_id, actor=actor, reason=reason, at=at
    ):
        raise NotNow(f"dead letter {letter_id} was dealt with by somebody else")
