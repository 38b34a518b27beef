"""Names what is parked: unknown words, and orders, messages and webhooks with them."""

from datetime import timedelta
from typing import Final, LiteralString

from fsm.domain.durations import format_duration
from payment_service.cli.doctor.findings import Area, Finding
from payment_service.storage.database import Database
from payment_service.storage.webhook_rows import WEBHOOK_TYPES

KINDS_MAX: Final = 10
LONG: Final = timedelta(minutes=1)
"""A worker that knows the words takes it within its sweep's interval."""
PARKED: Final[LiteralString] = """
SELECT array_to_string(words, ', '), count(*), min(id::text),
    CASE WHEN bool_or(subject IS NULL) THEN 'orders, as queue'
        ELSE 'messages, as' END,
    extract(epoch FROM clock_timestamp() - min(parked_at))::bigint AS seconds
FROM parked GROUP BY words
UNION ALL SELECT 'webhook ' || type, count(*), min(provider || ' ' || event_id),
    'webhooks, as', extract(epoch FROM clock_timestamp() - min(received_at))::bigint
FROM webhook_inbox WHERE wake_at IS NOT NULL AND type <> ALL(%(types)s::text[])
GROUP BY type
ORDER BY seconds DESC LIMIT %(limit)s
"""


async def check(area: Area, database: Database) -> list[Finding]:
    """Return a finding for each set of words that something waits for."""
    rows = await database.run(PARKED, {"limit": KINDS_MAX, "types": WEBHOOK_TYPES})
    if not rows:
        return [area.ok("parked", "nothing waits for another version")]
    return [_finding(area, *row) for row in rows]


def _finding(
    area: Area, words: str, count: int, example: str, what: str, seconds: int
) -> Finding:
    age = timedelta(seconds=seconds)
    told = (
        f"{count} {what} {example}, wait for a version that knows {words}; the oldest "
        f"for {format_duration(age)}"
    )
    mend = "run a worker of the version that knows this: it takes them by itself"
    return (area.wrong if age > LONG else area.advice)("parked", told, mend)
