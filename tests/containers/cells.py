"""Starts cells, looks into them and stops them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache, cached_property
from pathlib import Path

from tests.containers import cell as program
from tests.containers import machine
from tests.containers.cell import Mount, Spec

TOOLS = ("unshare", "nsenter", "ip", "ldconfig", "ldd", "chroot")
GRACE_SECONDS = 10.0
"""What compose gives a container to stop."""
CLIENT_VARIABLES = ("PIP_", "SSL_CERT_", "REQUESTS_CA_", "CURL_CA_")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
Cell = Spec


@cache
def impossible() -> str:
    """Say why no cell can be made here; nothing where one can."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"cells need {', '.join(missing)}"
    if os.geteuid() != 0:
        return "cells need root: private mounts, and the users of the images"
    tried = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode != 0:
        return f"private namespaces are refused: {tried.stderr.strip()}"
    return machine.lacking()


def run(cell: Cell, *, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a cell to its end; its output is one text."""
    return subprocess.run(
        _argv(cell),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )


def _argv(cell: Cell, *before: str) -> list[str]:
    interpreter = [sys.executable, "-I", "-S", program.__file__]
    return [*before, *interpreter, json.dumps(asdict(cell))]


class Running:
    """A cell that goes on until it ends or is stopped."""

    def __init__(self, cell: Cell, log: Path, *, within: Sequence[str] = ()) -> None:
        self.cell, self.log = cell, log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                _argv(cell, *within),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.stopped_within = 0.0

    @property
    def code(self) -> int | None:
        """Return the exit code as Docker tells it; None while it runs."""
        return self._process.poll()

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    @cached_property
    def pid(self) -> int:
        """Return the number of its process 1, as this side sees it."""
        deadline = time.monotonic() + GRACE_SECONDS
        file = Path(self.cell.pid_file)
        while not file.exists():
            assert self.code is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.01)
        return int(file.read_text())

    def execute(
        self, *argv: str, seconds: float = 120, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside, as the cell's user and in its environment.

        :raises subprocess.TimeoutExpired: it takes too long.
        """
        kinds = ("--mount", "--net", "--pid", "--ipc", "--uts", "--root", "--wd")
        user = (f"--setuid={self.cell.uid}", f"--setgid={self.cell.gid}")
        admit = (str(shutil.which("nsenter")), f"--target={self.pid}")
        return subprocess.run(
            [*admit, *kinds, *user, "--", *argv],
            env={**self.cell.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )

    def send(self, number: int) -> None:
        """Send it to process 1."""
        if self.code is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> int:
        """Return the exit code.

        :raises subprocess.TimeoutExpired: it has not ended by then.
        """
        return self._process.wait(seconds)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it as ``docker stop`` does; 137 is one that had to be killed."""
        began = time.monotonic()
        self.send(number)
        try:
            code = self.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            code = self.wait(GRACE_SECONDS)
        self.stopped_within = time.monotonic() - began
        return code

    def kill(self) -> None:
        if self.code is None:
            self._process.kill()
            self._process.wait()


def client_environment() -> dict[str, str]:
    """Return how this machine reaches its package registry, for pip in a build."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(CLIENT_VARIABLES) or name.lower() in PROXY_VARIABLES
    }


@cache
def client_mounts() -> tuple[Mount, ...]:
    """Return what that takes: pip's settings, certificates, wheels at hand, a cache."""
    pip = [sys.executable, "-m", "pip"]
    if not _answers([*pip, "--version"]):
        pip = [str(Path(sys.base_prefix, "bin", machine.PYTHON)), "-m", "pip"]
    files = {"/etc/resolv.conf", "/etc/hosts", *_settings_of(pip)}
    files.update(v for v in client_environment().values() if v.startswith("/"))
    mounts = [Mount(source=f, target=f) for f in sorted(files) if Path(f).exists()]
    if cached := _answers([*pip, "cache", "dir"]).strip():
        Path(cached).mkdir(parents=True, exist_ok=True)
        mounts.append(
            Mount(source=cached, target=f"{machine.HOME}/.cache/pip", writable=True)
        )
    return tuple(mounts)


def _settings_of(pip: Sequence[str]) -> list[str]:
    told = _answers([*pip, "config", "debug"])
    places = (line.strip().partition(", exists: ") for line in told.splitlines())
    return [path for path, _, exists in places if exists == "True"]


def _answers(argv: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    return done.stdout if done.returncode == 0 else ""
