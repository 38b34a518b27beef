"""The hot statements, by name; each is one transaction for a whole group.

Rows travel as JSON, one parameter a table: one round trip and one plan, whatever the
number of rows. Read top to bottom this is the API of the rows.

A plan is kept from the day the tables were empty, so none may depend on their size:
rows are looked up by key in a subquery that cannot be flattened (LATERAL, LIMIT), or by
an array of keys, and times are compared with ``statement_timestamp()``, which an index
can be asked for.
"""

from typing import Final, LiteralString

EVENT: Final = """
    entity_id uuid, queue_id uuid, version int, source text, target text,
    trigger text, actor text, at timestamptz, trace_id text, detail jsonb,
    key_id text, hash bytea"""

INSERT_EVENTS: Final = """
    INSERT INTO order_task_events (entity_id, queue_id, version, source,
        target, trigger, actor, at, trace_id, detail, key_id, hash)
    SELECT e.entity_id, e.queue_id, e.version, e.source, e.target,
        e.trigger, e.actor, e.at, e.trace_id, e.detail, e.key_id, e.hash"""

# The lines of a group are numbered as they were written down: no plan may shuffle them.
AS_WRITTEN: Final = "ORDER BY e.ordinality"

# All that a commit posts is one row; a commit that posts nothing has none.
INSERT_BUNDLE: Final = """
    INSERT INTO outbox (bundle, messages) SELECT json_agg(m.message)::text, count(*)"""

INSERT_CASES: Final = """INSERT INTO cases (id, kind, queue_id, order_id, task_id,
        provider, amount, currency, money_at_risk, detail, state, opened_at)
    SELECT k.id, k.kind, k.queue_id, k.order_id, k.task_id, k.provider, k.amount,
        k.currency, k.money_at_risk, k.detail, k.state, k.opened_at
    FROM json_to_recordset(%(cases)s::json) AS k(step int, id uuid, kind text,
        queue_id uuid, order_id text, task_id uuid, provider text, amount bigint,
        currency text, money_at_risk bigint, detail jsonb, state text,
        opened_at timestamptz)"""

# What has opened no case, since there is that one, is told by nobody.
TELL_OPENED: Final = """opened_told AS (
    INSERT INTO outbox (message_id, subject, body, headers, queue_id)
    SELECT m.message_id, m.subject, convert_to(m.told, 'UTF8'), m.headers, m.queue_id
    FROM json_to_recordset(%(cases)s::json) AS m(id uuid, queue_id uuid,
        message_id text, subject text, told text, headers jsonb)
    JOIN opened USING (id)
)"""

# Submit orders: those that exist already are left alone, and looked up after.
SUBMIT: Final[LiteralString] = f"""
WITH q AS (
    INSERT INTO order_queues (queue_id, kind, flow_version, exclusive_key, order_id,
        merchant_id, customer_id, amount, currency, state, version, waiting_for,
        wake_at, request, content_hash, trace_parent, signed_by, signature, audit_hash,
        created_at, updated_at)
    SELECT n.queue_id, n.kind, n.flow_version, n.exclusive_key, n.order_id,
        n.merchant_id, n.customer_id, n.amount, n.currency, 'ACTIVE', 1, n.waiting_for,
        n.wake_at, n.request, n.content_hash, n.trace_parent, n.signed_by, n.signature,
        n.audit_hash, n.created_at, n.created_at
    FROM json_to_recordset(%(orders)s::json) AS n(queue_id uuid, kind text,
        flow_version smallint, exclusive_key text, order_id text, merchant_id text,
        customer_id text, amount bigint, currency text, waiting_for text,
        wake_at timestamptz, request jsonb, content_hash bytea, trace_parent text,
        signed_by text, signature bytea, audit_hash bytea, created_at timestamptz)
    ON CONFLICT DO NOTHING
    RETURNING queue_id
), t AS (
    INSERT INTO order_tasks (task_id, queue_id, position, lifecycle, step, name,
        provider, terminal_id, sla, state, version, waiting_for, wake_at, watch_at,
        audit_hash, created_at, updated_at)
    SELECT n.task_id, n.queue_id, n.position, n.lifecycle, n.step, n.name,
        n.provider, n.terminal_id, n.sla, n.state, 1, n.waiting_for, n.wake_at,
        n.wake_at, n.audit_hash, n.created_at, n.created_at
    FROM json_to_recordset(%(tasks)s::json) AS n(task_id uuid, queue_id uuid,
        position smallint, lifecycle text, step smallint, name text, provider text,
        terminal_id text, sla text, state text, waiting_for text,
        wake_at timestamptz, audit_hash bytea, created_at timestamptz)
    JOIN q USING (queue_id)
), e AS ({INSERT_EVENTS}
    FROM ROWS FROM (json_to_recordset(%(events)s::json) AS ({EVENT}))
        WITH ORDINALITY AS e
    JOIN q USING (queue_id) {AS_WRITTEN}
), posted AS ({INSERT_BUNDLE}
    FROM json_to_recordset(%(messages)s::json) AS m(queue_id uuid, message json)
    JOIN q USING (queue_id)
    HAVING count(*) > 0
    RETURNING seq
)
SELECT 'order', queue_id::text, NULL::bigint FROM q
UNION ALL SELECT 'posted', NULL, seq FROM posted
"""

