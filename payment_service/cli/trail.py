"""Prints what was done to the service itself: who paused what, and why."""

from collections.abc import Sequence
from typing import Final

from handlers.ports.reads import AuditEntry, Page
from payment_service.cli.context import run_async
from payment_service.cli.database import open_database
from payment_service.cli.printing import print_json, print_table, print_text
from payment_service.cli.tables import Fall
from payment_service.storage.reads import PostgresReads
from payment_service.wire.views import View, event_view

COLUMNS: Final = ("seq", "at", "trigger", "actor", "detail")
FALL: Final = Fall(first=("seq", "actor", "at"), prose=("detail",))


def show(*, limit: int, cursor: str | None, wide: bool, as_json: bool) -> int:
    """Print a page of the service's trail, newest first."""
    page = run_async(_page(limit, cursor))
    shown = [event_view(entry) for entry in page.items]
    if as_json:
        print_json({"events": shown, "next_cursor": page.next_cursor})
        return 0
    print_table(
        COLUMNS,
        [*map(_row, shown)],
        empty="Nothing was done to the service.",
        fall=FALL,
        wide=wide,
    )
    if page.next_cursor:
        print_text(f"There are more: --cursor {page.next_cursor}")
    return 0


async def _page(limit: int, cursor: str | None) -> Page[AuditEntry]:
    async with open_database() as database:
        return await PostgresReads(database).service_events(limit=limit, cursor=cursor)


def _row(view: View) -> Sequence[object]:
    said = ", ".join(f"{name}: {value}" for name, value in view["detail"].items())
    return (*(view[name] for name in COLUMNS[:-1]), said)
