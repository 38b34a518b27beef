"""The statement that records steps: compare and set, audit lines, messages, in one.

It has a form for each set of parts that the steps of a group may have beside the task
that leads. PostgreSQL prepares every part of a statement anew each time it is run, also
where there is nothing in it: for a step alone that is most of what it costs.
"""

from itertools import product
from typing import Final, LiteralString, NamedTuple

from payment_service.storage.statements import (
    AS_WRITTEN,
    EVENT,
    INSERT_BUNDLE,
    INSERT_CASES,
    INSERT_EVENTS,
    TELL_OPENED,
)


class Parts(NamedTuple):
    """What the steps of a group have, one of them at least."""

    others: bool
    """Tasks beside the one that leads, or a step that nobody leads."""

    queues: bool
    """The rows of orders."""

    webhook: bool
    """Webhooks that they settle."""

    cases: bool
    """Cases that they open or move."""

    results: bool
    """What tasks came to that the steps after them need."""


_TASK: Final = """
    task_id uuid, state text, version int, waiting_for text, wake_at timestamptz,
    tries int, verdict text, taken bool, cancel_requested bool,
    sent_first_at timestamptz, sent_last_at timestamptz, sla_at timestamptz,
    deadline_at timestamptz, provider_reference text, webhook_sequence bigint,
    returned bool, code text, proposed_by text,
    proposed_decision text, audit_hash bytea, updated_at timestamptz"""

# How a task's row is moved. What the sweeper finds it by stays while a chain of steps
# runs: no index changes, so the update is heap-only. The keys are named once more: the
# planner does not see how few are moved, and would read the table whole.
_MOVE_TASKS: Final = """
    UPDATE order_tasks t SET
        state = c.state, version = c.version, waiting_for = c.waiting_for,
        wake_at = c.wake_at, watch_at = CASE
            WHEN t.watch_at BETWEEN c.wake_at - interval '30 s' AND c.wake_at
            THEN t.watch_at ELSE c.wake_at END,
        tries = c.tries, redrives = 0, verdict = c.verdict,
        taken = c.taken, cancel_requested = c.cancel_requested,
        webhook_pending = t.webhook_pending AND NOT c.settles_webhook,
        sent_first_at = c.sent_first_at, sent_last_at = c.sent_last_at,
        sla_at = c.sla_at, deadline_at = c.deadline_at,
        provider_reference = c.provider_reference,
        webhook_sequence = greatest(t.webhook_sequence, c.webhook_sequence),
        returned = c.returned, code = c.code,
        proposed_by = c.proposed_by, proposed_decision = c.proposed_decision,
        audit_hash = c.audit_hash, updated_at = c.updated_at
    FROM c{of}
    WHERE t.task_id = c.task_id AND t.version = c.base
        AND t.task_id = ANY(ARRAY(SELECT task_id FROM c))"""
_MOVE_QUEUES: Final = """
    UPDATE order_queues o SET
        state = q.state, version = q.version, cancel_requested = q.cancel_requested,
        waiting_for = q.waiting_for, wake_at = q.wake_at, tries = q.tries,
        redrives = 0, loaded = coalesce(q.loaded, o.loaded),
        customer_message = q.customer_message,
        audit_hash = q.audit_hash, updated_at = q.updated_at,
        finished_at = coalesce(o.finished_at, q.finished_at)
    FROM q{of}
    WHERE o.queue_id = q.queue_id AND o.version = q.base"""
_READY: Final = " JOIN ready USING (step)"
_GOOD: Final = " JOIN good USING (step)"

_TASKS: Final = f"""c AS MATERIALIZED (
    SELECT *
    FROM ROWS FROM (json_to_recordset(%(tasks)s::json) AS (step int, leads bool,
        base int, base_hash bytea, settles_webhook bool, turns bool, {_TASK}))
        WITH ORDINALITY AS c
)"""
_QUEUES: Final = """q AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(queues)s::json)
        AS q(step int, leads bool, base int, base_hash bytea, queue_id uuid,
             state text, version int, cancel_requested bool, waiting_for text,
             wake_at timestamptz, tries int, loaded jsonb, customer_message text,
             audit_hash bytea, updated_at timestamptz, finished_at timestamptz)
)"""
_WEBHOOK: Final = """n AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(webhook)s::json)
        AS n(step int, inbox_id bigint, state text)
)"""
_WANTED: Final = """wanted AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(steps)s::json)
        AS s(step int, led bool, tasks int, queues int, webhook int)
)"""

