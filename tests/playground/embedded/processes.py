"""What this machine has: a place for quick files, and processes to look at."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

MEMORY = Path("/dev/shm")  # noqa: S108 - folders in it are made by mkdtemp
MEMORY_FREE_BYTES_MIN = 2 * 1024**3
# A shell has what it starts in the background ignore SIGINT, and so do its children.
HEEDS_INTERRUPTS = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
"""


def memory_folder() -> Path | None:
    """Return where files never reach a disk, if this machine has room there."""
    if MEMORY.exists() and shutil.disk_usage(MEMORY).free > MEMORY_FREE_BYTES_MIN:
        return MEMORY
    return None


@contextmanager
def a_parent(program: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run a program that starts a server and prints its folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HEEDS_INTERRUPTS + program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        try:
            folder = cast("IO[str]", parent.stdout).readline().strip()
            assert folder, "the program ended before its server was up"
            yield parent, Path(folder)
        finally:
            parent.kill()


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of those that were started for a folder."""
    lines = (_read(path) for path in Path("/proc").glob("[0-9]*/cmdline"))
    return [line for line in lines if str(folder) in line]


def wait_until(condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text()
    return ""
