"""Help of a command: sections, an example in each, exit codes; the same in every width.

What a person reads is what tests read: no boxes, no colours, nothing that a terminal
adds.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from payment_service.cli.program import EXIT_CODES, NAME

TRYING: Final = "Trying it out"
RUNNING: Final = "The service"
ORDERS: Final = "Orders, and what people decide"
BOOKS: Final = "The books"
OTHERS: Final = "Those it calls, and who may call it"
DOCUMENTS: Final = "Documents and shells"
SECTIONS: Final = (RUNNING, ORDERS, BOOKS, OTHERS, DOCUMENTS, TRYING)
"""Of the whole help, in this order: what plays the other side stands apart."""

Work = TypeVar("Work", bound=Callable[..., Any])


class HelpedCommand(TyperCommand):
    """A command whose help ends with its examples: one a line, without the name."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 - click's
        """Write the examples."""
        _write_examples(formatter, examples_of(self))


class HelpedGroup(TyperGroup):
    """A command with commands, listed by their sections; an example of each."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 - click's
        """Write what there is, in the order of its sections."""
        sections: dict[str, list[Any]] = {title: [] for title in SECTIONS}
        for command in self.commands.values():
            if not command.hidden:
                section = getattr(command, "rich_help_panel", None)
                title = section if isinstance(section, str) else "Commands"
                sections.setdefault(title, []).append(command)
        room = formatter.width - 6 - max(map(len, self.commands), default=0)
        for title, found in sections.items():
            if not found:
                continue
            with formatter.section(title):
                formatter.write_dl(
                    [(each.name, each.get_short_help_str(room)) for each in found]
                )

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - click's
        """Write the examples; at the top also what an exit code means."""
        _write_examples(formatter, examples_of(self))
        if ctx.parent is None:
            with formatter.section("Exit codes"):
                formatter.write_dl(EXIT_CODES)


def examples_of(command: Any) -> list[str]:  # noqa: ANN401 - click's
    """Return what a command's help shows, each as typed after ``payment-service``."""
    if command.epilog:
        return str(command.epilog).splitlines()
    return [*_firsts(command)]


def _firsts(group: Any) -> Iterator[str]:  # noqa: ANN401 - click's
    for each in getattr(group, "commands", {}).values():
        if not each.hidden:
            yield from examples_of(each)[:1]


def _write_examples(formatter: Any, lines: list[str]) -> None:  # noqa: ANN401 - click's
    if lines:
        with formatter.section("Examples" if len(lines) > 1 else "Example"):
            for line in lines:
                # Never folded: it is there to be copied.
                formatter.write(f"  {NAME} {line}\n")


def new_group(about: str, *, does: bool = False) -> typer.Typer:
    """Return a command that has commands of its own; ``does``: and does something."""
    return typer.Typer(
        cls=HelpedGroup,
        help=about,
        no_args_is_help=not does,
        invoke_without_command=does,
        rich_markup_mode=None,
    )


def command(
    group: typer.Typer,
    name: str,
    *examples: str,
    section: str | None = None,
    hidden: bool = False,
) -> Callable[[Work], Work]:
    """Make a function a command; ``examples`` are typed after ``payment-service``."""
    return group.command(
        name,
        cls=HelpedCommand,
        epilog="\n".join(examples),
        rich_help_panel=section,
        hidden=hidden,
    )
