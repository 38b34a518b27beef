"""Copies a database by its files, which is faster than filling another one."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString, Protocol

import psycopg
from psycopg import sql


class Server(Protocol):
    """Where the databases of tests are."""

    @property
    def url(self) -> str: ...

    def url_of(self, database: str) -> str: ...


@contextmanager
def cloned(server: Server, template: str, name: str = "test") -> Iterator[str]:
    """Give the name of a copy of the template, which is gone after the block."""
    name = f"{name}_{secrets.token_hex(6)}"
    # Three times as fast as writing the copy through the log.
    clone: LiteralString = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"
    execute(server, clone, name, template)
    try:
        yield name
    finally:
        execute(server, "DROP DATABASE {} WITH (FORCE)", name)


def execute(server: Server, statement: LiteralString, *names: str) -> None:
    """Run a statement of the whole server, with names of databases or roles."""
    query = sql.SQL(statement).format(*map(sql.Identifier, names))
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(query)
