"""`dlq`: dead letters listed, shown, replayed, discarded."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

from payment_service.cli.commands.helping import command, new_group
from payment_service.cli.commands.options import (
    Cursor,
    Json,
    LetterId,
    Limit,
    Why,
    Wide,
    argument,
    option,
)

group = new_group("Dead letters: messages that could not be handled.")


@command(group, "list", "dlq list --limit 20")
def dlq_list(
    limit: Limit = 50, cursor: Cursor = None, wide: Wide = False, as_json: Json = False
) -> int:
    """List the dead letters that nobody has dealt with, newest first."""
    from payment_service.cli import dead_letters

    return dead_letters.list_(limit=limit, cursor=cursor, wide=wide, as_json=as_json)


@command(group, "show", "dlq show 0195f1de-7c1a")
def dlq_show(letter_id: LetterId, as_json: Json = False) -> int:
    """Show a dead letter with its headers and its masked body."""
    from payment_service.cli import dead_letters

    return dead_letters.show(letter_id, as_json=as_json)


@command(
    group,
    "replay",
    "dlq replay 0195f1de-7c1a",
    "dlq replay --all --dry-run",
)
def dlq_replay(
    letter_ids: Annotated[
        list[str] | None, argument("LETTER_ID...", text="Of dead letters.")
    ] = None,
    every: Annotated[bool, option("--all", text="All that are open.")] = False,
    subject: Annotated[
        str | None, option("--subject", text="With --all: of it.")
    ] = None,
    dry_run: Annotated[bool, option("--dry-run", text="Only say which.")] = False,
    reason: Why = None,
    as_json: Json = False,
) -> int:
    """Send dead letters again; a running relay publishes them."""
    from payment_service.cli import dead_letters

    return dead_letters.replay(
        letter_ids or [],
        every=every,
        subject=subject,
        reason=reason,
        dry_run=dry_run,
        as_json=as_json,
    )


@command(
    group,
    "discard",
    'dlq discard 0195f1de-7c1a --reason "a test"',
)
def dlq_discard(
    letter_id: LetterId,
    reason: Annotated[str, option("--reason", text="Why it may go.")],
    as_json: Json = False,
) -> int:
    """Give up a dead letter."""
    from payment_service.cli import dead_letters

    return dead_letters.discard(letter_id, reason=reason, as_json=as_json)