# The orders that a request collided with.
FIND_SUBMITTED: Final[LiteralString] = """
SELECT q.merchant_id, q.kind, q.order_id, q.queue_id::text, q.content_hash,
    q.signed_by
FROM unnest(%(merchants)s::text[], %(kinds)s::text[], %(orders)s::text[])
    AS n(merchant_id, kind, order_id),
LATERAL (SELECT * FROM order_queues o WHERE o.merchant_id = n.merchant_id
    AND o.kind = n.kind AND o.order_id = n.order_id LIMIT 1) q
"""

# The orders that run with an exclusive key which a request wanted.
FIND_HOLDERS: Final[LiteralString] = """
SELECT q.exclusive_key, q.kind, q.order_id, q.queue_id::text
FROM unnest(%(held)s::text[]) AS n(exclusive_key),
LATERAL (SELECT * FROM order_queues o
    WHERE o.exclusive_key = n.exclusive_key AND o.finished_at IS NULL LIMIT 1) q
"""

COMPLETED: Final[LiteralString] = """
SELECT queue_id::text FROM order_queues
WHERE exclusive_key = %(key)s AND state = 'COMPLETED'
ORDER BY finished_at DESC, queue_id DESC LIMIT %(limit)s
"""

_ORDER: Final = """
SELECT q.queue_id::text, json_build_object(
    'queue_id', q.queue_id, 'kind', q.kind, 'flow_version', q.flow_version,
    'exclusive_key', q.exclusive_key, 'order_id', q.order_id,
    'merchant_id', q.merchant_id, 'customer_id', q.customer_id, 'amount', q.amount,
    'currency', q.currency, 'state', q.state, 'version', q.version,
    'cancel_requested', q.cancel_requested, 'waiting_for', q.waiting_for,
    'wake_at', q.wake_at, 'tries', q.tries, 'customer_message', q.customer_message,
    'request', q.request, 'loaded', q.loaded, 'content_hash', q.content_hash,
    'trace_parent', q.trace_parent,
    'signed_by', q.signed_by, 'signature', q.signature,
    'audit_hash', q.audit_hash, 'created_at', q.created_at,
    'finished_at', q.finished_at,
    -- A payout comes to nothing that another step needs: nobody looks for it.
    'results', CASE WHEN q.kind <> 'withdrawal' THEN (
        SELECT json_object_agg(r.task_id, json_build_object(
            'result_hash', encode(r.result_hash, 'hex'), 'result', r.result))
        FROM order_task_results r WHERE r.queue_id = q.queue_id) END,
    'tasks', (
        SELECT json_agg(json_build_object(
            'task_id', t.task_id, 'position', t.position, 'lifecycle', t.lifecycle,
            'step', t.step, 'name', t.name, 'provider', t.provider,
            'terminal_id', t.terminal_id, 'sla', t.sla, 'state', t.state,
            'version', t.version, 'waiting_for', t.waiting_for, 'wake_at', t.wake_at,
            'tries', t.tries, 'verdict', t.verdict, 'taken', t.taken,
            'cancel_requested', t.cancel_requested,
            'webhook_pending', t.webhook_pending,
            'sent_first_at', t.sent_first_at, 'sent_last_at', t.sent_last_at,
            'sla_at', t.sla_at, 'deadline_at', t.deadline_at,
            'provider_reference', t.provider_reference,
            'webhook_sequence', t.webhook_sequence,
            'returned', t.returned, 'code', t.code,
            'proposed_by', t.proposed_by, 'proposed_decision', t.proposed_decision,
            'audit_hash', t.audit_hash, 'created_at', t.created_at,
            'updated_at', t.updated_at) ORDER BY t.position)
        FROM order_tasks t WHERE t.queue_id = q.queue_id))::text
FROM order_queues q
"""

