"""Runs the simulated other side: providers, and core."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any

from payment_service.cli.errors import Usage, Wrong, in_one_line
from payment_service.cli.printing import print_json, print_text


def providers(host: str, port: int, *, config: Path | None, book: Path | None) -> int:
    """Serve simulated providers until a signal; print one JSON line when ready."""
    from providers.testing.simulator.config import (  # noqa: PLC0415 - not for core
        load,
        simulator_from,
    )

    try:
        table: dict[str, Any] = load(config) if config else {"story": {}}
        simulator = simulator_from(table | ({"book": str(book)} if book else {}))
    except OSError as error:
        raise Usage(f"{error.filename or config or book}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise Usage(f"--config {config}: {in_one_line(str(error))}") from None
    return asyncio.run(_serve(simulator, host, port))


def core(host: str, port: int, *, token: str, book: Path | None) -> int:
    """Serve a simulated core until a signal; print one JSON line when ready."""
    from providers.testing.simulator.core import (  # noqa: PLC0415 - not for providers
        SimulatedCore,
    )

    try:
        simulated = SimulatedCore(book=str(book) if book else None, token=token)
    except OSError as error:
        raise Usage(f"--book {book}: {error.strerror}") from None
    return asyncio.run(_serve(simulated, host, port))


def scripts(*, as_json: bool) -> int:
    """Print what can be chosen on the desk, by which word, and how it ends."""
    from payment_service.playground.desk.choices import (  # noqa: PLC0415 - heavy
        choices,
    )

    found = list(choices())
    if as_json:
        print_json({"scripts": [asdict(choice) for choice in found]})
        return 0
    for party in dict.fromkeys(choice.party for choice in found):
        of_it = [choice for choice in found if choice.party == party]
        print_text(f"{party}: chosen by {of_it[0].chosen_by}")
        for choice in of_it:
            print_text(f"  {choice.value}\n      {choice.does}: {choice.ends}")
        print_text("")
    return 0


async def _serve(server: Any, host: str, port: int) -> int:  # noqa: ANN401 - either
    from providers.testing.simulator.wire import (  # noqa: PLC0415 - heavy
        Endpoint,
        serve_until_told_to_stop,
    )

    async def start() -> Endpoint:
        await server.start(host, port)
        endpoint: Endpoint = server.endpoint
        return endpoint

    try:
        await serve_until_told_to_stop(start, server.stop)
    except OSError as error:
        raise Wrong(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return 0
