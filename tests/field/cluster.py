"""PostgreSQL from Debian, and a pair whose old primary does not die."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg import sql

from ops.field.programs import POSTGRES, path_of
from payment_service.playground.embedded.postgres import FAST, SUPERUSER
from payment_service.playground.embedded.process import Command
from tests.chaos.postgres import Node, Pair
from tests.playground.embedded.processes import memory_folder

MAX_CONNECTIONS = 200


class DebianNode(Node):
    """The same from Debian's package, which is older than the wheel."""

    name = "PostgreSQL-Debian"

    def _initdb(self, programs: Path, data_dir: Path) -> list[str]:  # noqa: ARG002 - of the wheel
        return [
            str(path_of(POSTGRES).with_name("initdb")),
            f"--pgdata={data_dir}",
            f"--username={SUPERUSER}",
            f"--pwfile={self._password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-instructions",
            "--no-sync",
        ]

    def _command(self) -> Command:
        command = super()._command()
        return replace(command, argv=(str(path_of(POSTGRES)), *command.argv[1:]))


@contextmanager
def a_server(kind: type[Node] = Node, **settings: str) -> Iterator[Node]:
    """Run one server of this kind."""
    node = kind(
        settings={**FAST, **settings},
        max_connections=MAX_CONNECTIONS,
        within=memory_folder(),
    )
    try:
        node.start()
        yield node
    finally:
        node.close()


def create_database(url: str, name: str, how: str = "") -> str:
    """Make a database on a server and return its address."""
    statement = sql.SQL("CREATE DATABASE {} " + how).format(sql.Identifier(name))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
    return f"{url.rpartition('/')[0]}/{name}"


async def fence(pair: Pair) -> None:
    """Make the old primary read-only: it stays up, and keeps its sessions."""
    await asyncio.to_thread(
        pair.primary.run, "ALTER SYSTEM SET default_transaction_read_only = on"
    )
    # Its standby is about to go; what it has not confirmed is not acknowledged.
    os.kill(pair.primary.pid, signal.SIGHUP)


async def promote(pair: Pair) -> None:
    """Make the standby the primary; the other one goes on as it is."""
    assert pair.standby is not None
    await asyncio.to_thread(pair.standby.run, "SELECT pg_promote(true, 30)")
    pair.primary, pair.standby = pair.standby, pair.primary


async def demote(pair: Pair) -> None:
    """Have the old primary come back as the standby of the new one."""
    assert pair.standby is not None
    await asyncio.to_thread(pair.standby.become_standby_of, pair.primary)
