"""`demo`: the whole service in a simulated world."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated

import typer

from payment_service.cli.commands.options import option


def demo(
    orders: Annotated[
        int, typer.Option("--orders", min=1, help="How many.", metavar="N")
    ] = 200,
    seed: Annotated[
        int, option("--seed", text="The same one, the same orders.", metavar="N")
    ] = 7,
    as_json: Annotated[bool, option("--json", text="Print the summary alone.")] = False,
    keep: Annotated[bool, option("--keep", text="Leave it up at the end.")] = False,
) -> int:
    """Play the whole service in a simulated world; check that the money adds up."""
    from payment_service.playground.demo import run_demo

    return run_demo(orders, seed=seed, as_json=as_json, keep=keep)
