"""`service`: the services of a checkout, checked."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from pathlib import Path
from typing import Annotated

import typer

from payment_service.cli.commands.options import (
    ConfigFile,
    Json,
    Scenarios,
    new_group,
    option,
)

group = new_group("The services of a checkout.")


@group.command("check")
def service_check(
    name: Annotated[str, typer.Argument(help="Of the table [services.NAME].")],
    config: ConfigFile = None,
    orders: Annotated[
        Path | None,
        option("--orders", text="A JSON file: {taken, refused, pending}, to try it."),
    ] = None,
    only: Scenarios = None,
    as_json: Json = False,
) -> int:
    """Ask a service's test instance for steps: what it does is done, and undone."""
    from payment_service.cli import service_conformance

    return service_conformance.check(
        name, config=config, orders=orders, only=only or [], as_json=as_json
    )


@group.command("scenarios")
def service_scenarios(as_json: Json = False) -> int:
    """List the scenarios that a service has to pass, and what each proves."""
    from payment_service.cli import service_conformance

    return service_conformance.list_scenarios(as_json=as_json)
