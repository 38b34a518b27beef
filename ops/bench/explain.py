"""Looks for plans that would read a hot table from end to end."""

import re
from collections.abc import Mapping
from typing import Any, Final

import psycopg

from ops.bench.measure import HOT_TABLES
from ops.bench.targets import Figure
from payment_service.storage import statements as named
from payment_service.storage.record import RECORD
from payment_service.storage.session import HOT as SETTINGS
from payment_service.storage.session import Door, connect_plainly

HOT: Final = (
    "SUBMIT",
    "FIND_SUBMITTED",
    "LOAD",
    "FIND",
    "TRAIL",
    "QUEUES_OF",
    "STORE_WEBHOOKS",
    "PENDING_WEBHOOKS",
    "FIND_WEBHOOK",
    "FIND_KEPT",
    "MARK_WAITING",
    "CLOSE_WEBHOOK",
    "UNSENT",
    "SENT",
    "OVERDUE_ORDERS",
    "OVERDUE",
    "OVERDUE_WEBHOOKS",
)
# The relay reads the outbox from its oldest row on; it is as long as what is unsent.
READ_IN_ORDER: Final = {"UNSENT": {"outbox"}}
INTERVALS: Final = frozenset({"older_than", "grace", "kept"})
PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s")


def numbered(statement: str) -> str:
    """Return the statement with PostgreSQL's own placeholders."""
    names = list(dict.fromkeys(PLACEHOLDER.findall(statement)))

    def place(found: re.Match[str]) -> str:
        # The driver sends the types of values; a plan without values must be told.
        cast = "::interval" if found[1] in INTERVALS else ""
        return f"${names.index(found[1]) + 1}{cast}"

    return PLACEHOLDER.sub(place, statement)


def _hot() -> dict[str, str]:
    """Return the hot statements by name, that which records steps in all its forms."""
    forms = {f"RECORD {tuple(parts)}": text for parts, text in RECORD.items()}
    return {**{name: getattr(named, name) for name in HOT}, **forms}


def sequential(url: str) -> dict[str, list[str]]:
    """Return for each hot statement the hot tables its generic plan reads whole."""
    found: dict[str, list[str]] = {}
    with connect_plainly(Door(url, settings=SETTINGS)) as connection:
        cursor = psycopg.RawCursor(connection)
        for name, text in _hot().items():
            statement = numbered(text)
            asked = f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {statement}"
            plan = cursor.execute(asked.encode()).fetchone()
            scanned = _scanned(plan[0][0]["Plan"]) if plan else set()
            tables = sorted(scanned - READ_IN_ORDER.get(name, set()))
            if tables:
                found[name] = tables
    return found


def _scanned(node: Mapping[str, Any]) -> set[str]:
    found = set()
    table, kind = node.get("Relation Name"), node["Node Type"]
    # An index that is asked for nothing is read from end to end as well.
    if table in HOT_TABLES and kind != "ModifyTable" and not _by_key(node):
        found.add(str(table))
    for child in node.get("Plans", ()):
        found |= _scanned(child)
    return found


def _by_key(node: Mapping[str, Any]) -> bool:
    if node["Node Type"] in {"Bitmap Heap Scan", "BitmapOr"}:
        beside = {"InitPlan", "SubPlan"}
        parts = [n for n in node["Plans"] if n["Parent Relationship"] not in beside]
        return all(map(_by_key, parts))
    return "Index Cond" in node


def figure(plans: Mapping[str, list[str]]) -> Figure:
    """Return how many hot statements would read a hot table whole."""
    note = "; ".join(f"{name}: {', '.join(tables)}" for name, tables in plans.items())
    return Figure(
        "hot statements planned to read a table whole",
        len(plans),
        "",
        at_most=0,
        note=note,
    )
