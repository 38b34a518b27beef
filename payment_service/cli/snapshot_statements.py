"""What a snapshot is read by: the SQL statements of `verify` and of an export."""

from typing import Final, LiteralString

# The indexes have these orders, so nothing is sorted. A bare name would sort its text.
ORDERS: Final[LiteralString] = """
SELECT q.queue_id::text, q.order_id, q.amount, q.currency, q.state, q.version,
    q.waiting_for, q.wake_at, q.audit_hash,
    q.kind, q.merchant_id, q.customer_id, q.request -> 'destination',
    q.content_hash, q.signed_by, q.signature, q.request -> 'metadata',
    q.cancel_requested, q.tries, q.created_at, q.finished_at, q.customer_message,
    q.customer_id = '' AND q.request =
        '{"destination": {}, "metadata": {}, "erased": true}'::jsonb,
    q.flow_version, q.exclusive_key, q.loaded,
    coalesce(q.request -> 'details', '{}'::jsonb),
    t.task_id::text, t.position, t.provider, t.state, t.version, t.waiting_for,
    t.wake_at, t.verdict, t.sla, t.sla_at, t.audit_hash, t.returned,
    t.terminal_id, t.proposed_by, t.proposed_decision, t.provider_reference,
    t.sent_first_at, t.sent_last_at, t.tries, t.taken, t.cancel_requested,
    t.deadline_at, t.code, t.created_at, t.updated_at, t.lifecycle, t.step, t.name,
    r.result, r.result_hash
FROM order_queues q LEFT JOIN order_tasks t ON t.queue_id = q.queue_id
LEFT JOIN LATERAL (SELECT o.result, encode(o.result_hash, 'hex') AS result_hash
    FROM order_task_results o WHERE q.kind <> 'withdrawal'
    AND o.queue_id = q.queue_id AND o.task_id = t.task_id OFFSET 0) r ON true
ORDER BY q.queue_id
"""
LINES: Final[LiteralString] = """
SELECT entity_id::text, version, queue_id::text, source, target,
    trigger, actor, at, trace_id, detail, key_id, hash
FROM order_task_events e ORDER BY e.entity_id, e.version
"""
# What people have decided, as the rows say it: (kind, id) of the subject, then what a
# line says of it. Of a settled return the audit line is its task's.
DECIDED: Final[LiteralString] = """
SELECT 'provider', provider, state, changed_by, changed_at, reason, to_char(
    until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), NULL
FROM provider_controls
UNION ALL SELECT 'owner of case', id::text, 'assigned', NULL, NULL, NULL, owner,
    queue_id::text
FROM cases WHERE owner IS NOT NULL
UNION ALL SELECT 'vote to close case', id::text, 'proposed', NULL, NULL, NULL,
    close_voter, queue_id::text
FROM cases WHERE close_voter IS NOT NULL
UNION ALL SELECT 'case', id::text, state, closed_by, closed_at, reason, NULL,
    queue_id::text
FROM cases WHERE closed_at IS NOT NULL AND state <> 'settled'
UNION ALL SELECT DISTINCT 'return of task', task_id::text, state, closed_by, closed_at,
    NULL, NULL, queue_id::text
FROM cases WHERE state = 'settled'
UNION ALL SELECT 'dead letter', id::text, 'replayed', replayed_by, replayed_at, NULL,
    NULL, NULL
FROM dead_letters WHERE replayed_at IS NOT NULL
UNION ALL SELECT 'dead letter', id::text, 'discarded', discarded_by, discarded_at,
    discard_reason, NULL, NULL
FROM dead_letters WHERE discarded_at IS NOT NULL
UNION ALL SELECT 'key', name, CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
        WHEN takes_two AND agreed_at IS NULL THEN 'waiting' ELSE 'live' END,
    coalesce(revoked_by, agreed_by, made_by), coalesce(revoked_at, agreed_at, made_at),
    revoke_reason, left(encode(sha256, 'hex'), 16), NULL
FROM api_keys
UNION ALL SELECT 'four_eyes', currency, 'set', set_by, set_at, reason, amount::text,
    NULL
FROM four_eyes WHERE set_by IS NOT NULL OR amount IS NOT NULL
"""
CASES: Final[LiteralString] = """
SELECT k.kind, k.queue_id::text, k.task_id::text, k.amount, k.currency,
    k.money_at_risk, k.detail, k.order_id, q.order_id, q.amount, q.currency,
    EXISTS (SELECT FROM order_task_events e
        WHERE e.entity_id = k.task_id AND e.at = k.opened_at)
FROM cases k JOIN order_queues q USING (queue_id)
"""
WEBHOOK: Final[LiteralString] = """
SELECT i.inbox_id::text, i.state, i.provider, i.event_id, i.type, i.reference,
    i.provider_reference, i.amount, i.currency, i.code, i.message, i.received_at,
    i.body_hash, i.detail, i.content_hash, i.sequence, i.seen_as, i.signed_by,
    i.signature
"""
"""What :func:`webhook_of` reads a webhook from."""
INBOX: Final[LiteralString] = f"{WEBHOOK} FROM webhook_inbox i"
HOMELESS: Final[LiteralString] = """
SELECT t.task_id::text, t.queue_id::text, 'its order is gone' FROM order_tasks t
WHERE NOT EXISTS (SELECT FROM order_queues q WHERE q.queue_id = t.queue_id)
UNION ALL SELECT r.task_id::text, r.queue_id::text,
    'what it came to is kept, and it can have come to nothing'
FROM order_task_results r
WHERE NOT EXISTS (SELECT FROM order_tasks t JOIN order_queues q USING (queue_id)
    WHERE t.task_id = r.task_id AND t.queue_id = r.queue_id AND q.kind <> 'withdrawal')
"""
FACTS: Final[LiteralString] = """
SELECT clock_timestamp(), (SELECT count(*) FROM order_queues),
    (SELECT min(created_at) FROM order_queues)
"""
UNKNOWN: Final[LiteralString] = """
SELECT asked FROM unnest(%s::text[]) AS asked
WHERE NOT EXISTS (SELECT FROM order_tasks t WHERE t.task_id::text = asked)
"""
