"""What people decide from the command line: manual checks and cases.

It goes by the same rules as over HTTP: what takes two persons takes two here.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from fsm.states import CaseKind, CaseState
from handlers.engine import Engine
from handlers.resolve import Ruling
from handlers.resolve import resolve as record
from handlers.settle import settle_return
from payment_service.cli.database import open_database
from payment_service.cli.failures import Usage
from payment_service.cli.letters import actor
from payment_service.cli.opening import configuration, read_settings, run_async
from payment_service.cli.orders import word_of
from payment_service.cli.screen import print_json, print_table, print_text
from payment_service.core_client import HttpCore
from payment_service.domain.votes import Vote
from payment_service.outbound import Outbound
from payment_service.ports.reads import CaseRecord, CaseSearch, Page
from payment_service.settings import Settings
from payment_service.storage.clock import DatabaseClock
from payment_service.storage.database import Database
from payment_service.storage.desk import PostgresDesk
from payment_service.storage.reads import PostgresReads
from payment_service.storage.store import PostgresStore
from payment_service.wire.text import is_id, is_reason
from payment_service.wire.views import View, case_view
from providers.registry import build_providers

TOLD: Final = {
    Vote.DECIDES: "recorded; a running relay and worker go on with it",
    Vote.WAITS: "a second person must agree",
    Vote.CLEARS: "the first decision was another: neither stands now",
}
COLUMNS: Final = ("case", "kind", "state", "at risk", "owner", "age", "task")


def resolve(
    task_id: str,
    decision: str,
    *,
    reason: str,
    evidence: str | None,
    by_hand: bool,
    as_json: bool,
) -> int:
    """Decide a manual check."""
    ruling = word_of("DECISION", Ruling, decision)
    if ruling is None:
        raise Usage("DECISION: positive or negative")
    _check_reason(reason)
    vote = run_async(_resolve(_id(task_id), ruling, reason, evidence, by_hand))
    return _told({"task_id": _id(task_id)}, vote, as_json=as_json)


async def _resolve(
    task_id: str, ruling: Ruling, reason: str, evidence: str | None, by_hand: bool
) -> Vote:
    async with _engine() as (engine, settings, _):
        return await record(
            task_id,
            ruling,
            reason=reason,
            evidence=evidence,
            actor=actor(),
            four_eyes=settings.four_eyes,
            engine=engine,
            by_hand=by_hand,
        )


def list_(
    *,
    state: str | None,
    kind: str | None,
    owner: str | None,
    queue_id: str | None,
    limit: int,
    cursor: str | None,
    as_json: bool,
) -> int:
    """Print a page of cases, newest first."""
    sought = CaseSearch(
        state=word_of("--state", CaseState, state),
        kind=word_of("--kind", CaseKind, kind),
        owner=owner,
        queue_id=None if queue_id is None else _id(queue_id),
        limit=limit,
        cursor=cursor,
    )
    page, shown = run_async(_page(sought))
    if as_json:
        print_json({"cases": shown, "next_cursor": page.next_cursor})
        return 0
    rows = [_row(case, view) for case, view in zip(page.items, shown, strict=True)]
    print_table(COLUMNS, rows, empty="No case matches.")
    if page.next_cursor:
        print_text(f"There are more: --cursor {page.next_cursor}")
    return 0


async def _page(sought: CaseSearch) -> tuple[Page[CaseRecord], list[View]]:
    async with open_database() as database:
        clock = await _clock(database)
        page = await PostgresReads(database).cases(sought)
        return page, [case_view(case, clock.now()) for case in page.items]


def _row(case: CaseRecord, view: View) -> Sequence[object]:
    risk = f"{case.money_at_risk} {case.currency}"
    age = f"{view['age_seconds']} s"
    return case.id, case.kind, case.state, risk, case.owner or "-", age, case.task_id


def assign(case_id: str, *, owner: str, as_json: bool) -> int:
    """Make somebody the owner of a case."""
    if not is_id(owner):
        raise Usage("--owner: must be a name of 1 to 128 characters")
    run_async(_assign(_id(case_id), owner))
    return _said({"id": _id(case_id), "owner": owner}, "assigned", as_json=as_json)


async def _assign(case_id: str, owner: str) -> None:
    async with open_database() as database:
        await PostgresDesk(database).assign_case(case_id, owner=owner)


def settle(case_id: str, *, reason: str, evidence: str | None, as_json: bool) -> int:
    """Have core take a returned payout back."""
    _check_reason(reason)
    vote = run_async(_settle(_id(case_id), reason, evidence))
    return _told({"id": _id(case_id)}, vote, as_json=as_json)


async def _settle(case_id: str, reason: str, evidence: str | None) -> Vote:
    async with _engine() as (engine, settings, database):
        return await settle_return(
            case_id,
            reason=reason,
            evidence=evidence,
            actor=actor(),
            four_eyes=settings.four_eyes,
            desk=PostgresDesk(database),
            engine=engine,
        )


def close(case_id: str, *, reason: str, as_json: bool) -> int:
    """Close a case that has been dealt with."""
    _check_reason(reason)
    run_async(_close(_id(case_id), reason))
    return _said({"id": _id(case_id)}, "closed", as_json=as_json)


async def _close(case_id: str, reason: str) -> None:
    async with open_database() as database:
        clock = await _clock(database)
        await PostgresDesk(database).close_case(
            case_id, actor=actor(), reason=reason, at=clock.now()
        )


@asynccontextmanager
async def _engine() -> AsyncIterator[tuple[Engine, Settings, Database]]:
    """Give what a decision is recorded with; nobody outside is called."""
    settings = read_settings("database_url")
    async with open_database() as database, Outbound() as outbound:
        engine = Engine(
            store=PostgresStore(database),
            core=HttpCore(
                outbound, base_url="", token=None, timeout=settings.core_timeout
            ),
            providers=build_providers(
                configuration(settings), outbound, public_url=settings.public_url
            ),
            clock=await _clock(database),
            keys=settings.audit_keys,
        )
        yield engine, settings, database


async def _clock(database: Database) -> DatabaseClock:
    clock = DatabaseClock(database)
    await clock.calibrate()
    return clock


def _told(ids: View, vote: Vote, *, as_json: bool) -> int:
    if as_json:
        print_json({**ids, "status": vote.value})
    else:
        print_text(f"{next(iter(ids.values()))}: {TOLD[vote]}")
    return 0


def _said(ids: View, status: str, *, as_json: bool) -> int:
    if as_json:
        print_json({**ids, "status": status})
    else:
        print_text(f"{next(iter(ids.values()))} {status}")
    return 0


def _check_reason(reason: str) -> None:
    if not is_reason(reason):
        raise Usage("--reason: say why, in at most 2000 characters")


def _id(text: str) -> str:
    return text.strip().casefold()
