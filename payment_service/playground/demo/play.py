"""Plays the demo: starts the world, sends the load, shows it live, and checks it."""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.table import Table

from payment_service.playground.demo import checkouts, links, load, world
from payment_service.playground.demo.summary import Summary, show, summarise
from payment_service.playground.demo.tally import Tables, Tally
from payment_service.playground.stopping import run_until_told
from payment_service.storage.session import NAME, Door, connect

LOOK_EVERY_SECONDS: Final = 0.5
PLAIN_EVERY_SECONDS: Final = 3.0
REST_SECONDS_MAX: Final = 90.0
INTERRUPTED: Final = 130
Report = Callable[[Tally, int], None]


def run_demo(orders: int, *, seed: int, as_json: bool, keep: bool) -> int:
    """Play the demo; return 0 if the money adds up, 1 if it does not."""
    # Only the summary belongs to the output of `--json`.
    console = Console(stderr=as_json)
    try:
        work = _played(orders, seed, console, as_json=as_json, keep=keep)
        return run_until_told(work, console.print)
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Interrupted; everything is stopped.")
        return INTERRUPTED


async def _played(
    orders: int, seed: int, console: Console, *, as_json: bool, keep: bool
) -> int:
    console.print(
        "Starting PostgreSQL, NATS, core, providers, services, and this one …"
    )
    async with world.opened(seed) as stage, world.service(stage):
        console.print(f"The API listens on {stage.api_url}")
        summary = await _summary(stage, orders, seed, console)
        if as_json:
            sys.stdout.write(json.dumps(summary.as_json(), indent=2) + "\n")
        else:
            show(summary, console)
        if keep:
            await _keep(stage, console)
    return 1 if summary.wrong else 0


async def _summary(
    stage: world.World, orders: int, seed: int, console: Console
) -> Summary:
    sent, carts = load.orders(orders, seed), checkouts.requests(orders, seed)
    cards = links.requests(orders, seed)
    connection = await connect(Door(stage.database_url, name=f"{NAME} demo"))
    async with connection:
        tables = Tables(connection)
        began = time.monotonic()
        sending = asyncio.create_task(load.send_all(stage, sent, carts, cards))
        try:
            with _reporter(console, orders) as report:
                tally = await _at_rest(
                    stage, tables, sending, (orders, len(carts), len(cards)), report
                )
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
        seconds = time.monotonic() - began
        facts = await tables.facts()
        states, linked = await tables.checkouts(), await tables.links()
    return summarise(
        stage,
        sent,
        checkouts=checkouts.figures(stage.simulator, carts, states),
        links=links.figures(stage.simulator, stage.core, cards, linked),
        tally=tally,
        facts=facts,
        seconds=seconds,
        verified=await _verified(stage),
        seed=seed,
    )


async def _at_rest(
    stage: world.World,
    tables: Tables,
    sending: asyncio.Task[None],
    expected: tuple[int, int, int],
    report: Report,
) -> Tally:
    """Look until every order has ended; a truthful support desk decides checks."""
    until, (orders, carts, cards) = None, expected
    while True:
        tally = await tables.tally()
        report(tally, orders)
        await load.decide_manual_checks(stage, await tables.open_checks())
        if sending.done():
            sending.result()
            until = until or time.monotonic() + REST_SECONDS_MAX
            stored = tally.accepted >= orders and len(await tables.checkouts()) >= carts
            stored = stored and len(await tables.links()) >= cards
            if stored and not await tables.unfinished():
                return tally
            if time.monotonic() > until:
                return tally
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _verified(stage: world.World) -> list[str]:
    """Run `payment-service verify` on the demo's database; return what it finds."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "payment_service",
        "verify",
        env=dict(stage.env),
        cwd=stage.folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode == 0:
        return []
    return [
        f"verify: {line}"
        for line in output.decode(errors="replace").splitlines()
        if line.strip()
    ]


async def _keep(stage: world.World, console: Console) -> None:
    console.print(
        f"Still up: {stage.api_url}, key {stage.keys['support']}; Ctrl-C ends it."
    )
    for name, value in stage.env.items():
        console.print(f"export {name}='{value}'", highlight=False, soft_wrap=True)
    await asyncio.Event().wait()


class _reporter:  # noqa: N801 - used as a verb
    """Shows the orders live: a table on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, orders: int) -> None:
        self._console = console
        self._orders = orders
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._said_at = 0.0

    def __enter__(self) -> Report:
        if self._console.is_terminal:
            self._live.start()
        return self._report

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def _report(self, tally: Tally, orders: int) -> None:
        if self._console.is_terminal:
            self._live.update(_table(tally, orders))
        elif time.monotonic() - self._said_at > PLAIN_EVERY_SECONDS:
            self._said_at = time.monotonic()
            self._console.print(_line(tally, orders))


def _table(tally: Tally, orders: int) -> Table:
    table = Table(title=f"{tally.accepted} of {orders} withdrawals")
    row = {
        "under way": tally.active - tally.waiting,
        "manual check": tally.waiting,
        "completed": tally.completed,
        "failed": tally.failed,
    }
    for name in row:
        table.add_column(name, justify="right", min_width=12)
    table.add_row(*(str(count) for count in row.values()))
    return table


def _line(tally: Tally, orders: int) -> str:
    return (
        f"{tally.accepted}/{orders} accepted, "
        f"{tally.active - tally.waiting} under way, {tally.waiting} in manual check, "
        f"{tally.completed} completed, {tally.failed} failed"
    )
