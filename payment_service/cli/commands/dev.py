"""`dev`: a whole service on this machine, to try things on."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from pathlib import Path
from typing import Annotated

import typer

from payment_service.cli.commands.options import option


def dev(
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=1, max=65535, help="Of the API; 8000, if free.", metavar="N"
        ),
    ] = None,
    config: Annotated[
        Path | None,
        option("--config", text="Providers of your own beside its.", metavar="FILE"),
    ] = None,
    env_file: Annotated[
        Path | None,
        option("--env-file", text="Has the exports while it is up.", metavar="FILE"),
    ] = None,
    keep: Annotated[
        Path | None,
        option("--keep", text="A folder that stays, to go on in.", metavar="DIR"),
    ] = None,
    quiet: Annotated[bool, option("--quiet", text="Tell no events.")] = False,
    as_json: Annotated[
        bool, option("--json", text="Print a line of JSON, then one for each event.")
    ] = False,
) -> int:
    """Run a service to try things on, with all its neighbours simulated, until Ctrl-C.

    Prints what to set in another terminal, and three commands to copy.
    """
    from payment_service.playground.desk.play import DeskOptions, run_desk

    return run_desk(
        DeskOptions(
            port=port,
            config=config,
            env_file=env_file,
            keep=keep,
            as_json=as_json,
            quiet=quiet,
        )
    )
