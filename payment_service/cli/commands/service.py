"""`service`: the services of a checkout, checked."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from pathlib import Path
from typing import Annotated

from payment_service.cli.commands.helping import command, new_group
from payment_service.cli.commands.options import (
    ConfigFile,
    Json,
    Scenarios,
    ServiceName,
    option,
)

group = new_group("The services of a checkout.")


@command(group, "check", "service check fraud --scenario do-twice")
def service_check(
    name: ServiceName,
    config: ConfigFile = None,
    orders: Annotated[
        Path | None,
        option(
            "--orders",
            text="A JSON file: {taken, refused, pending}, to try it.",
            metavar="FILE",
        ),
    ] = None,
    only: Scenarios = None,
    as_json: Json = False,
) -> int:
    """Ask a service's test instance for steps: what it does is done, and undone."""
    from payment_service.cli import service_conformance

    return service_conformance.check(
        name, config=config, orders=orders, only=only or [], as_json=as_json
    )


@command(group, "scenarios", "service scenarios")
def service_scenarios(as_json: Json = False) -> int:
    """List the scenarios that a service has to pass, and what each proves."""
    from payment_service.cli import service_conformance

    return service_conformance.list_scenarios(as_json=as_json)
