"""Dead letters at the command line: lists, shows, replays and discards them.

Through the API where there is a key for it; else, so that a broken API stops nobody, in
the database. What is replayed is a message like any other, and proves nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from fsm.domain.dead_letters import DeadLetter
from handlers.ports.reads import Page
from payment_service.cli import dead_letters_by_api as by_key
from payment_service.cli.api_client import access_of, operate
from payment_service.cli.arguments import check_reason, found_letter
from payment_service.cli.context import read_settings, run_async
from payment_service.cli.database import open_database
from payment_service.cli.errors import DONE, FOUND_WRONG, Usage
from payment_service.cli.printing import (
    print_json,
    print_pairs,
    print_table,
    print_text,
)
from payment_service.cli.short_ids import wholes
from payment_service.cli.tables import Fall
from payment_service.storage.beginnings import Named
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.reads import PostgresReads
from payment_service.wire.views import View, dead_letter_view, dead_letter_whole

FALL: Final = Fall(
    first=("deliveries", "at", "order_id", "subject"),
    prose=("error",),
)
RELAY_SAYS: Final = "A running relay publishes what is replayed."


def list_(*, limit: int, cursor: str | None, wide: bool, as_json: bool) -> int:
    """Print a page of the letters that nobody has dealt with."""
    page = run_async(_page(limit, cursor))
    views = [dead_letter_view(letter) for letter in page.items]
    if as_json:
        print_json({"dead_letters": views, "next_cursor": page.next_cursor})
        return 0
    names = ("id", "at", "subject", "reason", "deliveries", "order_id", "error")
    rows = [[view.get(name) for name in names] for view in views]
    print_table(names, rows, empty="There is no dead letter.", fall=FALL, wide=wide)
    if page.next_cursor:
        print_text(f"There are more: --cursor {page.next_cursor}")
    return 0


async def _page(limit: int, cursor: str | None) -> Page[DeadLetter]:
    async with open_database() as database:
        return await PostgresReads(database).dead_letters(limit=limit, cursor=cursor)


def show(letter_id: str, *, as_json: bool) -> int:
    """Print one letter, masked."""
    [whole] = wholes(None, Named.LETTER, [letter_id])
    view = dead_letter_whole(run_async(_letter(whole)))
    if as_json:
        print_json(view)
    else:
        print_pairs(view)
    return 0


async def _letter(letter_id: str) -> DeadLetter:
    async with open_database() as database:
        letters = PostgresOperatorStore(database, read_settings().audit_keys)
        return await found_letter(letters.letter(letter_id), letter_id)


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
    access = access_of(read_settings())
    wanted = None if every else wholes(access, Named.LETTER, letter_ids)
    if access is not None:
        work = by_key.replay(
            access, wanted, subject=subject, reason=reason, dry_run=dry_run
        )
    else:
        from payment_service.cli import dead_letters_by_shell  # noqa: PLC0415 - not for lists

        work = dead_letters_by_shell.replay(
            wanted, subject=subject, reason=reason, dry_run=dry_run
        )
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


def discard(letter_id: str, *, reason: str, as_json: bool) -> int:
    """Give up a letter, for a reason."""
    check_reason(reason)
    access = access_of(read_settings())
    [plain] = wholes(access, Named.LETTER, [letter_id])
    said: Mapping[str, object] = {"id": plain, "status": "discarded"}
    if access is not None:
        path = ("dead-letters", plain, "discard")
        said = operate(access, "POST", *path, body={"reason": reason}).body
    else:
        from payment_service.cli import dead_letters_by_shell  # noqa: PLC0415 - not for lists

        run_async(dead_letters_by_shell.discard(plain, reason))
    if as_json:
        print_json(said)
    else:
        print_text(f"{plain} discarded")
    return DONE
