"""Dead letters at the command line: lists, shows, replays and discards them.

Through the API where there is a key for it; else, so that a broken API stops nobody, in
the database. What is replayed is a message like any other, and proves nothing.
"""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, TypeVar

from fsm.domain.dead_letters import DeadLetter
from fsm.domain.errors import Refusal, UnknownOrder
from handlers.ports.reads import Page
from payment_service.cli import dead_letters_by_api as by_key
from payment_service.cli.api_client import access_of, operate
from payment_service.cli.arguments import actor, check_reason, plain_id
from payment_service.cli.context import read_settings, run_async
from payment_service.cli.database import open_database
from payment_service.cli.errors import DONE, FOUND_WRONG, Usage, Wrong
from payment_service.cli.printing import (
    print_json,
    print_pairs,
    print_table,
    print_text,
)
from payment_service.storage.clock import DatabaseClock
from payment_service.storage.database import Database
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.reads import PostgresReads
from payment_service.wire.views import View, dead_letter_view, dead_letter_whole

T = TypeVar("T")
BATCH: Final = 500
RELAY_SAYS: Final = "A running relay publishes what is replayed."


def _operator_store(database: Database) -> PostgresOperatorStore:
    return PostgresOperatorStore(database, read_settings().audit_keys)


def list_(*, limit: int, cursor: str | None, as_json: bool) -> int:
    """Print a page of the letters that nobody has dealt with."""
    page = run_async(_page(limit, cursor))
    views = [dead_letter_view(letter) for letter in page.items]
    if as_json:
        print_json({"dead_letters": views, "next_cursor": page.next_cursor})
        return 0
    names = ("id", "at", "subject", "reason", "deliveries", "order_id", "error")
    rows = [[view.get(name) for name in names] for view in views]
    print_table(names, rows, empty="There is no dead letter.")
    if page.next_cursor:
        print_text(f"There are more: --cursor {page.next_cursor}")
    return 0


async def _page(limit: int, cursor: str | None) -> Page[DeadLetter]:
    async with open_database() as database:
        return await PostgresReads(database).dead_letters(limit=limit, cursor=cursor)


def show(letter_id: str, *, as_json: bool) -> int:
    """Print one letter, masked."""
    view = dead_letter_whole(run_async(_letter(letter_id)))
    if as_json:
        print_json(view)
    else:
        print_pairs(view)
    return 0


async def _letter(letter_id: str) -> DeadLetter:
    async with open_database() as database:
        return await _found(
            _operator_store(database).letter(plain_id(letter_id)), letter_id
        )


async def _found(work: Awaitable[T], letter_id: str) -> T:
    """Wait for the work; say which letter there is not."""
    try:
        return await work
    except UnknownOrder:
        problem = f"no dead letter {letter_id!r}: see `payment-service dlq list`"
        raise Wrong(problem) from None


def replay(
    letter_ids: Sequence[str],
    *,
    every: bool,
    subject: str | None,
    reason: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Send letters again; say of each what became of it."""
    if every == bool(letter_ids):
        raise Usage("dlq replay: give the ids of dead letters, or --all")
    if subject is not None and not every:
        raise Usage("dlq replay: --subject goes with --all")
    if reason is not None:
        check_reason(reason)
    wanted = None if every else [plain_id(each) for each in letter_ids]
    access = access_of(read_settings())
    if access is not None:
        work = by_key.replay(
            access, wanted, subject=subject, reason=reason, dry_run=dry_run
        )
    elif wanted is None:
        work = _replay_all(subject, reason, dry_run=dry_run)
    else:
        work = _replay_some(wanted, reason, dry_run=dry_run)
    results = run_async(work)
    if as_json:
        print_json({"dry_run": dry_run, "dead_letters": results})
    else:
        _print_results(results, dry_run=dry_run)
    return FOUND_WRONG if any("error" in each for each in results) else DONE


def _print_results(results: Sequence[View], *, dry_run: bool) -> None:
    for each in results:
        problem = f": {each['error']}" if "error" in each else ""
        print_text(f"{each['id']} {each['status']}{problem}")
    if not results:
        print_text("There is no dead letter to replay.")
    elif not dry_run:
        print_text(RELAY_SAYS)


async def _replay_some(
    letter_ids: Sequence[str], reason: str | None, *, dry_run: bool
) -> list[View]:
    async with open_database() as database:
        return await _each(database, letter_ids, reason, dry_run=dry_run)


async def _replay_all(
    subject: str | None, reason: str | None, *, dry_run: bool
) -> list[View]:
    """Replay what is open now, page by page; what fails is not tried twice."""
    done: dict[str, View] = {}
    async with open_database() as database:
        operator_store = _operator_store(database)
        while True:
            # Those of earlier pages that are still open come again, so ask for more.
            limit = len(done) + BATCH
            found = await operator_store.open_dead_letters(subject=subject, limit=limit)
            fresh = [letter_id for letter_id in found if letter_id not in done]
            if not fresh:
                return list(done.values())
            for result in await _each(database, fresh, reason, dry_run=dry_run):
                done[str(result["id"])] = result


async def _each(
    database: Database,
    letter_ids: Sequence[str],
    reason: str | None,
    *,
    dry_run: bool,
) -> list[View]:
    from handlers.dead_letters import replay as send_again  # noqa: PLC0415 - not for lists

    clock, operator_store = DatabaseClock(database), _operator_store(database)
    await clock.calibrate()
    results: list[View] = []
    for letter_id in letter_ids:
        try:
            if dry_run:
                await _found(operator_store.letter(letter_id), letter_id)
            else:
                again = send_again(
                    letter_id,
                    actor=actor(),
                    reason=reason,
                    operator_store=operator_store,
                    clock=clock,
                )
                await _found(again, letter_id)
        except (Wrong, Refusal) as refusal:
            results.append(
                {"id": letter_id, "status": by_key.LEFT, "error": str(refusal)}
            )
            continue
        status = by_key.WOULD_BE if dry_run else by_key.REPLAYED
        results.append({"id": letter_id, "status": status})
    return results


def discard(letter_id: str, *, reason: str, as_json: bool) -> int:
    """Give up a letter, for a reason."""
    check_reason(reason)
    found = plain_id(letter_id)
    access = access_of(read_settings())
    said: Mapping[str, object] = {"id": found, "status": "discarded"}
    if access is not None:
        path = ("dead-letters", found, "discard")
        said = operate(access, "POST", *path, body={"reason": reason}).body
    else:
        run_async(_discard(found, reason))
    if as_json:
        print_json(said)
    else:
        print_text(f"{found} discarded")
    return DONE


async def _discard(letter_id: str, reason: str) -> None:
    from handlers.dead_letters import discard as give_up  # noqa: PLC0415 - not for lists

    async with open_database() as database:
        clock = DatabaseClock(database)
        await clock.calibrate()
        work = give_up(
            letter_id,
            actor=actor(),
            reason=reason,
            operator_store=_operator_store(database),
            clock=clock,
        )
        await _found(work, letter_id)