_HELD_QUEUES: Final = """held_queues AS MATERIALIZED (
    SELECT held.step FROM (SELECT * FROM q WHERE NOT leads ORDER BY queue_id) q,
    LATERAL (
        SELECT q.step FROM order_queues o
        WHERE o.queue_id = q.queue_id AND o.version = q.base
            AND o.audit_hash = q.base_hash
        FOR UPDATE OF o) held
)"""
_HELD_TASKS: Final = """held_tasks AS MATERIALIZED (
    SELECT held.step FROM (SELECT * FROM c WHERE NOT leads{after}
        ORDER BY ordinality) c,
    LATERAL (
        SELECT c.step FROM order_tasks t
        WHERE t.task_id = c.task_id AND t.version = c.base
            AND t.audit_hash = c.base_hash
        FOR UPDATE OF t) held
)"""
_AFTER_QUEUES: Final = "\n        AND (SELECT count(*) FROM held_queues) IS NOT NULL"
_HELD_WEBHOOK: Final = """held_webhook AS MATERIALIZED (
    SELECT held.step FROM (SELECT * FROM n ORDER BY inbox_id) n, LATERAL (
        SELECT n.step FROM webhook_inbox i
        WHERE i.inbox_id = n.inbox_id AND i.wake_at IS NOT NULL
        FOR UPDATE OF i) held
), current_webhook AS MATERIALIZED (
    SELECT w.step FROM wanted w
    WHERE w.webhook = (SELECT count(*) FROM held_webhook h WHERE h.step = w.step)
)"""

_LED: Final = f"""led AS ({_MOVE_TASKS} AND c.leads
        AND t.audit_hash = c.base_hash
    RETURNING c.step, t.task_id, t.webhook_pending
)"""
_QUEUES_LED: Final = f"""queues_led AS ({_MOVE_QUEUES.format(of=_READY)} AND q.leads
        AND o.audit_hash = q.base_hash
    RETURNING q.step
)"""
_MOVED: Final = f"""moved AS ({_MOVE_TASKS.format(of=_GOOD)}
        AND NOT c.leads AND c.turns IS NULL
    RETURNING c.step, t.task_id, t.webhook_pending
), turned AS ({_MOVE_TASKS.format(of=_GOOD)}
        AND NOT c.leads AND c.turns
        AND (SELECT count(*) FROM moved) IS NOT NULL
    RETURNING c.step, t.task_id, t.webhook_pending
)"""
_QUEUES_MOVED: Final = f"""queues_moved AS ({_MOVE_QUEUES.format(of=_GOOD)}
        AND NOT q.leads
)"""

_WRITTEN: Final = f"""written AS ({INSERT_EVENTS}
    FROM ROWS FROM (json_to_recordset(%(events)s::json) AS (step int, {EVENT}))
        WITH ORDINALITY AS e
    JOIN good USING (step) {AS_WRITTEN}
), posted AS ({INSERT_BUNDLE}
    FROM json_to_recordset(%(messages)s::json) AS m(step int, message json)
    JOIN good USING (step)
    HAVING count(*) > 0
    RETURNING seq
), published AS (
    DELETE FROM outbox WHERE seq = ANY(%(sent)s)
)"""
_CASES: Final = f"""opened AS (
    {INSERT_CASES}
    JOIN good USING (step)
    ON CONFLICT DO NOTHING
    RETURNING id
), {TELL_OPENED}, cases_moved AS (
    UPDATE cases k SET
        state = m.state, closed_at = m.closed_at, closed_by = m.closed_by,
        reason = coalesce(m.reason, k.reason)
    FROM json_to_recordset(%(case_moves)s::json) AS m(step int, queue_id uuid,
        task_id uuid, state text, closed_at timestamptz, closed_by text, reason text,
        subject text, told text, headers jsonb)
    JOIN good USING (step)
    WHERE k.queue_id = m.queue_id AND k.task_id = m.task_id
    AND k.kind = 'return_after_success' AND k.closed_at IS NULL
    RETURNING k.id, k.queue_id, m.subject, m.told, m.headers
), settled_told AS (
    INSERT INTO outbox (message_id, subject, body, headers, queue_id)
    SELECT s.event_id, m.subject, convert_to((m.told::jsonb || jsonb_build_object(
            'case_id', m.id, 'event_id', s.event_id))::text, 'UTF8'),
        m.headers, m.queue_id
    FROM cases_moved m, LATERAL (SELECT overlay(overlay(md5('closed' || m.id::text)
        PLACING '5' FROM 13) PLACING '8' FROM 17)::uuid::text AS event_id) s
    WHERE m.told IS NOT NULL
)"""
_RESULTS: Final = """came_to AS (
    INSERT INTO order_task_results (queue_id, task_id, result_hash, result)
    SELECT r.queue_id, r.task_id, r.result_hash, r.result
    FROM json_to_recordset(%(results)s::json) AS r(step int, queue_id uuid,
        task_id uuid, result_hash bytea, result jsonb)
    JOIN good USING (step)
)"""
_SETTLED: Final = """settled AS (
    UPDATE webhook_inbox i SET
        state = n.state, wake_at = NULL, settled_at = clock_timestamp()
    FROM n JOIN good USING (step)
    WHERE i.inbox_id = n.inbox_id
)"""