LOAD: Final[LiteralString] = f"{_ORDER} WHERE q.queue_id = ANY(%(queue_ids)s::uuid[])"

# Find an order by either of its ids; the caller's own may be used more than once.
FIND: Final[LiteralString] = f"""{_ORDER}
WHERE (q.order_id = %(order_id)s OR q.queue_id = %(queue_id)s::uuid)
    AND (%(merchants)s::text[] IS NULL OR q.merchant_id = ANY(%(merchants)s::text[]))
LIMIT %(limit)s
"""

# The audit trail of an order and of all its tasks, in causal order: workers' clocks
# may say anything, numbers are drawn under the locks of the rows.
TRAIL: Final[LiteralString] = """
SELECT e.seq, e.entity_id::text, e.queue_id::text, e.version, e.source, e.target,
    e.trigger, e.actor, e.at, e.trace_id, e.detail, e.key_id,
    e.hash
FROM (SELECT %(queue_id)s::uuid AS id
    UNION ALL SELECT task_id FROM order_tasks WHERE queue_id = %(queue_id)s::uuid) ids,
LATERAL (SELECT * FROM order_task_events e WHERE e.entity_id = ids.id OFFSET 0) e
ORDER BY e.seq LIMIT %(limit)s
"""

# What was done to the service itself, newest first.
SERVICE_TRAIL: Final[LiteralString] = """
SELECT e.seq, e.entity_id::text, e.queue_id::text, e.version, e.source, e.target,
    e.trigger, e.actor, e.at, e.trace_id, e.detail, e.key_id,
    e.hash
FROM order_task_events e
WHERE e.entity_id = %(service)s::uuid AND e.version < %(before)s
ORDER BY e.version DESC LIMIT %(limit)s
"""

QUEUES_OF: Final[LiteralString] = """
SELECT task_id::text, queue_id::text FROM order_tasks
WHERE task_id = ANY(%(task_ids)s::uuid[])
"""

