"""Cases at the command line: lists them, and gives them an owner."""

from collections.abc import Mapping, Sequence
from typing import Final

from fsm.domain.acts import NO_REASON
from fsm.domain.money import written
from fsm.domain.text import is_id
from fsm.engine.words import CaseKind, CaseState
from handlers.ports.reads import CaseRecord, CaseSearch, Page
from payment_service.cli.api_client import access_of, operate
from payment_service.cli.arguments import actor, check_reason
from payment_service.cli.context import read_settings, run_async
from payment_service.cli.database import open_database
from payment_service.cli.errors import Usage
from payment_service.cli.orders import word_of
from payment_service.cli.printing import print_json, print_table, print_text
from payment_service.cli.short_ids import wholes
from payment_service.cli.tables import Fall
from payment_service.storage.beginnings import Named
from payment_service.storage.clock import DatabaseClock
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.reads import PostgresReads
from payment_service.wire.views import View, case_view

COLUMNS: Final = ("case", "kind", "state", "at risk", "owner", "age", "task")
FALL: Final = Fall(first=("task", "age", "owner", "kind"))


def list_(
    *,
    state: str | None,
    kind: str | None,
    owner: str | None,
    queue_id: str | None,
    limit: int,
    cursor: str | None,
    wide: bool,
    as_json: bool,
) -> int:
    """Print a page of cases, newest first."""
    sought = CaseSearch(
        state=word_of("--state", CaseState, state),
        kind=word_of("--kind", CaseKind, kind),
        owner=owner,
        queue_id=queue_id and wholes(None, Named.ORDER, [queue_id])[0],
        limit=limit,
        cursor=cursor,
    )
    page, shown = run_async(_page(sought))
    if as_json:
        print_json({"cases": shown, "next_cursor": page.next_cursor})
        return 0
    rows = [_row(case, view) for case, view in zip(page.items, shown, strict=True)]
    print_table(COLUMNS, rows, empty="No case matches.", fall=FALL, wide=wide)
    if page.next_cursor:
        print_text(f"There are more: --cursor {page.next_cursor}")
    return 0


async def _page(sought: CaseSearch) -> tuple[Page[CaseRecord], list[View]]:
    async with open_database() as database:
        clock = DatabaseClock(database)
        await clock.calibrate()
        page = await PostgresReads(database).cases(sought)
        return page, [case_view(case, clock.now()) for case in page.items]


def _row(case: CaseRecord, view: View) -> Sequence[object]:
    risk = written(case.money_at_risk, case.currency) if case.currency else "-"
    age = f"{view['age_seconds']} s"
    return case.id, case.kind, case.state, risk, case.owner or "-", age, case.task_id


def assign(case_id: str, *, owner: str, reason: str | None, as_json: bool) -> int:
    """Make somebody the owner of a case: through the API, or by what a shell may."""
    if not is_id(owner):
        raise Usage("--owner: must be a name of 1 to 128 characters")
    if reason is not None:
        check_reason(reason)
    access = access_of(read_settings())
    [found] = wholes(access, Named.CASE, [case_id])
    said: Mapping[str, object] = {"id": found, "owner": owner, "status": "assigned"}
    if access is not None:
        path = ("cases", found, "assign")
        body = {"owner": owner, **({} if reason is None else {"reason": reason})}
        said = operate(access, "POST", *path, body=body).body
    else:
        run_async(_assign(found, owner, reason or NO_REASON))
    if as_json:
        print_json(said)
    else:
        print_text(f"{found} assigned")
    return 0


async def _assign(case_id: str, owner: str, reason: str) -> None:
    async with open_database() as database:
        clock = DatabaseClock(database)
        await clock.calibrate()
        operator_store = PostgresOperatorStore(database, read_settings().audit_keys)
        await operator_store.assign_case(
            case_id, owner=owner, actor=actor(), reason=reason, at=clock.now()
        )
