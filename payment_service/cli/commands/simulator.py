"""`simulator`: those we call, played: core, providers, services and partners."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from pathlib import Path
from typing import Annotated

import typer

from payment_service.cli.commands.helping import command, new_group
from payment_service.cli.commands.options import Host, Json, Port, argument, option

Table = Annotated[
    Path | None,
    option("--config", text="Its settings, .toml or .json.", metavar="FILE"),
]
Book = Annotated[
    Path | None, option("--book", text="The file of its book.", metavar="FILE")
]

group = new_group("Those that the service calls, played.", does=True)


@group.callback()
def simulator(
    context: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = 0,
    config: Table = None,
    book: Book = None,
) -> int:
    """Play the providers, where no other is named, until told to stop."""
    if context.invoked_subcommand is not None:
        return 0
    return providers(host, port, config, book)


@command(group, "providers", "simulator providers --port 9001 --config sim.toml")
def providers(
    host: Host = "127.0.0.1",
    port: Port = 0,
    config: Table = None,
    book: Book = None,
) -> int:
    """Run simulated providers, services and partners until told to stop."""
    from payment_service.cli import simulator as played

    return played.providers(host, port, config=config, book=book)


@command(group, "core", "simulator core --port 9002 --token t")
def core(
    host: Host = "127.0.0.1",
    port: Port = 0,
    token: Annotated[str, option("--token", text="The bearer token to ask for.")] = "",
    book: Book = None,
) -> int:
    """Run a simulated core service until told to stop."""
    from payment_service.cli import simulator as played

    return played.core(host, port, token=token, book=book)


@command(group, "scripts", "simulator scripts")
def scripts(as_json: Json = False) -> int:
    """List what can be chosen on the desk: by which word, what is done, how it ends."""
    from payment_service.cli import simulator as played

    return played.scripts(as_json=as_json)


@command(group, "upstream", "simulator upstream withdrawal.json")
def upstream(
    request: Annotated[
        str, argument("REQUEST", text="JSON, the name of a file that has it, or -.")
    ],
) -> int:
    """Send a request by NATS to the desk, until it is answered; print the answer."""
    from payment_service.cli.upstream import send

    return send(request)
