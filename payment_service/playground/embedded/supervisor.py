"""Runs one server as a process of its own and stops it when its parent is gone.

Started by path, so it imports nothing but the standard library. It ends when the
server and every process of it have ended.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from types import FrameType

LOOK_SECONDS = 0.25
STOP_SECONDS = 10.0
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisedCommand:
    """What to run, and what to do once nobody wants it any more."""

    argv: list[str]
    cwd: str
    parent: int
    stop_signal: int
    user: int | None
    group: int | None
    remove: list[str]


class Supervisor:
    def __init__(self, order: SupervisedCommand) -> None:
        self._order = order
        self._asked_to_stop = False
        # Every process of the server inherits the writing end: it closes with the last.
        self._ended, self._alive = os.pipe()
        self._libc = ctypes.CDLL(None)

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        self._prctl(PR_SET_CHILD_SUBREAPER, 1)
        server = self._start()
        self._tell_parent(server.pid)
        while not self._wait_for_end(LOOK_SECONDS):
            if self._asked_to_stop or self._is_orphan():
                self._stop(server)
                break
        code = server.wait()
        _reap()
        if self._is_orphan():
            self._clean()
        return code if code >= 0 else 128 - code

    def _start(self) -> subprocess.Popen[bytes]:
        order = self._order
        server = subprocess.Popen(  # noqa: S603 - the command is our own
            order.argv,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            cwd=order.cwd,
            user=order.user,
            group=order.group,
            extra_groups=[] if order.user is not None else None,
            pass_fds=(self._alive,),
            preexec_fn=self._die_with_guard,  # noqa: PLW1509 - there is one thread
        )
        os.close(self._alive)
        return server

    def _die_with_guard(self) -> None:
        # Runs after the change of user, which would take the setting back.
        self._prctl(PR_SET_PDEATHSIG, self._order.stop_signal)

    def _prctl(self, option: int, value: int) -> None:
        if sys.platform == "linux":
            self._libc.prctl(option, value, 0, 0, 0)

    def _tell_parent(self, pid: int) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(sys.stdout.fileno(), f"{pid}\n".encode())

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._asked_to_stop = True

    def _is_orphan(self) -> bool:
        # Death signals follow the thread that forked; the parent's pid does not.
        return os.getppid() != self._order.parent

    def _wait_for_end(self, seconds: float) -> bool:
        return bool(select.select([self._ended], [], [], seconds)[0])

    def _stop(self, server: subprocess.Popen[bytes]) -> None:
        server.send_signal(self._order.stop_signal)
        if not self._wait_for_end(STOP_SECONDS):
            server.kill()
            self._wait_for_end(STOP_SECONDS)

    def _clean(self) -> None:
        for folder in self._order.remove:
            shutil.rmtree(folder, ignore_errors=True)


def _reap() -> None:
    """Collect what the death of a server has left to its guard."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


if __name__ == "__main__":
    sys.exit(Supervisor(SupervisedCommand(**json.loads(sys.argv[1]))).run())
