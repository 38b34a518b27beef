"""Counts what stands in the rows, for the gauges."""

from typing import Final, LiteralString

from fsm.charge.lifecycle import CHARGE
from fsm.engine.words import Invariant
from fsm.flows import RULES
from handlers.ports.backlog import Backlog
from payment_service.storage.database import Database
from payment_service.storage.webhook_rows import WEBHOOK_TYPES

# At risk is what a provider may have paid or collected, or may yet, and nothing proves
# either; of a saga's other steps what a person has to decide about, once an order.
STANDING: Final[LiteralString] = """
WITH open_tasks AS MATERIALIZED (
    SELECT t.state, coalesce(t.provider, t.name, '') AS provider, t.updated_at, t.taken,
        t.verdict, t.queue_id, t.lifecycle, t.name, t.position
    FROM order_tasks t WHERE t.waiting_for IS NOT NULL
)
SELECT 'tasks', state, provider, count(*)::bigint, 0::float8
    FROM open_tasks GROUP BY state, provider
UNION ALL SELECT 'risk', o.provider, q.currency, sum(q.amount)::bigint, 0
    FROM open_tasks o JOIN order_queues q USING (queue_id)
    WHERE o.state <> 'PENDING' AND q.amount IS NOT NULL AND (
        o.lifecycle = ANY(%(proven)s) AND o.verdict IS NULL
        OR o.lifecycle = %(charge)s AND o.state = 'MANUAL_CHECK')
    GROUP BY o.provider, q.currency
UNION ALL SELECT 'risk', o.name, q.currency, sum(q.amount)::bigint, 0
    FROM (SELECT DISTINCT ON (queue_id) queue_id, coalesce(name, '') AS name
        FROM open_tasks WHERE state = 'MANUAL_CHECK' AND lifecycle <> ALL(%(proven)s)
        ORDER BY queue_id, position) o JOIN order_queues q USING (queue_id)
    WHERE q.amount IS NOT NULL GROUP BY o.name, q.currency
UNION ALL SELECT 'cases', kind, '', count(*),
    extract(epoch FROM clock_timestamp() - min(opened_at))
    FROM cases WHERE closed_at IS NULL GROUP BY kind
UNION ALL SELECT 'cases_risk', kind, currency, sum(money_at_risk)::bigint, 0
    FROM cases WHERE closed_at IS NULL AND currency IS NOT NULL
    GROUP BY kind, currency
UNION ALL SELECT 'manual', '', '', count(*),
    coalesce(extract(epoch FROM clock_timestamp() - min(updated_at)), 0)
    FROM open_tasks WHERE state = 'MANUAL_CHECK'
UNION ALL SELECT 'letters', '', '', count(*), 0
    FROM dead_letters WHERE replayed_at IS NULL AND discarded_at IS NULL
UNION ALL SELECT 'parked', split_part(words[1], ' ', 1), '', count(*),
    extract(epoch FROM clock_timestamp() - min(parked_at))
    FROM parked GROUP BY split_part(words[1], ' ', 1)
UNION ALL SELECT 'parked', 'webhook', '', count(*),
    extract(epoch FROM clock_timestamp() - min(received_at))
    FROM webhook_inbox WHERE wake_at IS NOT NULL AND type <> ALL(%(types)s)
    HAVING count(*) > 0
UNION ALL SELECT 'outbox', '', '', coalesce(sum(messages), 0),
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)
    FROM outbox
"""


async def standing(database: Database) -> Backlog:
    """Return what the rows say now.

    Money is at risk where a provider may have paid it out, or collected it, and nothing
    proves either, and where a person has to see to a refund; what goes by another
    lifecycle has some only while a person has to say what became of it, under the name
    of the step. A task without a provider is counted under that name as well.
    """
    of = RULES.lifecycles
    asked = {
        "proven": [name for name in of if Invariant.PROVIDERS in of[name].books],
        "charge": CHARGE.name,
        "types": WEBHOOK_TYPES,
    }
    async with database.connection() as connection:
        # Its own plan each time: it reads all that is open, however much that is.
        rows = (await connection.exec_driver_sql(STANDING, asked)).all()
    by: dict[str, list[tuple[str, str, int, float]]] = {}
    for what, first, second, count, age in map(tuple, rows):
        by.setdefault(what, []).append((first, second, int(count), float(age)))
    manual, letters, outbox = by["manual"][0], by["letters"][0], by["outbox"][0]
    return Backlog(
        tasks=[row[:3] for row in by.get("tasks", [])],
        money_at_risk=[row[:3] for row in by.get("risk", [])],
        cases_open=[(row[0], row[2]) for row in by.get("cases", [])],
        cases_oldest_seconds=[(row[0], row[3]) for row in by.get("cases", [])],
        cases_money_at_risk=[row[:3] for row in by.get("cases_risk", [])],
        manual_check_oldest_seconds=manual[3],
        dlq_size=letters[2],
        parked=[(row[0], row[2]) for row in by.get("parked", [])],
        parked_oldest_seconds=max((row[3] for row in by.get("parked", [])), default=0),
        outbox_pending=outbox[2],
        outbox_lag_seconds=outbox[3],
    )
