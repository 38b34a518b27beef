"""Judges what providers have said: each webhook of the inbox, and what came of it."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString, NamedTuple

from fsm.domain.audit_keys import AuditKeys
from fsm.domain.seals import webhook_is_signed
from fsm.domain.webhook_events import (
    UNREADABLE,
    WebhookEvent,
    WebhookEventState,
    WebhookEventType,
)
from fsm.engine.judged import Offence
from fsm.engine.table import Otherwise
from fsm.engine.words import FINAL, EngineTrigger, Invariant, State
from fsm.partner.lifecycle import LINK, UNLINK
from fsm.partner.words import CHECK
from fsm.payout.lifecycle import PAYOUT
from fsm.payout.table import OTHERWISE, TABLE
from fsm.payout.words import Trigger, Waiting
from fsm.tampering import forged_webhook
from handlers.withdrawal.webhooks import TRIGGERS
from payment_service.cli.not_compared import NotCompared
from payment_service.cli.snapshot import Snapshot, webhook_of
from payment_service.cli.snapshot_statements import WEBHOOK

# One that came before its task is looked at again within the hour.
PUT_OFF: Final[LiteralString] = """
SELECT t.queue_id::text, t.task_id::text, i.provider, i.event_id
FROM webhook_inbox i JOIN order_tasks t
    ON t.task_id = i.task_id AND t.provider = i.provider
WHERE i.wake_at > %(as_of)s::timestamptz + interval '61 minutes'
"""
COUNT_CHECKS: Final = [LINK.name, UNLINK.name]
"""The lifecycles whose sequence counts the checks that were answered, not webhooks."""

# Each answered check has a line with its number, and the next one is asked after it.
MISCOUNTED: Final[LiteralString] = """
SELECT t.queue_id::text, t.task_id::text, t.provider, t.webhook_sequence, said.last
FROM order_tasks t, LATERAL (
    SELECT max(CASE WHEN jsonb_typeof(e.detail -> %(check)s) = 'number'
        THEN (e.detail ->> %(check)s)::numeric END)::text AS last
    FROM order_task_events e WHERE e.entity_id = t.task_id) said
WHERE t.lifecycle = ANY(%(counting)s)
    AND t.webhook_sequence::text IS DISTINCT FROM said.last
"""
# What a provider numbers lower than what was heard is too old to be listened to.
DEAF: Final[LiteralString] = """
SELECT t.queue_id::text, t.task_id::text, t.provider, t.webhook_sequence
FROM order_tasks t WHERE t.webhook_sequence IS NOT NULL
    AND t.lifecycle <> ALL(%(counting)s) AND NOT EXISTS (
    SELECT FROM webhook_inbox i WHERE i.reference = t.task_id::text
    AND i.provider = t.provider AND i.sequence >= t.webhook_sequence
    AND i.state IN ('applied', 'known'))
"""
# Settled, and in no line of its task; beside it what else it could have been known by:
# the same statement under another id, and what the task's lines have done. A name of
# the payout that was learned later could not be compared then.
UNTOLD: Final[LiteralString] = """
<news>, t.queue_id::text, t.task_id::text, t.lifecycle,
    i.task_id IS DISTINCT FROM t.task_id,
    (i.amount IS NOT NULL AND i.amount IS DISTINCT FROM q.amount)
        OR (i.currency IS NOT NULL AND i.currency IS DISTINCT FROM q.currency)
        OR (i.provider_reference <> t.provider_reference AND EXISTS (
            SELECT FROM order_task_events e WHERE e.entity_id = t.task_id
            AND e.detail ->> 'reference' = t.provider_reference
            AND e.at <= i.received_at)),
    i.content_hash <> '' AND EXISTS (SELECT FROM webhook_inbox o
        WHERE o.reference = i.reference AND o.provider = i.provider
        AND o.content_hash = i.content_hash AND o.inbox_id <> i.inbox_id
        AND o.seen_as IS NULL AND o.state IN ('waiting', 'applied')),
    ARRAY(SELECT DISTINCT concat_ws(' ', e.trigger, e.source, e.target)
        FROM order_task_events e WHERE e.entity_id = t.task_id)
FROM order_tasks t JOIN webhook_inbox i
    ON i.reference = t.task_id::text AND i.provider = t.provider
