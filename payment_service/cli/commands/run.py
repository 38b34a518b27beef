"""`run`: the service."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

from payment_service.cli.commands.options import option


def run(
    roles: Annotated[
        str, option("--roles", text="Some of api,worker,relay,sweeper.", metavar="LIST")
    ] = "api,worker,relay,sweeper",
) -> int:
    """Run the service; SIGTERM stops it gracefully."""
    from payment_service.cli import service

    return service.serve(roles)
