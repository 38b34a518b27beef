"""Shell completion for bash, zsh and fish: the script, and the answers to it.

What is completed stands in the program: nothing is asked of a database at a Tab.
"""

from typing import Any

from typer import completion as typers

from payment_service.cli.printing import print_text
from payment_service.cli.program import ASKS, NAME

# typer has them to itself, by name.
_typers: Any = typers


def prepare() -> None:
    """Know the forms in which shells ask."""
    _typers.completion_init()


def show(shell: str) -> int:
    """Print the script of one shell."""
    script = _typers.get_completion_script(
        prog_name=NAME, complete_var=ASKS, shell=shell
    )
    print_text(script)
    return 0