JOIN order_queues q ON q.queue_id = t.queue_id
WHERE i.task_id IS DISTINCT FROM t.task_id OR (i.state <> 'waiting' AND NOT EXISTS (
    SELECT FROM order_task_events e WHERE e.entity_id = t.task_id
    AND e.detail #>> '{evidence,event_id}' = btrim(i.event_id)
    AND e.detail #>> '{evidence,type}' = i.type
    AND e.detail #>> '{evidence,seen_as}' IS NOT DISTINCT FROM i.seen_as))
""".replace("<news>", WEBHOOK)
_WEBHOOK_COLUMNS: Final = 19


class Untold(NamedTuple):
    """A webhook that no line of its task's trail names, and what it may be known by.

    ``moved`` are the task's moves, each as ``trigger source target``.
    """

    state: str
    webhook: WebhookEvent
    queue_id: str
    task_id: str
    lifecycle: str
    astray: bool
    differs: bool
    repeats: bool
    moved: Collection[str]


def _moves(
    *then: Waiting, by: EngineTrigger, to: Collection[State] = ()
) -> frozenset[str]:
    """Return the moves after which these calls are due, of a trigger or to a state."""
    return frozenset(
        f"{row.trigger} {row.source} {row.dest}"
        for row in TABLE
        if row.then in then or row.trigger is by or row.dest in to
    )


# By which a yes, or a no, is proven: who says the same again says nothing new.
_PROVEN: Final[Mapping[Trigger, frozenset[str]]] = {
    Trigger.PAID: _moves(Waiting.COMMIT, by=EngineTrigger.SETTLED_POSITIVE),
    Trigger.DECLINED: _moves(
        Waiting.ROLLBACK,
        by=EngineTrigger.SETTLED_NEGATIVE,
        to=FINAL - {State.SUCCEEDED},
    ),
}


class Hears(NamedTuple):
    """What webhooks mean to a lifecycle: the triggers, and what is known already."""

    triggers: Mapping[WebhookEventType, Trigger]
    mismatched: Trigger
    otherwise: Mapping[tuple[StrEnum, State], Otherwise]
    proven: Mapping[Trigger, frozenset[str]]


HEARS: Final[Mapping[str, Hears]] = {
    PAYOUT.name: Hears(TRIGGERS, Trigger.MISMATCHED, OTHERWISE, _PROVEN)
}


def webhook_offences(
    snapshot: Snapshot, keys: AuditKeys, as_of: datetime, left_out: NotCompared
) -> Iterator[Offence]:
    """Find webhooks that are none, and what keeps a task from hearing one.

    ``as_of`` is the database's time at which the rows were read; ``left_out`` counts
    those about tasks of which nobody here knows what they hear.
    """
    for webhook in snapshot.inbox():
        yield from forged_webhook(webhook, keys)
    asked, counting = {"as_of": as_of}, {"counting": COUNT_CHECKS}
    for queue_id, task_id, *event in snapshot.rows("put_off", PUT_OFF, asked):
        what = f"the webhook {event[1]!r} of {event[0]} was put off"
        yield Offence(Invariant.TAMPERED, queue_id, task_id, what)
    for queue_id, task_id, provider, number in snapshot.rows("deaf", DEAF, counting):
        what = f"it hears nothing of {provider} up to {number}, which nobody has sent"
        yield Offence(Invariant.TAMPERED, queue_id, task_id, what)
    yield from _miscounted(snapshot)
    for row in snapshot.rows("untold", UNTOLD, {}):
        yield from _unheard(_untold(row), keys, left_out)


def _miscounted(snapshot: Snapshot) -> Iterator[Offence]:
    """Find links that count other checks as answered than their trail does."""
    asked = {"counting": COUNT_CHECKS, "check": CHECK}
    for row in snapshot.rows("miscounted", MISCOUNTED, asked):
        queue_id, task_id, partner, counted, said = row
        what = (
            f"it counts {counted or 0} checks that {partner} has answered, and its "
            f"trail {said or 0}"
        )
        yield Offence(Invariant.TAMPERED, queue_id, task_id, what)


def _untold(row: tuple[Any, ...]) -> Untold:
    webhook, more = webhook_of(row[:_WEBHOOK_COLUMNS]), row[_WEBHOOK_COLUMNS:]
    return Untold(row[1], webhook, *more)


def _unheard(
    untold: Untold, keys: AuditKeys, left_out: NotCompared
) -> Iterator[Offence]:
    """Judge one that stands as dealt with; of one that is forged it is said already."""
    webhook = untold.webhook
    if not webhook_is_signed(webhook, keys):
        return
    hears = HEARS.get(untold.lifecycle)
    if hears is None and not untold.astray:
        left_out.unheard(untold.lifecycle)
        return
    if not untold.astray and hears is not None and not _is_new(untold, hears):
        return
    what = (
        f"the webhook {webhook.event_id!r} of {webhook.provider} "
        f"counts as {untold.state}"
    )
    if untold.astray:
        what = f"the webhook {webhook.event_id!r} of {webhook.provider} was led astray"
    else:
        what += ", and its task has never heard it"
    yield Offence(Invariant.TAMPERED, untold.queue_id, untold.task_id, what)


def _is_new(untold: Untold, hears: Hears) -> bool:
    """Tell whether there would have been a line of it, whenever it was looked at."""
    trigger = hears.triggers.get(untold.webhook.type)
    if trigger is None:
        return untold.state == WebhookEventState.APPLIED
    if untold.state == WebhookEventState.APPLIED:
        return True
    if untold.repeats:
        return False
    if untold.differs or UNREADABLE in untold.webhook.detail:
        trigger = hears.mismatched
    answers = {answer for (of, _), answer in hears.otherwise.items() if of is trigger}
    if Otherwise.KNOWN in answers:
        return False
    return not hears.proven.get(trigger, frozenset()) & set(untold.moved)
