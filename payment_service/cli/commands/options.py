"""The options and arguments that several commands have."""

import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

# There is no output at all where the shell has closed it.
MARKUP: Final[Literal["rich"] | None] = (
    "rich" if sys.stdout and sys.stdout.isatty() else None
)


def new_group(about: str) -> typer.Typer:
    """Return a command that has commands of its own."""
    return typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=MARKUP)


def option(*names: str, text: str, metavar: str | None = None) -> Any:  # noqa: ANN401 - typer's own
    """Return an option by its names, with what `--help` says of it."""
    return typer.Option(*names, help=text, metavar=metavar)


Json = Annotated[bool, option("--json", text="Print JSON.")]
Limit = Annotated[
    int, typer.Option("--limit", min=1, max=1000, help="At most so many.")
]
Cursor = Annotated[str | None, option("--cursor", text="Go on where a list ended.")]
OrderId = Annotated[str, typer.Argument(help="An order_id or a queue_id.")]
TaskId = Annotated[str, typer.Argument(metavar="ID", help="Of the task.")]
CaseId = Annotated[str, typer.Argument(metavar="ID", help="Of the case.")]
Reason = Annotated[str, option("--reason", text="Why; it stands in the record.")]
Evidence = Annotated[str | None, option("--evidence", text="What proves it.")]
LetterId = Annotated[str, typer.Argument(metavar="ID", help="Of the dead letter.")]
ProviderName = Annotated[
    str, typer.Argument(metavar="NAME", help="Of the table [providers.NAME].")
]
Host = Annotated[str, option("--host", text="Where it listens.")]
Port = Annotated[int, option("--port", text="0: any that is free.")]
KeyName = Annotated[str, typer.Argument(metavar="NAME", help="Of the key.")]
Why = Annotated[str | None, option("--reason", text="Why; it stands in the record.")]
ConfigFile = Annotated[
    Path | None, option("--config", text="The file, instead of PAYMENT_CONFIG.")
]
Scenarios = Annotated[
    list[str] | None, option("--scenario", text="Only this; repeatable.")
]
NewName = Annotated[str, typer.Argument(help="Its name, of a-z, 0-9 and _.")]
Style = Annotated[
    Literal["toml", "python"],
    option("--style", text="A table for the adapter rest, or an adapter."),
]
Into = Annotated[
    Path | None, option("--into", text="The new folder; the name, if not said.")
]
