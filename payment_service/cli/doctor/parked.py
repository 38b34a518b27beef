"""Names what is parked: unknown words, and orders and messages that wait for them."""

from datetime import timedelta
from typing import Final, LiteralString

from fsm.domain.durations import format_duration
from payment_service.cli.doctor.findings import Area, Finding
from payment_service.storage.database import Database

KINDS_MAX: Final = 10
LONG: Final = timedelta(minutes=1)
"""A worker that knows the words takes it within its sweep's interval."""
PARKED: Final[LiteralString] = """
SELECT array_to_string(words, ', '), count(*), min(id::text), bool_or(subject IS NULL),
    extract(epoch FROM clock_timestamp() - min(parked_at))::bigint
FROM parked GROUP BY words ORDER BY min(parked_at) LIMIT %(limit)s
"""


async def check(area: Area, database: Database) -> list[Finding]:
    """Return a finding for each set of words that something waits for."""
    rows = await database.run(PARKED, {"limit": KINDS_MAX})
    if not rows:
        return [area.ok("parked", "nothing waits for another version")]
    return [_finding(area, *row) for row in rows]


def _finding(
    area: Area, words: str, count: int, example: str, is_order: bool, seconds: int
) -> Finding:
    age = timedelta(seconds=seconds)
    what = "orders, as queue" if is_order else "messages, as"
    told = (
        f"{count} {what} {example}, wait for a version that knows {words}; the oldest "
        f"for {format_duration(age)}"
    )
    mend = "run a worker of the version that knows this: it takes them by itself"
    return (area.wrong if age > LONG else area.advice)("parked", told, mend)