# Keep webhooks: each event once for ever, with the wake-up that has it handled. They
# are numbered in the order they came in and written in one order, against deadlock.
# What can be about no task rings for nobody: it waits to be forgotten.
STORE_WEBHOOKS: Final[LiteralString] = """
WITH n AS MATERIALIZED (
    SELECT nextval('webhook_inbox_inbox_id_seq') AS inbox_id, r.*
    FROM json_to_recordset(%(webhook)s::json) AS r(provider text, event_id text,
        type text, reference text, task_id uuid, provider_reference text,
        amount bigint, currency text, code text, message text, detail jsonb,
        body_hash bytea, content_hash bytea, sequence bigint, seen_as text,
        signed_by text, signature bytea, received_at timestamptz)
), i AS (
    INSERT INTO webhook_inbox (inbox_id, provider, event_id, type, reference, task_id,
        provider_reference, amount, currency, code, message, detail, body_hash,
        content_hash, sequence, seen_as, signed_by, signature, received_at, wake_at)
    OVERRIDING SYSTEM VALUE
    SELECT n.inbox_id, n.provider, n.event_id, n.type, n.reference, n.task_id,
        n.provider_reference, n.amount, n.currency, n.code, n.message, n.detail,
        n.body_hash, n.content_hash, n.sequence, n.seen_as, n.signed_by, n.signature,
        n.received_at, n.received_at + CASE WHEN n.task_id IS NULL THEN %(kept)s
            ELSE interval '0' END
    FROM n ORDER BY n.provider, n.event_id
    ON CONFLICT (provider, event_id) DO NOTHING
    RETURNING inbox_id, provider, event_id, task_id
), posted AS (
    INSERT INTO outbox (message_id, subject, body, headers, queue_id)
    SELECT 'webhook:' || i.provider || ':' || i.event_id, %(subject)s,
        convert_to(json_build_object('provider', i.provider, 'event_id', i.event_id,
            'task_id', t.task_id, 'queue_id', t.queue_id, 'version', t.version)::text,
            'UTF8'),
        CASE WHEN t.trace_parent IS NOT NULL
            THEN jsonb_build_object('traceparent', t.trace_parent) END,
        t.queue_id
    FROM i LEFT JOIN LATERAL (
        SELECT t.task_id, t.queue_id, t.version, (SELECT q.trace_parent
            FROM order_queues q WHERE q.queue_id = t.queue_id) AS trace_parent
        FROM order_tasks t WHERE t.task_id = i.task_id LIMIT 1) t ON true
    WHERE i.task_id IS NOT NULL ORDER BY i.inbox_id
    RETURNING seq, message_id, subject, body, headers, queue_id
)
SELECT i.provider, i.event_id, p.seq, p.message_id, p.subject, p.body, p.headers,
    NULL::timestamptz, NULL::text, p.queue_id::text
FROM i LEFT JOIN posted p ON p.message_id = 'webhook:' || i.provider || ':' ||
i.event_id
"""

_WEBHOOK: Final = """
SELECT i.inbox_id::text, i.state, i.provider, i.event_id, i.type, i.reference,
    i.provider_reference, i.amount, i.currency, i.code, i.message, i.received_at,
    i.body_hash, i.detail, i.content_hash, i.sequence, i.seen_as, i.signed_by,
    i.signature
"""

# What was stored before under the ids of these events.
FIND_KEPT: Final[LiteralString] = f"""{_WEBHOOK}
FROM unnest(%(providers)s::text[], %(event_ids)s::text[]) AS n(provider, event_id),
LATERAL (SELECT * FROM webhook_inbox i WHERE i.provider = n.provider
    AND i.event_id = n.event_id LIMIT 1) i
"""

# The same statement under another id: of two that wait the first is the one.
_REPEATS: Final = """
i.content_hash <> '' AND (SELECT true FROM webhook_inbox o
    WHERE o.reference = i.reference AND o.provider = i.provider
    AND o.content_hash = i.content_hash AND o.inbox_id <> i.inbox_id
    AND o.seen_as IS NULL AND (o.state IN ('applied', 'known')
        OR (o.state = 'waiting' AND o.inbox_id < i.inbox_id)) LIMIT 1) IS NOT NULL
"""

# What only another version can read waits for that one, and hides nothing of ours.
PENDING_WEBHOOKS: Final[LiteralString] = f"""{_WEBHOOK}, {_REPEATS}
FROM (SELECT * FROM webhook_inbox
    WHERE reference = %(task_id)s AND wake_at IS NOT NULL
    AND type = ANY(%(types)s::text[]) OFFSET 0) i
WHERE (SELECT true FROM order_tasks t
    WHERE t.task_id = i.task_id AND t.provider = i.provider LIMIT 1)
ORDER BY i.inbox_id LIMIT 100
"""

FIND_WEBHOOK: Final[LiteralString] = f"""{_WEBHOOK} FROM webhook_inbox i
WHERE i.provider = %(provider)s AND i.event_id = %(event_id)s
"""

MARK_WAITING: Final[LiteralString] = """
UPDATE order_tasks SET webhook_pending = true
WHERE task_id = %(task_id)s::uuid AND version = %(version)s RETURNING task_id
"""

