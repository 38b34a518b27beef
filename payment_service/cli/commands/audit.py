"""`audit`: the books, exported."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from pathlib import Path
from typing import Annotated

from payment_service.cli.commands.helping import command, new_group
from payment_service.cli.commands.options import option

group = new_group("The books, for whoever audits them.")


@command(group, "export", "audit export --from 2026-01-01 --to 2026-02-01 > jan.jsonl")
def audit_export(
    since: Annotated[
        str,
        option(
            "--from",
            text="With lines of then or later; days are UTC.",
            metavar="TIME",
        ),
    ],
    until: Annotated[str, option("--to", text="And before.", metavar="TIME")],
    output: Annotated[
        Path | None,
        option("--output", text="The file; else the output.", metavar="FILE"),
    ] = None,
) -> int:
    """Export the chains that grew in a period and its anchors: JSON lines, signed."""
    from payment_service.cli.audit_export import export

    return export(since, until, output=output)
