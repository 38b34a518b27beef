"""`completion`: what a shell needs to complete commands, options and choices."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from typing import Annotated, Literal

from payment_service.cli.commands.options import argument


def completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish"], argument("SHELL", text="bash, zsh or fish.")
    ],
) -> int:
    """Print what makes a shell complete commands, options and choices at Tab."""
    from payment_service.cli import completion as scripts

    return scripts.show(shell)
