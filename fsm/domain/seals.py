"""Seals rows: whoever changes one without the keys is found when it is next read.

An order's row and each of its tasks' keep, in ``audit_hash``, the hash of their last
audit line, and behind it a seal: a keyed hash over that and over every column that
decides. It is checked once for each time an order is loaded, and made again for the
rows that a step moves. Columns that move without a step are not in it: ``wake_at`` and
``redrives`` (a wake-up says nothing), ``webhook_pending`` and ``webhook_sequence``.
What was fetched for an order's steps, and what its customer is told, is sealed with
its own row, what a task came to with the task's, by its keyed hash: that stays where an
erasure takes the rest out.

A webhook in the inbox is signed when it comes in, by who has verified it.
"""

import hashlib
from operator import attrgetter
from typing import Any, Final

import orjson

from fsm.domain.audit_keys import AuditKeys
from fsm.domain.binding import Signature
from fsm.domain.webhook_events import FORWARDED, UNREADABLE, WebhookEvent
from fsm.engine.records import replace
from fsm.engine.rows import Queue, Task

HEAD_BYTES: Final = 32
SEAL_BYTES: Final = 16

TASK_COLUMNS: Final = (
    "task_id",
    "state",
    "version",
    "waiting_for",
    "tries",
    "verdict",
    "taken",
    "cancel_requested",
    "sent_first_at",
    "sent_last_at",
    "sla_at",
    "deadline_at",
    "provider_reference",
    "returned",
    "code",
    "proposed_by",
    "proposed_decision",
    "created_at",
    "updated_at",
)
QUEUE_COLUMNS: Final = (
    "queue_id",
    "state",
    "version",
    "cancel_requested",
    "waiting_for",
    "tries",
)
_task_columns: Final = attrgetter(*TASK_COLUMNS)
_queue_columns: Final = attrgetter(*QUEUE_COLUMNS)


def head_of(audit_hash: bytes) -> bytes:
    """Return the hash of the audit line that a row stands at."""
    return audit_hash[:HEAD_BYTES]


def sealed_task(task: Task, head: bytes, key_id: str, keys: AuditKeys) -> Task:
    """Return the task as its audit line leaves it, sealed."""
    return replace(task, audit_hash=head + _seal(_of_task(task), head, key_id, keys))


def sealed_queue(queue: Queue, head: bytes, key_id: str, keys: AuditKeys) -> Queue:
    """Return the order's own row as its audit line leaves it, sealed."""
    return replace(queue, audit_hash=head + _seal(_of_queue(queue), head, key_id, keys))


# A row of `verify` has the same names as a record of the core.
def task_is_sealed(task: Any, key_id: str, keys: AuditKeys) -> bool:  # noqa: ANN401
    """Tell whether a task is as the step has left it that its audit line is about."""
    return _holds(_of_task(task), task.audit_hash, key_id, keys)


def queue_is_sealed(queue: Any, key_id: str, keys: AuditKeys) -> bool:  # noqa: ANN401
    """Tell whether an order's own row is as the last step has left it."""
    return _holds(_of_queue(queue), queue.audit_hash, key_id, keys)


def signed_webhook(webhook: WebhookEvent, keys: AuditKeys) -> WebhookEvent:
    """Return news as the inbox takes it, signed by who has verified it."""
    key_id = keys.signer
    return replace(
        webhook, signature=Signature(key_id, keys.mac(key_id, _said(webhook)))
    )


def webhook_is_signed(webhook: WebhookEvent, keys: AuditKeys) -> bool:
    """Tell whether news came in by us, and says what it said then."""
    return keys.holds(webhook.signature.key_id, _said(webhook), webhook.signature.mac)


def _of_task(task: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a row or a record
    row: tuple[Any, ...] = _task_columns(task)
    return row if task.result_hash is None else (*row, task.result_hash)


def _of_queue(queue: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a row or a record
    row: tuple[Any, ...] = _queue_columns(queue)
    loaded, told = queue.loaded, queue.customer_message
    if loaded is None and told is None:
        return row
    fetched = None if loaded is None else hashlib.sha256(loaded).hexdigest()
    return (*row, fetched) if told is None else (*row, fetched, told)


def _seal(row: tuple[Any, ...], head: bytes, key_id: str, keys: AuditKeys) -> bytes:
    return keys.mac(key_id, head + orjson.dumps(row))[:SEAL_BYTES]


def _holds(
    row: tuple[Any, ...], audit_hash: bytes, key_id: str, keys: AuditKeys
) -> bool:
    head = audit_hash[:HEAD_BYTES]
    return audit_hash[HEAD_BYTES:] == _seal(row, head, key_id, keys)


def _said(webhook: WebhookEvent) -> bytes:
    """Write all that counts of news; its id is the one that its sender gave it."""
    return orjson.dumps(
        [
            "webhook",
            webhook.provider,
            webhook.seen_as or webhook.event_id,
            webhook.type,
            webhook.reference,
            webhook.provider_reference,
            webhook.amount,
            webhook.currency,
            webhook.code,
            webhook.received_at,
            webhook.body_hash.hex(),
            webhook.content_hash.hex(),
            webhook.sequence,
            webhook.detail.get(UNREADABLE),
            webhook.detail.get(FORWARDED),
        ],
        option=orjson.OPT_SORT_KEYS,
    )