# What changes nothing was heard all the same: what is older comes too late now.
CLOSE_WEBHOOK: Final[LiteralString] = """
WITH closed AS (
    UPDATE webhook_inbox SET state = %(state)s, wake_at = NULL,
        settled_at = clock_timestamp()
    WHERE inbox_id = %(inbox_id)s::bigint AND wake_at IS NOT NULL
    RETURNING task_id, provider, sequence, state
)
UPDATE order_tasks t SET webhook_sequence = (SELECT sequence FROM closed)
WHERE t.task_id = (SELECT task_id FROM closed WHERE state = 'known')
AND t.provider = (SELECT provider FROM closed)
AND (SELECT sequence FROM closed) > coalesce(t.webhook_sequence,
    (SELECT sequence FROM closed) - 1)
"""

# Open a case that no step has found, as of rows that no step may be made of.
OPEN_CASE: Final[LiteralString] = f"""
WITH opened AS ({INSERT_CASES} ON CONFLICT DO NOTHING RETURNING id), {TELL_OPENED}
SELECT count(*) FROM opened
"""

# Post messages that belong to no step: a rejection, a replay.
POST: Final[LiteralString] = """
INSERT INTO outbox (message_id, subject, body, headers)
VALUES (%(message_id)s, %(subject)s, %(body)s, %(headers)s::jsonb)
RETURNING seq
"""

# The relay takes what its owner has had time enough to publish; two relays share. It is
# given as many messages as it wants, or some more where the last are a bundle.
UNSENT: Final[LiteralString] = """
SELECT seq, message_id, subject, body, headers, at, schedule, queue_id, bundle FROM (
    SELECT seq, message_id, subject, body, headers, at, schedule,
        queue_id::text AS queue_id, bundle,
        sum(messages) OVER (ORDER BY seq) - messages AS before
    FROM (SELECT * FROM outbox
        WHERE created_at < statement_timestamp() - %(older_than)s
        AND seq > %(after)s ORDER BY seq LIMIT %(limit)s) oldest) page
WHERE before < %(limit)s ORDER BY seq
"""

SENT: Final[LiteralString] = "DELETE FROM outbox WHERE seq = ANY(%(seqs)s)"

# Rows overdue by the grace; ringing for them moves their time, so none is woken
# twice in one grace and none of a long queue of them starves. A row that ringing does
# not move (core is away, a message is being retried) is woken less and less often.
_OVERDUE: Final = """wake_at < statement_timestamp() - %(grace)s AND (redrives < 2
        OR wake_at < statement_timestamp()
            - %(grace)s * (1 << least(redrives - 1, 3)))"""
# Orders with a row overdue by the grace. What is parked, since some version does not
# know its words, is no sweeper's: a worker that knows them takes it from there.
_AWAKE: Final = """NOT EXISTS (SELECT FROM parked p WHERE p.id = r.queue_id)"""
OVERDUE_ORDERS: Final[LiteralString] = f"""
(SELECT r.queue_id::text FROM order_tasks r
    WHERE watch_at < statement_timestamp() - %(grace)s AND {_OVERDUE} AND {_AWAKE}
    ORDER BY watch_at LIMIT %(limit)s)
UNION (SELECT r.queue_id::text FROM order_queues r
    WHERE {_OVERDUE} AND {_AWAKE} ORDER BY wake_at LIMIT %(limit)s)
"""

