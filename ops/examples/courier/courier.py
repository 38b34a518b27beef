"""A service that does the step `delivery` of a checkout, in a page: its promises kept.

    python ops/examples/courier/courier.py 8090 courier.db

One row for each task, and one transaction for each call: whoever comes second waits for
whoever came first, and finds what it has done. It needs nothing but Python.
"""

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

DONE, REFUSED, UNDONE = "done", "refused", "undone"
BODY_BYTES_MAX: Final = 1024 * 1024
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS steps (
    task_id TEXT PRIMARY KEY, state TEXT NOT NULL, answer TEXT NOT NULL
)
"""


class Courier:
    """Books a courier once for each task, and calls it off for good."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._opened() as database:
            database.execute(SCHEMA)

    def do(self, task_id: str, order: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Book it, unless this task was decided before: then that stands."""
        with self._opened() as database:
            known = self._find(database, task_id)
            state, answer = known or self._book(task_id, order)
            if known is None:
                row = (task_id, state, json.dumps(answer))
                database.execute("INSERT INTO steps VALUES (?, ?, ?)", row)
        return _said(state, answer)

    def undo(self, task_id: str) -> tuple[int, dict[str, Any]]:
        """Call it off, also before it was ever asked for: then it never will be."""
        with self._opened() as database:
            database.execute(
                "INSERT INTO steps VALUES (?, ?, '{}') "
                "ON CONFLICT (task_id) DO UPDATE SET state = excluded.state",
                (task_id, UNDONE),
            )
        return 200, {"task_id": task_id}

    def ask(self, task_id: str) -> tuple[int, dict[str, Any]]:
        """Tell what became of it."""
        with self._opened() as database:
            known = self._find(database, task_id)
        if known is None:
            return 404, {"code": "not_found", "message": "no such step"}
        state, answer = known
        if state == DONE:
            return 200, {"status": "done", "result": answer}
        return 200, {"status": "refused", "code": answer.get("code", state)}

    def _book(self, task_id: str, order: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        delivery = order.get("delivery")
        if isinstance(delivery, dict) and delivery.get("country") == "AQ":
            return REFUSED, {
                "code": "no_such_route",
                "message": "nobody drives there",
                "customer_message": "We cannot deliver there.",
            }
        return DONE, {"courier": f"courier-{task_id}"}

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Give a transaction that begins by waiting for all others."""
        with closing(sqlite3.connect(self._path, timeout=30)) as database, database:
            database.execute("BEGIN IMMEDIATE")
            yield database

    def _find(
        self, database: sqlite3.Connection, task_id: str
    ) -> tuple[str, dict[str, Any]] | None:
        asked = "SELECT state, answer FROM steps WHERE task_id = ?"
        row = database.execute(asked, (task_id,)).fetchone()
        return None if row is None else (row[0], json.loads(row[1]))


def _said(state: str, answer: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if state == DONE:
        return 200, {"result": answer}
    if state == REFUSED:
        return 422, answer
    return 409, {"code": UNDONE, "message": "it was called off"}


class Handler(BaseHTTPRequestHandler):
    """Reads the calls of contract section 5 for the step `delivery`."""

    protocol_version = "HTTP/1.1"
    courier: Courier

    def do_GET(self) -> None:
        """Answer `GET /v1/delivery/{task_id}`."""
        path = self.path.split("/")
        if path[:3] != ["", "v1", "delivery"] or len(path) != 4:  # noqa: PLR2004
            self._reply(404, {"code": "no_route"})
            return
        self._reply(*self.courier.ask(path[3]))

    def do_POST(self) -> None:
        """Answer `POST /v1/delivery` and `POST /v1/delivery/reverse`."""
        told = self.headers.get("Content-Length", "")
        size = int(told) if told.isdecimal() else 0
        raw = self.rfile.read(min(size, BODY_BYTES_MAX))
        task_id, _, verb = self.headers.get("Idempotency-Key", "").rpartition(":")
        try:
            order = json.loads(raw)
        except ValueError:
            order = None
        # What cannot be read is no refusal: 400 is asked again, and nothing was done.
        if not task_id or not isinstance(order, dict):
            self._reply(400, {"code": "unreadable"})
        elif (self.path, verb) == ("/v1/delivery", "do"):
            self._reply(*self.courier.do(task_id, order))
        elif (self.path, verb) == ("/v1/delivery/reverse", "undo"):
            self._reply(*self.courier.undo(task_id))
        else:
            self._reply(404, {"code": "no_route"})

    def log_message(self, *args: object) -> None:
        """Say nothing: an order has a customer's address in it."""

    def _reply(self, status: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def server(port: int, path: Path) -> ThreadingHTTPServer:
    """Return the service on a port of this machine, its steps in a file."""
    handler = type("Bound", (Handler,), {"courier": Courier(path)})
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


if __name__ == "__main__":
    server(int(sys.argv[1]), Path(sys.argv[2])).serve_forever()
