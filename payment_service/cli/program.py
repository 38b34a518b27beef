"""Runs a command and turns whatever goes wrong into one line and an exit code."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import typer

from payment_service.cli.commands import app
from payment_service.cli.failures import DONE, INTERRUPTED, WRONG_USAGE, told

NAME = "payment-service"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0 done, 1 something is wrong, 2 wrong usage, settings."""
    command = typer.main.get_command(app)
    arguments = None if argv is None else list(argv)
    try:
        code = command.main(arguments, prog_name=NAME, standalone_mode=False)
    except typer.TyperException as refused:
        spoken = getattr(refused, "format_message", refused.__str__)
        _say(f"{spoken()} (see `{NAME} --help`)")
        return WRONG_USAGE
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing may be written at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:  # noqa: BLE001 - nobody sees a traceback
        line, code = told(error)
        _say(line)
        return code
    return code if isinstance(code, int) else DONE


def _say(line: str) -> None:
    with suppress(BrokenPipeError):
        sys.stderr.write(f"{NAME}: {line}\n")