def _ready(parts: Parts) -> LiteralString:
    """Return which steps may be led: those all of whose other rows are held."""
    others = """
    AND w.tasks = (SELECT count(*) FROM held_tasks h WHERE h.step = w.step)"""
    queues = """
    AND w.queues = (SELECT count(*) FROM held_queues h WHERE h.step = w.step)"""
    webhook = """
    AND w.step IN (SELECT step FROM current_webhook)"""
    return (
        "ready AS MATERIALIZED (\n    SELECT w.step, w.led FROM wanted w WHERE true"
        f"{others if parts.others else ''}{queues if parts.queues else ''}"
        f"{webhook if parts.webhook else ''}\n)"
    )


def _good(parts: Parts) -> LiteralString:
    """Return which steps hold: those that were led, and those that nobody leads."""
    queues = "\n    UNION ALL SELECT step FROM queues_led"
    others = "\n    UNION ALL SELECT step FROM ready WHERE NOT ready.led"
    return (
        "good AS MATERIALIZED (\n    SELECT step FROM led"
        f"{queues if parts.queues else ''}{others if parts.others else ''}\n)"
    )


def _told(parts: Parts) -> LiteralString:
    """Return what the caller is told: steps, webhooks that wait, the bundle."""
    waiting = """
UNION ALL SELECT 'webhook', step, task_id::text, NULL FROM {rows}
    WHERE webhook_pending"""
    settled = """
UNION ALL SELECT 'settled', step, NULL, NULL FROM wanted
    WHERE step NOT IN (SELECT step FROM current_webhook)"""
    others = waiting.format(rows="moved") + waiting.format(rows="turned")
    return (
        "SELECT 'step', step, NULL::text, NULL::bigint FROM good"
        f"{settled if parts.webhook else ''}{waiting.format(rows='led')}"
        f"{others if parts.others else ''}"
        "\nUNION ALL SELECT 'posted', NULL, NULL, seq FROM posted\n"
    )


def _statement(parts: Parts) -> LiteralString:
    held = parts.others or parts.queues or parts.webhook
    of = _READY if held else ""
    after = _AFTER_QUEUES if parts.queues else ""
    every: tuple[tuple[bool, LiteralString], ...] = (
        (held, _WANTED),
        (True, _TASKS),
        (parts.queues, _QUEUES),
        (parts.webhook, _WEBHOOK),
        (parts.queues, _HELD_QUEUES),
        (parts.others, _HELD_TASKS.format(after=after)),
        (parts.webhook, _HELD_WEBHOOK),
        (held, _ready(parts)),
        (True, _LED.format(of=of)),
        (parts.queues, _QUEUES_LED),
        (True, _good(parts)),
        (parts.others, _MOVED),
        (parts.queues, _QUEUES_MOVED),
        (True, _WRITTEN),
        (parts.cases, _CASES),
        (parts.results, _RESULTS),
        (parts.webhook, _SETTLED),
    )
    return f"\nWITH {', '.join(text for has, text in every if has)}\n{_told(parts)}"


# Record steps: a step whose rows all are those it was decided on moves as a whole; any
# other leaves no trace. The hash is compared beside the version: a database that forgot
# its last seconds counts the same versions again. WebhookEvent counts once: what
# another step has settled is not settled again.
#
# Of a step's rows one leads, and most steps move no other. It is not locked before it
# is moved, which would be written ahead once more: that it moved is what says that it
# was the right one, and that the rest of the step, held since before, may follow.
#
# Against deadlock rows are taken in one order: orders, their tasks from the last to the
# first, and of these the first is who leads. The one whose turn ends leads, or is
# written before the one whose turn begins, which looks at what was written: two never
# have it.
RECORD: Final = {
    parts: _statement(parts)
    for parts in map(Parts._make, product((False, True), repeat=len(Parts._fields)))
}
"""The statement, by what a group has; with all parts it records any group."""
