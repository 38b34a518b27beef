"""The options and arguments that several commands have."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer


def option(*names: str, text: str, metavar: str | None = None) -> Any:  # noqa: ANN401 - typer's own
    """Return an option by its names, with what `--help` says of it.

    What it is given is called as the option is, unless ``metavar`` says otherwise.
    """
    given = metavar or names[0].lstrip("-").replace("-", "_").upper()
    return typer.Option(*names, help=text, metavar=given)


def choice(name: str, words: type[StrEnum], *, text: str) -> Any:  # noqa: ANN401 - typer's own
    """Return an option that takes one of these words, in any case; its help has all."""
    given = name.lstrip("-").replace("-", "_").upper()
    told = f"{text}: {one_of(words)}."
    return typer.Option(name, help=told, metavar=given, case_sensitive=False)


def one_of(words: Iterable[str]) -> str:
    """Return words as a sentence has them."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def argument(metavar: str, *, text: str) -> Any:  # noqa: ANN401 - typer's own
    """Return an argument by its name in capitals, with what `--help` says of it."""
    return typer.Argument(metavar=metavar, help=text, case_sensitive=False)


Json = Annotated[
    bool, option("--json", text="Print JSON; on failure too, to standard error.")
]
Wide = Annotated[
    bool, option("--wide", text="Every column, however narrow the terminal is.")
]
Limit = Annotated[
    int,
    typer.Option("--limit", min=1, max=1000, help="At most so many.", metavar="N"),
]
Cursor = Annotated[str | None, option("--cursor", text="Go on where a list ended.")]
OrderId = Annotated[str, argument("ORDER_ID", text="An order_id or a queue_id.")]
TaskId = Annotated[str, argument("TASK_ID", text="Of the task.")]
CaseId = Annotated[str, argument("CASE_ID", text="Of the case.")]
LetterId = Annotated[
    str, argument("LETTER_ID", text="Of the dead letter, or a unique beginning.")
]
CustomerId = Annotated[str, argument("CUSTOMER_ID", text="As upstream calls him.")]
Reason = Annotated[str, option("--reason", text="Why; it stands in the record.")]
Why = Annotated[str | None, option("--reason", text="Why; may be left out.")]
Evidence = Annotated[str | None, option("--evidence", text="What proves it.")]
ProviderName = Annotated[str, argument("NAME", text="Of the table [providers.NAME].")]
PartnerName = Annotated[str, argument("NAME", text="Of the table [partners.NAME].")]
ServiceName = Annotated[str, argument("NAME", text="Of the table [services.NAME].")]
KeyName = Annotated[str, argument("NAME", text="Of the key.")]
NewName = Annotated[str, argument("NAME", text="Its name, of a-z, 0-9 and _.")]
Host = Annotated[str, option("--host", text="Where it listens.")]
Port = Annotated[int, option("--port", text="0: any that is free.", metavar="N")]
ConfigFile = Annotated[
    Path | None,
    option("--config", text="The file, instead of PAYMENT_CONFIG.", metavar="FILE"),
]
Scenarios = Annotated[
    list[str] | None, option("--scenario", text="Only this; repeatable.")
]
Style = Annotated[
    Literal["toml", "python"],
    option("--style", text="toml: a table for the adapter rest; python: an adapter."),
]
Into = Annotated[
    Path | None,
    option("--into", text="The new folder; the name, if not said.", metavar="DIR"),
]
