"""Short ids: which orders, cases and dead letters have an id that begins so.

A UUID's beginning is a range of its index. An order_id is upstream's text: for its
beginning the index is read, or the table, within the time that any statement has.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, LiteralString

from payment_service.storage.database import Database

UUID_DIGITS: Final = 32
DIGITS_MIN: Final = 8
"""Of an id that this service made: fewer say no more than the day."""
ORDER_ID_MIN: Final = 6
"""Characters of an order_id."""
MATCHES_MAX: Final = 20
_WHOLE: Final = "00000000-0000-0000-0000-000000000000"
_PART: Final = re.compile(r"[0-9a-f-]+", re.ASCII)

_ORDERS: Final[LiteralString] = """
SELECT queue_id::text, merchant_id || ', ' || kind || ' ' || order_id
FROM order_queues WHERE queue_id BETWEEN %(low)s::uuid AND %(high)s::uuid
UNION SELECT queue_id::text, merchant_id || ', ' || kind || ' ' || order_id
FROM order_queues WHERE order_id LIKE %(text)s
ORDER BY 1 LIMIT %(limit)s
"""
_TASKS: Final[LiteralString] = """
SELECT t.task_id::text, q.merchant_id || ', ' || q.kind || ' ' || q.order_id
FROM order_tasks t JOIN order_queues q USING (queue_id)
WHERE t.task_id BETWEEN %(low)s::uuid AND %(high)s::uuid
ORDER BY 1 LIMIT %(limit)s
"""
_CASES: Final[LiteralString] = """
SELECT id::text, kind || ' of ' || order_id FROM cases
WHERE id BETWEEN %(low)s::uuid AND %(high)s::uuid ORDER BY 1 LIMIT %(limit)s
"""
_LETTERS: Final[LiteralString] = """
SELECT id::text, reason || ' ' || subject FROM dead_letters
WHERE id BETWEEN %(low)s::uuid AND %(high)s::uuid ORDER BY 1 LIMIT %(limit)s
"""


class Named(StrEnum):
    """What an id is of."""

    ORDER = "order"
    TASK = "task"
    CASE = "case"
    LETTER = "dead letter"


_STATEMENTS: Final[dict[Named, LiteralString]] = {
    Named.ORDER: _ORDERS,
    Named.TASK: _TASKS,
    Named.CASE: _CASES,
    Named.LETTER: _LETTERS,
}


def is_beginning(text: str) -> bool:
    """True for enough of a UUID to look for, and not all of it."""
    if not _PART.fullmatch(text) or len(text) >= len(_WHOLE):
        return False
    placed = all(
        (sign == "-") == (there == "-")
        for sign, there in zip(text, _WHOLE, strict=False)
    )
    return placed and len(text.replace("-", "")) >= DIGITS_MIN


async def beginning_so(
    database: Database, named: Named, text: str
) -> Sequence[tuple[str, str]]:
    """Return ids that begin so, each with a few words about it; one more than are told.

    Of an order it may also be the beginning of its order_id.
    """
    is_ours = is_beginning(text)
    is_theirs = named is Named.ORDER and len(text) >= ORDER_ID_MIN
    if not is_ours and not is_theirs:
        return []
    digits = text.replace("-", "") if is_ours else ""
    # Where it is no beginning of ours, a range that holds nothing.
    low = digits.ljust(UUID_DIGITS, "0") if is_ours else "f" * UUID_DIGITS
    high = digits.ljust(UUID_DIGITS, "f") if is_ours else "0" * UUID_DIGITS
    escaped = re.sub(r"([%_\\])", r"\\\1", text)
    rows = await database.run(
        _STATEMENTS[named],
        {"low": low, "high": high, "text": f"{escaped}%", "limit": MATCHES_MAX + 1},
    )
    return [(str(row[0]), str(row[1])) for row in rows]
