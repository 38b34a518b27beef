"""One real process: started, killed, stopped dead, woken up, and never left behind."""

import asyncio
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from tests.forks import Forked, forks

LOOK_SECONDS: Final = 0.05
START_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 40.0
PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)


class StartError(Exception):
    """A process ended, or was not ready in time, after it had been started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run; ``ready`` says whether it does its work yet."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    ready: Callable[[], bool]
    forked: bool = False
    """Whether it may be a fork of what has imported all: no interpreter starts."""


class Process:
    """A program of ours, restarted as often as wanted under the same name."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.starts = 0
        self.held = False
        """Whether it is down on purpose, so that nobody starts it again."""

        self._popen: subprocess.Popen[bytes] | Forked | None = None

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def launch(self) -> None:
        """Start it and do not wait; Ctrl-C reaches only who started it."""
        self.starts += 1
        env = {**_inherited(), **self.program.env}
        with self.program.log.open("ab") as log:
            self._popen = self._fork(env, log.fileno()) or subprocess.Popen(
                [*self.program.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - forked by the main thread
            )

    def _fork(self, env: Mapping[str, str], log: int) -> Forked | None:
        interpreter, option, module, *argv = self.program.argv
        is_module = (interpreter, option) == (sys.executable, "-m")
        if not self.program.forked or not is_module or not forks().serves(env):
            return None
        with Path(os.devnull).open("rb") as nothing:
            files = (nothing.fileno(), log, log)
            return forks().start(argv, *files, cwd=Path.cwd(), env=env, module=module)

    async def until_ready(self) -> None:
        """Return once it works.

        :raises StartError: it ended, or took too long.
        """
        until = time.monotonic() + START_SECONDS_MAX
        while not await asyncio.to_thread(self.program.ready):
            if not self.running or time.monotonic() > until:
                raise StartError(f"{self.name} did not start:\n{self.tail()}")
            await asyncio.sleep(LOOK_SECONDS)

    async def start(self) -> None:
        """Start it and wait until it works."""
        self.launch()
        await self.until_ready()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if there is anybody to send it to."""
        if self._popen is not None and self.running:
            self._popen.send_signal(number)

    def pause(self) -> None:
        """Stop it dead, as a machine that swaps or a VM that moves."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on as if nothing had been."""
        self.signal(signal.SIGCONT)

    def memory(self) -> int:
        """Return the bytes of memory it has in use; 0 where it does not run."""
        if self._popen is None or not self.running:
            return 0
        pages = Path(f"/proc/{self._popen.pid}/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()

    @contextmanager
    def descriptors(self, more: int) -> Iterator[None]:
        """Let it open so many more within the block; what is open goes on."""
        pid = self._popen.pid if self._popen is not None else 0
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        taken = {int(each.name) for each in Path(f"/proc/{pid}/fd").iterdir()}
        free = (number for number in range(soft) if number not in taken)
        most = next(islice(free, more, None), soft)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, hard))
        try:
            yield
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))

    def kill(self) -> bool:
        """Kill it; return whether it was alive and died of it."""
        if self._popen is None or not self.running:
            return False
        self._popen.kill()
        return self._popen.wait() == -signal.SIGKILL

    async def ends(self, seconds: float) -> int | None:
        """Return its exit code once it has ended; None if it has not by then."""
        if self._popen is None:
            return None
        try:
            return await asyncio.to_thread(self._popen.wait, seconds)
        except subprocess.TimeoutExpired:
            return None

    async def stop(self) -> int | None:
        """Ask it to end; return its exit code. One that does not listen is killed."""
        self.resume()
        self.signal(signal.SIGTERM)
        code = await self.ends(STOP_SECONDS_MAX)
        if self.running:
            self.kill()
        return code

    def tail(self, size: int = 2_000) -> str:
        """Return the end of its log."""
        text = self.program.log.read_bytes() if self.program.log.exists() else b""
        return text[-size:].decode(errors="replace")


def _inherited() -> dict[str, str]:
    """Return our environment without any setting of a service."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PAYMENT_")}


def _die_with_parent() -> None:
    if sys.platform == "linux":
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
