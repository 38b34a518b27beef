"""PostgreSQL as a pair: a primary, and a synchronous standby that can take over."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg

from payment_service.playground.embedded import EmbeddedPostgres
from payment_service.playground.embedded.process import HOST

STANDBY_SECONDS_MAX: Final = 30.0
LOOK_SECONDS: Final = 0.02
# Of postmaster.pid: who wrote it, and how far it is.
PID_LINE, STATUS_LINE = 0, 7
UP: Final = ("ready", "standby")

IN_SYNC: Final[LiteralString] = (
    "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
)


class Node(EmbeddedPostgres):
    """One server of the pair: either of them, by turns."""

    def crash(self) -> None:
        """Stop it in immediate mode: nothing is written down, sessions are cut."""
        os.kill(self.pid, signal.SIGQUIT)
        _wait_until(lambda: not self.running)
        self.kill()

    def become_standby_of(self, source: "Node") -> None:
        """Copy the other one, which runs, in place of all that was here before."""
        self.kill()
        command = source._command()
        shutil.rmtree(self.data_dir, ignore_errors=True)
        self.folder.mkdir(exist_ok=True)
        self.data_dir.mkdir(mode=0o700)
        account = command.account
        if account is not None:
            os.chown(self.data_dir, account.uid, account.gid)
        shutil.copy2(source.folder / "password", self.folder / "password")
        subprocess.run(
            [
                str(Path(command.argv[0]).with_name("pg_basebackup")),
                f"--dbname={source.url}",
                f"--pgdata={self.data_dir}",
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
            ],
            cwd="/",
            env={"LC_ALL": "C", "TZ": "UTC"},
            capture_output=True,
            check=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        self.start()

    def run(self, statement: LiteralString) -> list[Any]:
        """Run one statement, each time on a connection of its own."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _is_ready(self) -> bool:
        try:
            lines = (self.data_dir / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return (
            len(lines) > STATUS_LINE
            and lines[PID_LINE] == str(self.pid)
            and lines[STATUS_LINE].strip() in UP
        )


class Pair:
    """A primary and, where wanted, its standby; nothing acknowledged is ever lost."""

    def __init__(self, primary: Node, standby: Node | None = None) -> None:
        self.primary = primary
        self.standby = standby

    def start(self) -> None:
        """Start both; the standby takes part in every commit from then on."""
        self.primary.start()
        if self.standby is not None:
            self._attach(self.standby)

    def close(self) -> None:
        """Stop both."""
        for node in (self.standby, self.primary):
            if node is not None:
                node.close()

    def nodes(self) -> list[Node]:
        """Return them in the order in which they are asked."""
        return [self.primary, *([self.standby] if self.standby else [])]

    async def fail_over(self) -> None:
        """Take the power from the primary; the standby becomes it."""
        if self.standby is None:
            raise RuntimeError("there is no standby to fail over to")
        old, new = self.primary, self.standby
        await asyncio.to_thread(old.kill)
        await asyncio.to_thread(new.run, "SELECT pg_promote(true, 30)")
        self.primary, self.standby = new, old

    async def rebuild(self) -> None:
        """Make the one that was lost the standby of the one that took over."""
        if self.standby is not None:
            await asyncio.to_thread(self._attach, self.standby)

    def _attach(self, standby: Node) -> None:
        # Else its copy would wait for a standby of its own once it is the primary.
        self._synchronous("ALTER SYSTEM RESET synchronous_standby_names")
        standby.become_standby_of(self.primary)
        self._synchronous("ALTER SYSTEM SET synchronous_standby_names = '*'")
        _wait_until(lambda: self.primary.run(IN_SYNC)[0][0] == 1)

    def _synchronous(self, statement: LiteralString) -> None:
        self.primary.run(statement)
        self.primary.run("SELECT pg_reload_conf()")


def url_of(node: Node, addresses: list[str]) -> str:
    """Return the address that finds the primary behind several addresses."""
    credentials = node.url.split("//")[1].rpartition("@")[0]
    hosts = ",".join(addresses)
    several = "?target_session_attrs=read-write" if len(addresses) > 1 else ""
    return f"postgresql://{credentials}@{hosts}/postgres{several}"


def address_of(node: Node) -> tuple[str, int]:
    """Return where it listens."""
    return HOST, node.port


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STANDBY_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("PostgreSQL did not come to it in time")
        time.sleep(LOOK_SECONDS)
