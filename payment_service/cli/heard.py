"""Judges what providers have said: each webhook of the inbox, and what came of it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, LiteralString

from fsm.domain.audit_keys import AuditKeys
from fsm.invariants import Invariant, Offence
from fsm.tampering import forged_news
from payment_service.cli.snapshot import Snapshot

# One that came before its task is looked at again within the hour.
PUT_OFF: Final[LiteralString] = """
SELECT t.queue_id::text, t.task_id::text, i.provider, i.event_id
FROM webhook_inbox i JOIN order_tasks t
    ON t.task_id = i.task_id AND t.provider = i.provider
WHERE i.wake_at > %(as_of)s::timestamptz + interval '61 minutes'
"""
# What a provider numbers lower than what was heard is too old to be listened to.
DEAF: Final[LiteralString] = """
SELECT t.queue_id::text, t.task_id::text, t.provider, t.news_sequence
FROM order_tasks t WHERE t.news_sequence IS NOT NULL AND NOT EXISTS (
    SELECT FROM webhook_inbox i WHERE i.reference = t.task_id::text
    AND i.provider = t.provider AND i.sequence >= t.news_sequence
    AND i.state IN ('applied', 'known'))
"""


def news_offences(
    snapshot: Snapshot, keys: AuditKeys, as_of: datetime
) -> Iterator[Offence]:
    """Find webhooks that are none, and what keeps a task from hearing one.

    ``as_of`` is the database's time at which the rows were read.
    """
    for news in snapshot.inbox():
        yield from forged_news(news, keys)
    asked = {"as_of": as_of}
    for queue_id, task_id, *event in snapshot.rows("put_off", PUT_OFF, asked):
        what = f"the webhook {event[1]!r} of {event[0]} was put off"
        yield Offence(Invariant.TAMPERED, queue_id, task_id, what)
    for queue_id, task_id, provider, number in snapshot.rows("deaf", DEAF, {}):
        what = f"it hears nothing of {provider} up to {number}, which nobody has sent"
        yield Offence(Invariant.TAMPERED, queue_id, task_id, what)
