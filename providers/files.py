"""Reads a file that a setting names, whatever it turns out to be."""

import os
import select
import stat
from errno import EFBIG, ETIMEDOUT
from pathlib import Path
from typing import Final

BYTES_MAX: Final = 4 * 1024 * 1024
PIPE_SECONDS_MAX: Final = 5.0
"""How long a pipe may say nothing: one that nobody writes to would never end."""


def read_bytes(path: Path) -> bytes:
    """Return all of a file, or of a pipe that somebody writes to.

    :raises OSError: it cannot be read, says nothing or never ends; its ``strerror``
        says which.
    """
    if "\0" in str(path):
        raise OSError(0, "a name cannot hold a NUL")
    # A pipe without a writer would be waited for in `open` already.
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return _all_of(opened)
    finally:
        os.close(opened)


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, without the mark that some editors set.

    :raises OSError: as :func:`read_bytes`, or it is no text.
    """
    read = read_bytes(path)
    if b"\0" in read and not read.startswith((b"\xff\xfe", b"\xfe\xff")):
        line = read.count(b"\n", 0, read.index(b"\0")) + 1
        raise OSError(0, f"there is a NUL in line {line}")
    try:
        return read.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = read.count(b"\n", 0, error.start) + 1
        raise OSError(0, f"line {line} is not UTF-8") from None


def unreadable(path: Path) -> str | None:
    """Say why a file cannot be read, None where it can; a pipe is left to its user."""
    try:
        if not path.is_fifo():
            read_bytes(path)
    except OSError as error:
        return error.strerror
    except ValueError:
        return "a name cannot hold a NUL"
    return None


def _all_of(opened: int) -> bytes:
    is_file = stat.S_ISREG(os.fstat(opened).st_mode)
    read = bytearray()
    while True:
        if not is_file:
            _wait(opened)
        piece = os.read(opened, 1 << 16)
        if not piece:
            return bytes(read)
        read += piece
        if len(read) > BYTES_MAX:
            raise OSError(EFBIG, f"it is larger than {BYTES_MAX >> 20} MiB")


def _wait(opened: int) -> None:
    poll = select.poll()
    poll.register(opened, select.POLLIN | select.POLLHUP)
    if not poll.poll(PIPE_SECONDS_MAX * 1000):
        raise OSError(ETIMEDOUT, f"nobody wrote to it for {PIPE_SECONDS_MAX:.0f} s")
