"""Tells of an error: one line for people, a JSON object where ``--json`` was asked for.

Both go to standard error, so that what stands in standard output is always an answer.
"""

import sys
from collections.abc import Sequence
from typing import Any, Final

import orjson

from payment_service.cli.errors import (
    USAGE,
    WRONG_USAGE,
    ToldError,
    describe,
    in_one_line,
)
from payment_service.cli.printing import plainly
from payment_service.cli.program import NAME

JSON: Final = "--json"
_VALUE_ERROR: Final = "Value error, "


class CommandFailures:
    """Tells of what goes wrong with one command line."""

    def __init__(self, program: Any, arguments: Sequence[str]) -> None:  # noqa: ANN401 - click's
        self._command = _path(program, arguments)
        self._as_json = JSON in arguments

    def tell(self, error: Exception) -> int:
        """Tell of an error; return the exit code."""
        told = describe(error)
        self._tell(told, told.line)
        return told.exit_code

    def misused(self, refused: Any) -> int:  # noqa: ANN401 - click's
        """Tell of arguments that no command takes; return the exit code."""
        text = str(getattr(refused, "format_message", refused.__str__)())
        if text.startswith("Usage:"):
            # Nothing was asked for: its help is the answer.
            sys.stderr.write(f"{text}\n")
            return WRONG_USAGE
        mend = f"see `{' '.join([NAME, *self._command.split()])} --help`"
        line = in_one_line(text.replace(_VALUE_ERROR, ""))
        told = ToldError(USAGE, line, mend, WRONG_USAGE)
        self._tell(told, f"{line} ({mend})", _place(refused))
        return WRONG_USAGE

    def _tell(self, told: ToldError, line: str, place: str | None = None) -> None:
        if not self._as_json:
            say(line)
            return
        view = told.view(place or self._command or NAME)
        sys.stderr.write(orjson.dumps(view).decode() + "\n")


def say(line: str) -> None:
    """Tell a person one line."""
    sys.stderr.write(f"{NAME}: {plainly(line)}\n")


def _place(refused: Any) -> str | None:  # noqa: ANN401 - click's
    """Return the option or argument that an error is about."""
    if (param := getattr(refused, "param", None)) is not None:
        found = param.metavar if param.param_type_name == "argument" else param.opts[0]
        return None if found is None else str(found)
    name = getattr(refused, "option_name", None)
    return None if name is None else str(name)


def _path(program: Any, arguments: Sequence[str]) -> str:  # noqa: ANN401 - click's
    """Return the words of the command that was called, as far as there is one."""
    found: list[str] = []
    for word in arguments:
        below = getattr(program, "commands", {}).get(word)
        if below is None:
            break
        program = below
        found.append(word)
    return " ".join(found)
