"""`trail`: what was done to the service itself."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from payment_service.cli.commands.options import Cursor, Json, Limit, Wide


def trail(
    limit: Limit = 50, cursor: Cursor = None, wide: Wide = False, as_json: Json = False
) -> int:
    """Show what was done to the service itself, by whom and why, newest first."""
    from payment_service.cli import trail as lines

    return lines.show(limit=limit, cursor=cursor, wide=wide, as_json=as_json)
