"""Runs a command and turns whatever goes wrong into one line and an exit code."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, Final

import typer

from payment_service.cli import output
from payment_service.cli.commands import app
from payment_service.cli.errors import (
    DONE,
    FOUND_WRONG,
    INTERRUPTED,
    Usage,
)
from payment_service.cli.failures import CommandFailures, say
from payment_service.cli.program import ASKS, NAME

FIRST: Final = 1
"""Of a container; the kernel keeps from it every signal that it has no handler for."""
TERMINATED: Final = 128 + signal.SIGTERM


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0 done, 1 something is wrong, 2 wrong usage, settings."""
    output.prepare()
    if ASKS in os.environ:
        # Only a shell that completes asks so.
        from payment_service.cli import completion  # noqa: PLC0415 - as it says

        completion.prepare()
    if os.getpid() == FIRST:
        signal.signal(signal.SIGTERM, _end)
    code = _run(sys.argv[1:] if argv is None else argv)
    sys.stdout.flush()
    if (failed := getattr(sys.stdout, "failed", None)) is not None:
        say(f"the output cannot be written: {failed.strerror}")
        return code or FOUND_WRONG
    return code


def _run(arguments: Sequence[str]) -> int:
    command: Any = typer.main.get_command(app)
    failed = CommandFailures(command, arguments)
    try:
        args = [_text(each) for each in arguments]
        code = command.main(args, prog_name=NAME, standalone_mode=False)
    except typer.TyperException as refused:
        return failed.misused(refused)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - nobody sees a traceback
        return failed.tell(error)
    return code if isinstance(code, int) else DONE


def _text(argument: str) -> str:
    """Return an argument as text, whatever the locale takes its bytes for.

    :raises Usage: it is none.
    """
    try:
        return os.fsencode(argument).decode()
    except UnicodeEncodeError:
        return argument
    except UnicodeDecodeError:
        shown = argument.encode("ascii", "backslashreplace").decode()
        raise Usage(f"the argument {shown!r} is not UTF-8") from None


def _end(_number: int, _frame: FrameType | None) -> None:
    """End as any other process does; ``run`` has a better answer once it is up."""
    raise SystemExit(TERMINATED)
