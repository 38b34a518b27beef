"""Runs `payment-service dev` as its user does: a terminal for it, a shell beside it."""

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SECONDS_MAX = 120
ACCEPTED = re.compile(r'"queue_id":"[0-9a-f-]+","status":"accepted"')
UP = "What happens to orders"
SHELL = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "no_proxy": "*"}


class Desk:
    """A desk that was started, and what it has said so far."""

    def __init__(self, *options, folder=None, python=(), **env):
        # PostgreSQL may run as another user, who passes through no folder of pytest's.
        self.folder = folder or Path(tempfile.mkdtemp(prefix="desk-test-"))
        self.folder.chmod(0o711)
        kept = {n: v for n, v in os.environ.items() if not n.startswith("PAYMENT_")}
        self.lines = []
        self._heard: queue.Queue[str | None] = queue.Queue()
        self._ended = False
        self.process = subprocess.Popen(
            [sys.executable, *python, "-m", "payment_service", "dev", *options],
            env={**kept, "TMPDIR": str(self.folder), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        assert self.process.stdout
        with self.process.stdout as said:
            for line in said:
                self._heard.put(line.rstrip("\n"))
        self._heard.put(None)

    def _next(self):
        line = None if self._ended else self._heard.get(timeout=SECONDS_MAX)
        self._ended = line is None
        if line is not None:
            self.lines.append(line)
        return line

    def until(self, seen):
        """Read on until a line is one that was waited for; return it."""
        for line in self.lines:
            if seen(line):
                return line
        until = time.monotonic() + SECONDS_MAX
        while time.monotonic() < until:
            line = self._next()
            assert line is not None, "\n".join(self.lines)
            if seen(line):
                return line
        raise AssertionError("\n".join(self.lines))

    def up(self):
        self.until(lambda line: UP in line)
        return self

    @property
    def commands(self):
        """Return the commands to copy, by what stands above each."""
        told = [*self.lines]
        return {
            line.removeprefix("# "): told[at + 1]
            for at, line in enumerate(told)
            if line.startswith("# ")
        }

    def stop(self, *signals):
        for number in signals:
            self.process.send_signal(number)
        code = self.process.wait(SECONDS_MAX)
        while self._next() is not None:
            pass
        return code

    def close(self):
        if self.process.poll() is None:
            self.stop(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)

    def alive(self):
        """Return the processes that work in its folder."""
        return [*_working_in(str(self.folder))]

    def left(self):
        """Return what of it is left once it had the time to end."""
        until = time.monotonic() + SECONDS_MAX
        while self.alive() and time.monotonic() < until:
            time.sleep(0.1)
        return [*self.alive(), *sorted(each.name for each in self.folder.iterdir())]


def _working_in(folder):
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes().decode(errors="replace")
            where = str((process / "cwd").readlink())
        except OSError:
            continue
        if folder in told or where.startswith(folder):
            yield f"{process.name} {told}"


def shell(command, before=""):
    """Run a command as it is typed; return what it printed."""
    done = subprocess.run(
        ["/bin/bash", "--norc", "-ec", f"{before}\n{command}"],
        env=SHELL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def told(line):
    return json.loads(line)
