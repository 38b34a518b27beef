"""Forks processes that run a module from one that has imported all that it needs.

Run as ``python -m tests.fork_server SOCKET IMPORTED...``. Who connects sends one
message, JSON of ``module``, ``argv``, ``cwd`` and ``env``, with the three standard
files, and hears the process id and then the exit code, each as four bytes. It ends when
its standard input does, takes the folder of its socket with it, and whatever it forked.
"""

import ctypes
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
from typing import Final, TextIO

MESSAGE_BYTES_MAX: Final = 1 << 18
WORD: Final = struct.Struct("!i")
NO_MODULES: Final = ("__main__", "plugin", "suite")
"""What is run, or is pytest's, does something when it is imported."""
PR_SET_PDEATHSIG: Final = 1


def main(path: str, imported: Sequence[str]) -> str:
    """Serve until standard input ends.

    Returns only in a process that was asked for: the module that it is to run.
    """
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
                here = os.getpid()
                if os.fork() == 0:
                    _die_with(here)
                    listener.close()
                    return _attend(asking)
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


def _attend(asking: socket.socket) -> str:
    """Start the process and tell how it ended; return in that process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    data, files, _, _ = socket.recv_fds(asking, MESSAGE_BYTES_MAX, 3)
    here = os.getpid()
    if (pid := os.fork()) == 0:
        _die_with(here)
        asking.close()
        return _become(files, **json.loads(data))
    # Whoever reads what it writes has to see its end when it ends.
    for file in files:
        os.close(file)
    asking.sendall(WORD.pack(pid))
    _, status = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):
        asking.sendall(WORD.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _become(
    files: list[int], *, module: str, argv: list[str], cwd: str, env: dict[str, str]
) -> str:
    os.setsid()
    for at, file in enumerate(files):
        os.dup2(file, at)
        os.close(file)
    out, err = _reopened(sys.stdout, 1), _reopened(sys.stderr, 2, buffering=1)
    vars(sys).update(stdout=out, __stdout__=out, stderr=err, __stderr__=err)
    os.chdir(cwd)
    os.environ.clear()
    os.environb.update({_bytes(name): _bytes(value) for name, value in env.items()})
    time.tzset()
    # As `python -m` has it.
    sys.path[0] = cwd
    sys.argv[1:] = [os.fsdecode(_bytes(word)) for word in argv]
    return module


def _reopened(stream: TextIO, file: int, *, buffering: int = -1) -> TextIO:
    """Return it as an interpreter makes it, which looks whether it is a file."""
    return open(file, "w", buffering, stream.encoding, stream.errors, closefd=False)


def _bytes(word: str) -> bytes:
    """Return what was typed: our own locale may read it in another way."""
    return word.encode("utf-8", "surrogateescape")


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # It may have died before it was asked for.
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    _, at, *names = sys.argv
    runpy.run_module(main(at, names), run_name="__main__", alter_sys=True)
