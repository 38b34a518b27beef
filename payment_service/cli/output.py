"""Output that never ends a command: signs, pipes and descriptors that are not there."""

import codecs
import os
import sys
from io import TextIOWrapper, UnsupportedOperation
from typing import Final, TextIO

PLAIN: Final = "payment-service.plain"
_STDIN, _STDOUT, _STDERR = range(3)
_PLAINLY: Final = {
    "→": "->",
    "∅": "-",
    "±": "+/-",
    "…": "...",
    "≥": ">=",
    "·": "-",
}


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Write our own signs in plain letters, and any other by its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    told = (
        _PLAINLY.get(each) or each.encode("ascii", "backslashreplace").decode()
        for each in signs
    )
    return "".join(told), error.end


codecs.register_error(PLAIN, _plainly)


class Output(TextIOWrapper):
    """A stream that never ends a command: it goes on, and its exit code counts.

    Who reads no more has seen enough. Anything else (a full disk) stands in
    ``failed`` at the end: what was to be kept is not.
    """

    failed: OSError | None = None
    is_left: bool = False
    """Nobody reads any more."""

    def write(self, text: str, /) -> int:
        """Write it, or leave it."""
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Flush it, or leave it."""
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError):
            self.failed = error
        self.is_left = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def prepare() -> None:
    """Make the standard streams fit for any text and any reader, once at the start."""
    for number in (_STDIN, _STDOUT, _STDERR):
        try:
            os.fstat(number)
        except OSError:
            # Left closed, it would be the number of the next file or connection.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = _prepared(sys.stdout, _STDOUT)
    sys.stderr = _prepared(sys.stderr, _STDERR)


def _prepared(stream: TextIO | None, number: int) -> TextIO:
    if isinstance(stream, Output):
        return stream
    if stream is None:
        return Output(os.fdopen(number, "wb"), encoding="utf-8", errors=PLAIN)
    try:
        ours = stream.fileno() == number
    except (UnsupportedOperation, ValueError):
        ours = False
    if not ours or not isinstance(stream, TextIOWrapper):
        return stream
    return Output(
        stream.buffer,
        encoding=stream.encoding,
        errors=PLAIN,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
