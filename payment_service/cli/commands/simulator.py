"""`simulator` and `core-simulator`: those we call, played."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from pathlib import Path
from typing import Annotated

from payment_service.cli.commands.options import Host, Port, option


def simulator(
    host: Host = "127.0.0.1",
    port: Port = 0,
    config: Annotated[
        Path | None, option("--config", text="Its settings, .toml or .json.")
    ] = None,
    book: Annotated[Path | None, option("--book", text="The file of its book.")] = None,
) -> int:
    """Run the simulated providers until it is told to stop."""
    from payment_service.cli import simulator

    return simulator.providers(host, port, config=config, book=book)


def core_simulator(
    host: Host = "127.0.0.1",
    port: Port = 0,
    token: Annotated[str, option("--token", text="The bearer token to ask for.")] = "",
    book: Annotated[Path | None, option("--book", text="The file of its book.")] = None,
) -> int:
    """Run the simulated core service until it is told to stop."""
    from payment_service.cli import simulator

    return simulator.core(host, port, token=token, book=book)
