"""What stands before PostgreSQL: PgBouncer, and HAProxy as Patroni's."""

import os
import re
import signal
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import psycopg

from ops.field.programs import HAPROXY, PGBOUNCER, path_of
from payment_service.playground.embedded.postgres import UNPRIVILEGED
from payment_service.playground.embedded.process import HOST, Command, free_port
from payment_service.playground.embedded.server import EmbeddedServer
from tests.playground.embedded.processes import memory_folder

ANSWER_SECONDS = 1.0
ADMIN = "admin"
# Few enough that clients do share them: what one leaves behind another one finds.
POOL_SIZE = 3


class PgBouncer(EmbeddedServer):
    """A pooler in front of one server; ``settings`` are its own, over these here."""

    name = "PgBouncer"
    port_is_taken = "in use"

    def __init__(
        self, server_url: str, *, program: Path | None = None, **settings: object
    ) -> None:
        super().__init__(None, memory_folder())
        self._server = urlsplit(server_url)
        self._program = program or path_of(PGBOUNCER)
        self._settings: dict[str, object] = {
            "pool_mode": "transaction",
            "default_pool_size": POOL_SIZE,
            "max_client_conn": 200,
            "auth_type": "plain",
            **settings,
        }

    @property
    def url(self) -> str:
        """Where the database of the server's URL is, through the pooler."""
        return self.url_of(self._server.path.lstrip("/"))

    def url_of(self, database: str) -> str:
        user, password = self._server.username, self._server.password
        return f"postgresql://{user}:{password}@{HOST}:{self.port}/{database}"

    def version(self) -> tuple[int, ...]:
        """Return (major, minor, patch)."""
        said = str(self.admin("SHOW VERSION")[0][0])
        return tuple(map(int, re.findall(r"\d+", said)[:3]))

    def change(self, **settings: object) -> None:
        """Go on with other settings, as after an edit and a RELOAD."""
        self._settings |= settings
        self._write()
        self.admin("RELOAD")

    def admin(self, command: str) -> list[tuple[object, ...]]:
        """Say something on its admin console."""
        with self.console() as console:
            cursor = psycopg.ClientCursor(console).execute(command.encode())
            return cursor.fetchall() if cursor.description else []

    def console(self) -> psycopg.Connection:
        """Open its admin console; that takes the place of a client."""
        url = f"postgresql://{ADMIN}:{ADMIN}@{HOST}:{self.port}/pgbouncer"
        return psycopg.connect(url, autocommit=True)

    def servers(self) -> int:
        """Return how many connections to PostgreSQL it holds."""
        return len(self.admin("SHOW SERVERS"))

    def _prepare(self) -> None:
        self._write()

    def _write(self) -> None:
        server = self._server
        users = {server.username: server.password, ADMIN: ADMIN}
        lines = "".join(f'"{name}" "{secret}"\n' for name, secret in users.items())
        (self.folder / "users.txt").write_text(lines)
        settings: Mapping[str, object] = {
            "listen_addr": HOST,
            "listen_port": self._port,
            "unix_socket_dir": "",
            "auth_file": self.folder / "users.txt",
            "admin_users": ADMIN,
            **self._settings,
        }
        (self.folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={server.hostname} port={server.port}\n[pgbouncer]\n"
            + "".join(f"{name} = {value}\n" for name, value in settings.items())
        )

    def _command(self) -> Command:
        self._write()
        # It does not work as root, and says so.
        user = ("-u", UNPRIVILEGED) if os.geteuid() == 0 else ()
        return Command(
            name=self.name,
            argv=(str(self._program), *user, str(self.folder / "pgbouncer.ini")),
            log=self.log,
            stop_signal=signal.SIGINT,
            remove_if_orphaned=self._orphans(),
        )

    def _is_ready(self) -> bool:
        return _listens(self.port)


class HAProxy(EmbeddedServer):
    """Passes connections to the node that says of itself that it is the primary.

    The check asks each node's agent, as Patroni's template does. ``idle`` is how long
    a connection may be silent; ``shuts_sessions`` ends those to a node that is down.
    """

    name = "HAProxy"
    port_is_taken = "cannot bind socket"

    def __init__(
        self, *nodes: "Agent", idle: str = "30m", shuts_sessions: bool = True
    ) -> None:
        super().__init__(None, memory_folder())
        self._nodes = nodes
        self._idle = idle
        self._down = "on-marked-down shutdown-sessions" if shuts_sessions else ""

    @property
    def url(self) -> str:
        """Where the primary is, whichever node that may be."""
        return self._nodes[0].through(self.port)

    def _prepare(self) -> None:
        """Nothing is kept."""

    def _command(self) -> Command:
        checked = f"check inter 200ms fall 2 rise 1 {self._down}"
        (self.folder / "haproxy.cfg").write_text(
            "global\n  maxconn 500\n"
            "defaults\n  mode tcp\n  retries 2\n  timeout connect 2s\n"
            f"  timeout check 1s\n  timeout client {self._idle}\n"
            f"  timeout server {self._idle}\n"
            f"listen primary\n  bind {HOST}:{self.port}\n"
            "  option httpchk OPTIONS /primary\n  http-check expect status 200\n"
            + "".join(
                f"  server node-{number} {HOST}:{agent.node_port} "
                f"{checked} port {agent.port}\n"
                for number, agent in enumerate(self._nodes)
            )
        )
        return Command(
            name=self.name,
            argv=(
                str(path_of(HAPROXY)),
                "-db",
                "-f",
                str(self.folder / "haproxy.cfg"),
            ),
            log=self.log,
            stop_signal=signal.SIGTERM,
            remove_if_orphaned=self._orphans(),
        )

    def _is_ready(self) -> bool:
        return _listens(self.port)


class Agent:
    """Says of a node whether it is the primary, as Patroni's API does."""

    def __init__(self, node_url: str, *, is_primary: bool) -> None:
        self._url = urlsplit(node_url)
        self.is_primary = is_primary
        agent = self

        class Answers(BaseHTTPRequestHandler):
            def do_OPTIONS(self) -> None:
                self.send_response(200 if agent.is_primary else 503)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing: HAProxy asks five times a second."""

        self._server = ThreadingHTTPServer((HOST, free_port()), Answers)
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def node_port(self) -> int:
        assert self._url.port
        return self._url.port

    def through(self, port: int) -> str:
        """Return the address of the node's database through another port."""
        user, password = self._url.username, self._url.password
        return f"postgresql://{user}:{password}@{HOST}:{port}{self._url.path}"


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), ANSWER_SECONDS).close()
    except OSError:
        return False
    return True
