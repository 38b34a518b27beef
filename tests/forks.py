"""Runs a module in processes that are forked, which spares each its imports.

The start of an interpreter with all that the command line imports takes ten times as
long as most commands do. A fork has what tests look at in a process: files, a folder,
an environment and an exit code of its own. What is imported when, and what happens at a
start, is for a process that is started.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

from tests.fork_server import MESSAGE_BYTES_MAX, WORD

ROOT: Final = Path(__file__).parents[1]
SERVER: Final = "tests.fork_server"
AT_THE_START: Final = ("PYTHON", "LC_", "LANG", "LD_")
"""What these settings say is heard when an interpreter starts, and never again."""


class ForkServer:
    """A process that has imported what ``module`` needs, and is forked to run it."""

    def __init__(self, module: str, *imported: str) -> None:
        folder = Path(tempfile.mkdtemp(prefix="forks-"))
        self._path = str(folder / "socket")
        self._env = _heard_at_the_start(os.environ)
        self._process = subprocess.Popen(
            [sys.executable, "-m", SERVER, self._path, module, *imported],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        atexit.register(self._close)
        assert cast("IO[bytes]", self._process.stdout).readline() == b"\n"

    def serves(self, env: Mapping[str, str]) -> bool:
        """Tell whether a fork would be as a process that starts with this."""
        return _heard_at_the_start(env) == self._env

    def run(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the module to its end, without any input.

        :raises subprocess.TimeoutExpired: it took longer, and was killed.
        """
        said = json.dumps({"argv": argv, "cwd": str(cwd), "env": {**env}}).encode()
        assert len(said) < MESSAGE_BYTES_MAX
        with _files() as (nothing, out, err), socket.socket(socket.AF_UNIX) as asking:
            asking.connect(self._path)
            files = [each.fileno() for each in (nothing, out, err)]
            socket.send_fds(asking, [said], files)
            pid = _word(asking)
            asking.settimeout(timeout)
            try:
                code = _word(asking)
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired([*argv], timeout) from None
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess([*argv], code, out.read(), err.read())

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            cast("IO[bytes]", pipe).close()
        self._process.wait()


@contextmanager
def _files() -> Iterator[tuple[IO[bytes], IO[bytes], IO[bytes]]]:
    with (
        Path(os.devnull).open("rb") as nothing,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        yield nothing, out, err


def _word(asking: socket.socket) -> int:
    told = asking.recv(WORD.size, socket.MSG_WAITALL)
    assert len(told) == WORD.size, "the process was never there"
    (word,) = WORD.unpack(told)
    return cast("int", word)


def _heard_at_the_start(env: Mapping[str, str]) -> dict[str, str]:
    here = ("PYTHONPATH", str(ROOT))
    own = dict(setting for setting in env.items() if setting != here)
    return {n: v for n, v in own.items() if n.startswith(AT_THE_START)}