# Of these orders the rows that are overdue still.
OVERDUE: Final[LiteralString] = f"""
WITH wanted AS MATERIALIZED (
    SELECT unnest(%(queue_ids)s::uuid[]) AS queue_id
), due AS MATERIALIZED (
    SELECT t.task_id FROM wanted w, LATERAL (SELECT task_id FROM order_tasks
        WHERE queue_id = w.queue_id AND {_OVERDUE} FOR UPDATE SKIP LOCKED) t
), due_queues AS MATERIALIZED (
    SELECT q.queue_id FROM wanted w, LATERAL (SELECT queue_id FROM order_queues
        WHERE queue_id = w.queue_id AND {_OVERDUE} FOR UPDATE SKIP LOCKED) q
), woken AS (
    UPDATE order_tasks SET wake_at = clock_timestamp(),
        watch_at = statement_timestamp(), redrives = redrives + 1
    WHERE task_id = ANY(ARRAY(SELECT task_id FROM due)) RETURNING queue_id
), woken_queues AS (
    UPDATE order_queues SET wake_at = clock_timestamp(), redrives = redrives + 1
    WHERE queue_id = ANY(ARRAY(SELECT queue_id FROM due_queues)) RETURNING queue_id
)
SELECT queue_id::text FROM woken UNION SELECT queue_id::text FROM woken_queues
"""

# Webhooks that nobody has applied. One that no task is there for is looked at less and
# less often, and woken by nobody; one of a type that only another version knows is its.
OVERDUE_WEBHOOKS: Final[LiteralString] = f"""
WITH due AS MATERIALIZED (
    SELECT i.inbox_id, i.task_id, i.provider FROM webhook_inbox i
    WHERE i.wake_at < statement_timestamp() - %(grace)s
    AND i.type = ANY(%(types)s::text[])
    AND (SELECT true FROM parked p WHERE p.id = (SELECT t.queue_id FROM order_tasks t
        WHERE t.task_id = i.task_id)) IS NULL
    ORDER BY i.wake_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), matched AS MATERIALIZED (
    SELECT due.inbox_id, t.task_id IS NOT NULL AS there FROM due LEFT JOIN LATERAL (
        SELECT t.task_id FROM order_tasks t
        WHERE t.task_id = due.task_id AND t.provider = due.provider LIMIT 1) t ON true
), woken AS (
    UPDATE webhook_inbox i SET wake_at = clock_timestamp() + CASE
        WHEN (SELECT m.there FROM matched m WHERE m.inbox_id = i.inbox_id)
        THEN interval '0'
        ELSE least(clock_timestamp() - i.received_at, interval '1 hour') END
    WHERE i.inbox_id = ANY(ARRAY(SELECT inbox_id FROM matched))
)
{_WEBHOOK} FROM webhook_inbox i
WHERE i.inbox_id = ANY(ARRAY(SELECT inbox_id FROM matched WHERE there))
ORDER BY i.inbox_id
"""

# Only what is due is looked at: what waits to be forgotten may be much.
EXPIRED_WEBHOOKS: Final[LiteralString] = f"""{_WEBHOOK} FROM webhook_inbox i
WHERE i.wake_at < statement_timestamp() AND i.task_id IS NOT NULL
AND i.type = ANY(%(types)s::text[])
AND i.received_at < clock_timestamp() - %(after)s
AND NOT EXISTS (SELECT FROM order_tasks t
    WHERE t.task_id = i.task_id AND t.provider = i.provider)
ORDER BY i.wake_at LIMIT %(limit)s
"""

# Another system's payouts, and what names none: nobody asks for them any more.
FORGET_FOREIGN: Final[LiteralString] = """
WITH gone AS (
    DELETE FROM webhook_inbox WHERE inbox_id = ANY(ARRAY(
        SELECT i.inbox_id FROM webhook_inbox i
        WHERE i.wake_at < statement_timestamp() AND i.task_id IS NULL
        AND i.received_at < clock_timestamp() - %(after)s
        ORDER BY i.wake_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
    RETURNING provider
)
SELECT provider, count(*) FROM gone GROUP BY provider
"""

# May run once more where the connection was cut and nobody knows whether it was done:
# questions, and what is kept once for ever by its own key. Never a step: what it took
# for itself once it would find taken, by somebody else as it seems. Never what posts,
# rings or counts.
REPEATABLE: Final = frozenset(
    {
        SUBMIT,
        FIND_SUBMITTED,
        LOAD,
        FIND,
        TRAIL,
        QUEUES_OF,
        STORE_WEBHOOKS,
        PENDING_WEBHOOKS,
        FIND_WEBHOOK,
        UNSENT,
    }
)
