"""Forks processes that run a module from one that has imported all that it needs.

Run as ``python -m tests.fork_server SOCKET MODULE IMPORTED...``. Who connects sends one
message, JSON of ``argv``, ``cwd`` and ``env``, with the three standard files, and hears
the process id and then the exit code, each as four bytes. It ends when its standard
input does, and takes the folder of its socket with it.
"""

import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import shutil
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

MESSAGE_BYTES_MAX: Final = 1 << 18
WORD: Final = struct.Struct("!i")
NO_MODULES: Final = ("__main__", "plugin", "suite")
"""What is run, or is pytest's, does something when it is imported."""


def main(path: str, imported: Sequence[str]) -> None:
    """Serve until standard input ends; return only in a process that was asked for."""
    for name in imported:
        _import_all(name)
    assert threading.active_count() == 1, "a fork would lose the other threads"
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        os.write(1, b"\n")
        signal.signal(signal.SIGCHLD, _reap)
        while listener.fileno() in select.select([listener.fileno(), 0], [], [])[0]:
            asking, _ = listener.accept()
            with asking:
                if os.fork() == 0:
                    listener.close()
                    _attend(asking)
                    return
    # Who asked may have been killed, and is no longer there to do it.
    shutil.rmtree(Path(path).parent)
    os._exit(0)


def _import_all(name: str) -> None:
    """Import a module, and all that are below it."""
    path = getattr(importlib.import_module(name), "__path__", ())
    for found in pkgutil.walk_packages(path, f"{name}."):
        if not found.name.endswith(NO_MODULES):
            importlib.import_module(found.name)


def _reap(*_: object) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _attend(asking: socket.socket) -> None:
    """Start the process and tell how it ended; return in that process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    data, files, _, _ = socket.recv_fds(asking, MESSAGE_BYTES_MAX, 3)
    if (pid := os.fork()) == 0:
        asking.close()
        _become(files, **json.loads(data))
        return
    asking.sendall(WORD.pack(pid))
    _, status = os.waitpid(pid, 0)
    asking.sendall(WORD.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _become(
    files: list[int], *, argv: list[str], cwd: str, env: dict[str, str]
) -> None:
    for at, file in enumerate(files):
        os.dup2(file, at)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    # As `python -m` has it.
    sys.path[0] = cwd
    sys.argv[1:] = argv


if __name__ == "__main__":
    _, at, module, *imported = sys.argv
    main(at, imported)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
