"""Replays and discards dead letters in the database, by the façade of operations."""

from collections.abc import Awaitable, Sequence
from typing import Final

from fsm.domain.errors import Refusal
from handlers.shell_operations import ShellOperations
from payment_service.cli.arguments import actor, found_letter
from payment_service.cli.dead_letters_by_api import LEFT, REPLAYED, WOULD_BE
from payment_service.cli.errors import Wrong
from payment_service.cli.shell import shell_operations
from payment_service.wire.views import View

BATCH: Final = 500


async def replay(
    letter_ids: Sequence[str] | None,
    *,
    subject: str | None,
    reason: str | None,
    dry_run: bool,
) -> list[View]:
    """Replay letters, and say of each what became of it; None: all that are open."""
    async with shell_operations() as operations:
        if letter_ids is not None:
            return await _each(operations, letter_ids, reason, dry_run=dry_run)
        return await _all(operations, subject, reason, dry_run=dry_run)


async def _all(
    operations: ShellOperations,
    subject: str | None,
    reason: str | None,
    *,
    dry_run: bool,
) -> list[View]:
    """Replay what is open now, page by page; what fails is not tried twice."""
    done: dict[str, View] = {}
    letters = operations.operator_store
    while True:
        # Those of earlier pages that are still open come again, so ask for more.
        limit = len(done) + BATCH
        open_ = await letters.open_dead_letters(subject=subject, limit=limit)
        fresh = [letter_id for letter_id in open_ if letter_id not in done]
        if not fresh:
            return list(done.values())
        for result in await _each(operations, fresh, reason, dry_run=dry_run):
            done[str(result["id"])] = result


async def _each(
    operations: ShellOperations,
    letter_ids: Sequence[str],
    reason: str | None,
    *,
    dry_run: bool,
) -> list[View]:
    results: list[View] = []
    for letter_id in letter_ids:
        try:
            if dry_run:
                work: Awaitable[object] = operations.operator_store.letter(letter_id)
            else:
                work = operations.replay(letter_id, actor=actor(), reason=reason)
            await found_letter(work, letter_id)
        except (Wrong, Refusal) as refusal:
            results.append({"id": letter_id, "status": LEFT, "error": str(refusal)})
            continue
        results.append({"id": letter_id, "status": WOULD_BE if dry_run else REPLAYED})
    return results


async def discard(letter_id: str, reason: str) -> None:
    """Give up a letter, for a reason.

    :raises Wrong: there is none.
    """
    async with shell_operations() as operations:
        work = operations.discard(letter_id, actor=actor(), reason=reason)
        await found_letter(work, letter_id)
