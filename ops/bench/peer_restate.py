"""A rival: the same orders as handlers of Restate, a server with its own log.

Each freeze, create, rollback, commit and notification is a durable step of its own,
against the same mocks; so is each step of a partner link. The server and the worker
(``restate/worker.mjs``) are processes of their own; this module starts both, and is the
load when it runs as a program.
"""

import json
import shutil
import signal
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import aiohttp
import uvloop

from ops.bench.contestant import Clocked, compete
from ops.bench.mocks import HOST
from payment_service.playground.embedded.process import (
    Command,
    ServerProcess,
    free_port,
)

HERE: Final = Path(__file__).parent / "restate"
MODULES: Final = HERE / "node_modules"
WORKER: Final = HERE / "worker.mjs"
# The version for this machine, past the script of Node that would stand before it.
SERVERS: Final = "@restatedev/restate-server-*/bin/restate-server"
CONNECTIONS_MAX: Final = 256
READY_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 10.0
COMPLETED: Final = "completed"
WITHDRAWAL: Final = "withdraw"
LINK: Final = "link"
"""The worker's handlers."""

OK: Final = 200
# As it comes but for the addresses: one node, its log on disk with fsync.
CONFIG: Final = """\
base-dir = "{folder}"
bind-address = "{host}:{node}"
advertised-address = "http://{host}:{node}/"
listen-mode = "tcp"
disable-telemetry = true
log-format = "compact"

[ingress]
bind-address = "{host}:{ingress}"

[admin]
bind-address = "{host}:{admin}"
"""


def installed() -> bool:
    """Return whether Node and the packages of ``restate/package.json`` are there."""
    return shutil.which("node") is not None and _server() is not None


def _server() -> Path | None:
    return next(iter(MODULES.glob(SERVERS)), None)


@dataclass(frozen=True, slots=True)
class Restate:
    """A server of Restate that knows the worker."""

    url: str
    server: int
    worker: int


@contextmanager
def running(mocks: str) -> Iterator[Restate]:
    """Run a server with an empty log, and the worker, until the block is left.

    :raises FileNotFoundError: Node or the packages are missing: see :func:`installed`.
    """
    node, server = shutil.which("node"), _server()
    if node is None or server is None:
        raise FileNotFoundError("Restate is not installed: make bench-tools")
    ingress, admin, fabric, served = (free_port() for _ in range(4))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-restate-")))
        config = folder / "restate.toml"
        config.write_text(
            CONFIG.format(
                folder=folder, host=HOST, node=fabric, ingress=ingress, admin=admin
            )
        )
        worker = _started(
            stack, "restate worker", folder, (node, str(WORKER), str(served), mocks)
        )
        process = _started(
            stack,
            "restate-server",
            folder,
            (str(server), "--no-logo", "--config-file", str(config)),
        )
        deployment = {"uri": f"http://{HOST}:{served}"}
        register = f"http://{HOST}:{admin}/deployments"
        process.wait_until(
            lambda: _posted(register, deployment), seconds=READY_SECONDS_MAX
        )
        yield Restate(f"http://{HOST}:{ingress}", process.pid, worker.pid)


def _started(
    stack: ExitStack, name: str, folder: Path, argv: tuple[str, ...]
) -> ServerProcess:
    log = folder / f"{name.replace(' ', '-')}.log"
    command = Command(name=name, argv=argv, log=log, stop_signal=signal.SIGTERM)
    process = ServerProcess(command)
    stack.callback(process.stop, seconds=STOP_SECONDS_MAX)
    return process


def _posted(url: str, body: object) -> bool:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(  # noqa: S310 - an address of our own
        url, data=json.dumps(body).encode(), headers=headers
    )
    try:
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310
            return True
    except OSError:
        # Also what is answered with an error.
        return False


@dataclass(frozen=True, slots=True)
class Client:
    """Starts orders of one handler at a server and waits for their ends."""

    url: str
    http: aiohttp.ClientSession
    handler: str = WITHDRAWAL

    async def one(self) -> None:
        """Run one order to its end; the order's id is its idempotency key."""
        order = str(uuid.uuid4())
        async with self.http.post(
            f"{self.url}/unit/{self.handler}",
            json=order,
            headers={"Idempotency-Key": order},
        ) as answer:
            said = await answer.text()
        if answer.status != OK or json.loads(said) != COMPLETED:
            raise RuntimeError(f"order {order}: {answer.status} {said}")


async def main(arguments: list[str]) -> None:
    """Compete: the address, then how many orders, in flight, and to warm up.

    One argument more is the handler of another order than the withdrawal.
    """
    url = arguments[0]
    orders, in_flight, warm_up = map(int, arguments[1:4])
    handler = "".join(arguments[4:5]) or WITHDRAWAL
    connector = aiohttp.TCPConnector(limit=CONNECTIONS_MAX)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        await compete(
            Clocked(in_flight, Client(url, http, handler).one), orders, warm_up
        )


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
