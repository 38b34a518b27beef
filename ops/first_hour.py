"""`make first-hour`: follows the README in a fresh clone, and says how long it took.

Word by word: the commands are read off the page, in their order, and nothing else is
typed. Exits with 1 where a command fails, or the withdrawals do not end well in time.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECONDS_MAX = 300.0
"""From the clone to one's own withdrawals, by HTTP and by NATS."""

CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main() -> int:
    """Play it; return 0 where it is done in time."""
    with tempfile.TemporaryDirectory(prefix="first-hour-") as folder:
        # PostgreSQL runs as another user, who has to pass through.
        Path(folder).chmod(0o711)
        return played(Path(folder) / "payment-service")


def played(clone: Path) -> int:
    began = time.monotonic()
    took("git clone", lambda: run(f"git clone -q {ROOT} {clone}", Path("/")))
    typed = commands((clone / "README.md").read_text())
    first = typed.index("make dev")
    with (clone / "desk.out").open("wb") as out:
        desk = subprocess.Popen(
            ["make", "dev"],  # noqa: S607 - as a newcomer types it
            cwd=clone,
            env=environment(),
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            took("make dev, until it is up", lambda: until_up(desk, clone))
            took(
                "the commands below it", lambda: run(script(typed[first + 1 :]), clone)
            )
            took("both are completed", lambda: until_said(clone, "mine-1", "mine-2"))
        finally:
            os.killpg(desk.pid, 2)
            desk.wait(60)
    seconds = time.monotonic() - began
    print(f"{seconds:7.1f} s  from the clone to one's own withdrawals, and all stopped")
    return 0 if seconds < SECONDS_MAX else 1


def took(what: str, work: Callable[[], None]) -> None:
    """Do it, and print how long that took."""
    began = time.monotonic()
    work()
    print(f"{time.monotonic() - began:7.1f} s  {what}", flush=True)


def commands(page: str) -> list[str]:
    """Return the commands that the page shows, each whole, without its comment."""
    found: list[str] = []
    for block in CONSOLE.findall(page):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(line[2:])
            elif found:
                found[-1] += f"\n{line}"
    return [re.sub(r"\s+# .*$", "", each) for each in found]


def script(typed: list[str]) -> str:
    """Return those that are typed in the other terminal, up to the list of scripts."""
    last = typed.index("payment-service simulator scripts")
    return "\n".join(typed[: last + 1])


def run(command: str, folder: Path) -> None:
    """Run it in a shell of its own, and stop where it fails."""
    done = subprocess.run(  # noqa: S603 - what the page has
        ["/bin/bash", "-ec", command],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{shlex.join(command.split()[:3])} …: {done.stdout}{done.stderr}")


def environment() -> dict[str, str]:
    """Return this one, without what it knows of this checkout."""
    ours = ("PAYMENT_", "VIRTUAL_ENV", "MAKE", "MFLAGS")
    return {n: v for n, v in os.environ.items() if not n.startswith(ours)}


def until_up(desk: subprocess.Popen[bytes], clone: Path) -> None:
    """Return when the exports are there."""
    while not (clone / "desk.env").exists():
        if desk.poll() is not None:
            sys.exit((clone / "desk.out").read_text())
        time.sleep(0.2)


def until_said(clone: Path, *orders: str) -> None:
    """Return when the desk has told that each order is completed."""
    until = time.monotonic() + SECONDS_MAX
    while time.monotonic() < until:
        said = (clone / "desk.out").read_text()
        if all(f" {order}  completed" in said for order in orders):
            return
        time.sleep(0.2)
    sys.exit((clone / "desk.out").read_text())


if __name__ == "__main__":
    sys.exit(main())
