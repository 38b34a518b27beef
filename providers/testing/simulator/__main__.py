"""Runs simulated providers as a process: `python -m providers.testing.simulator`."""

import argparse
import asyncio

from providers.testing.simulator.config import load, simulator_from
from providers.testing.simulator.wire import Endpoint, serve_until_told_to_stop


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="providers.testing.simulator", description=__doc__
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--config", help="a table of settings, .toml or .json")
    parser.add_argument("--book", help="the file of the book, instead of the table's")
    asyncio.run(_run(parser.parse_args()))


async def _run(options: argparse.Namespace) -> None:
    table = load(options.config) if options.config else {"story": {}}
    simulator = simulator_from(table | ({"book": options.book} if options.book else {}))

    async def start() -> Endpoint:
        await simulator.start(options.host, options.port)
        return simulator.endpoint

    await serve_until_told_to_stop(start, simulator.stop)


if __name__ == "__main__":
    main()
