"""The world of a measurement: PostgreSQL, NATS, the mocks, and the service's processes.

PostgreSQL and NATS keep every promise (fsync on); each measurement gets a database and
a subject prefix of its own, so that none inherits the tables of the one before.
"""

import asyncio
import base64
import hashlib
import secrets
import signal
import string
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psycopg
from psycopg import sql

from ops.bench.mocks import HOST, REPOSITORY, Mocks, answering
from payment_service import bus
from payment_service.bus import topology
from payment_service.playground.embedded.nats_server import EmbeddedNats
from payment_service.playground.embedded.postgres import DURABLE, EmbeddedPostgres
from payment_service.playground.embedded.process import (
    Command,
    ServerProcess,
    free_port,
)
from payment_service.storage import migrate

TEMPLATE: Final = "bench_template"
POSTGRES_SETTINGS: Final = {
    **DURABLE,
    # As on any machine with a few gigabytes; the default is for one with 256 MB.
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "track_io_timing": "on",
}
READY_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 30.0
LOG_TAIL: Final = 3000
OK: Final = 200
PROVIDERS: Final = {
    "first": "declines",
    "second": "declines",
    "third": "approves",
    "slow": "accepts",
}
CONFIG: Final = """\
[providers.{name}]
adapter = "rest"
base_url = "{base_url}"
timeout = "10s"
max_in_flight = 1000
status = true
idempotent_create = true
key_lifetime = "24h"
not_found_grace = "2m"
sla = "24h"
on_sla = "poll"
webhook = {{ scheme = "standard", secrets = ["{secret}"], rate = "100000/s" }}
poll = {{ first = "1h", factor = 2.0, max = "2h", deadline = "24h" }}
"""


@dataclass(frozen=True, slots=True)
class World:
    """What all measurements of a run share."""

    folder: Path
    postgres: EmbeddedPostgres
    nats: EmbeddedNats
    mocks: Mocks
    webhook_secret: str

    @property
    def config_file(self) -> Path:
        """Return the providers' configuration."""
        return self.folder / "payment.toml"


@dataclass(frozen=True, slots=True)
class Stage:
    """One measurement's own: an empty migrated database, a prefix, settings, keys."""

    world: World
    database_url: str
    prefix: str
    api_port: int
    api_key: str

    @property
    def names(self) -> bus.Names:
        """Return the names of subjects and streams here."""
        return bus.Names(self.prefix)

    @property
    def api_url(self) -> str:
        """Return where the API listens."""
        return f"http://{HOST}:{self.api_port}"

    @property
    def env(self) -> dict[str, str]:
        """Return the settings of every process of the service."""
        key_hash = hashlib.sha256(self.api_key.encode()).hexdigest()
        return {
            "PAYMENT_DATABASE_URL": self.database_url,
            "PAYMENT_NATS_URL": self.world.nats.url,
            "PAYMENT_CORE_URL": f"{self.world.mocks.url}/core",
            "PAYMENT_CORE_TOKEN": "bench",
            "PAYMENT_CONFIG": str(self.world.config_file),
            "PAYMENT_HTTP_HOST": HOST,
            "PAYMENT_HTTP_PORT": str(self.api_port),
            "PAYMENT_API_KEYS": f"bench:upstream:{key_hash}",
            "PAYMENT_SUBJECT_PREFIX": self.prefix,
            "PAYMENT_LOG_LEVEL": "info",
            "PAYMENT_TRACE_SAMPLE": "0.01",
        }


@dataclass(frozen=True, slots=True)
class Role:
    """A process of the service: what it does, and how it is called in the results."""

    name: str
    roles: str
    module: str = "payment_service"


API: Final = Role("api", "api")
RELAY: Final = Role("relay", "relay,sweeper")


def split(workers: int) -> tuple[Role, ...]:
    """Return the roles as they are split: the workers, one API, one relay."""
    numbers = range(1, workers + 1)
    return (*(Role(f"worker-{n}", "worker") for n in numbers), API, RELAY)


@dataclass(slots=True)
class Running:
    """A process of the service at work."""

    role: Role
    process: ServerProcess
    port: int
    log: Path

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self.process.pid


@dataclass(slots=True)
class Cluster:
    """The processes of the service, by role."""

    processes: list[Running] = field(default_factory=list)

    def pids(self, prefix: str = "") -> list[int]:
        """Return the ids of the processes whose role's name starts so."""
        return [p.pid for p in self.processes if p.role.name.startswith(prefix)]

    def first(self, prefix: str) -> Running:
        """Return the first process whose role's name starts so."""
        return next(p for p in self.processes if p.role.name.startswith(prefix))


@contextmanager
def opened(**settings: str) -> Iterator[World]:
    """Start the servers, PostgreSQL with these settings too; leave nothing behind."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="payment-bench-")))
        folder.chmod(0o711)
        postgres = EmbeddedPostgres(settings={**POSTGRES_SETTINGS, **settings})
        nats = EmbeddedNats(configuration="max_payload: 1MB\n")
        stack.callback(postgres.close)
        stack.callback(nats.close)
        postgres.start()
        nats.start()
        mocks = stack.enter_context(answering(folder))
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        world = World(folder, postgres, nats, mocks, secret)
        world.config_file.write_text(_config(world))
        _execute(world, "CREATE DATABASE {}", TEMPLATE)
        migrate.upgrade(postgres.url_of(TEMPLATE))
        yield world


def _config(world: World) -> str:
    return "\n".join(
        CONFIG.format(
            name=name,
            base_url=f"{world.mocks.url}/{behaviour}",
            secret=world.webhook_secret,
        )
        for name, behaviour in PROVIDERS.items()
    )


def with_provider(world: World, name: str, base_url: str) -> None:
    """Add a provider to the configuration of the processes that start from now on."""
    table = CONFIG.format(name=name, base_url=base_url, secret=world.webhook_secret)
    with world.config_file.open("a") as file:
        file.write(f"\n{table}")


def _execute(world: World, statement: str, *names: str) -> None:
    query = sql.SQL(statement).format(*map(sql.Identifier, names))
    with psycopg.connect(world.postgres.url, autocommit=True) as connection:
        connection.execute(query)


@contextmanager
def database(world: World, *, migrated: bool = True) -> Iterator[str]:
    """Give the address of a database that is dropped on leaving."""
    name = f"bench_{secrets.token_hex(4)}"
    if migrated:
        _execute(world, "CREATE DATABASE {} TEMPLATE {}", name, TEMPLATE)
    else:
        _execute(world, "CREATE DATABASE {}", name)
    try:
        yield world.postgres.url_of(name)
    finally:
        _execute(world, "DROP DATABASE {} WITH (FORCE)", name)


@asynccontextmanager
async def staged(world: World) -> AsyncIterator[Stage]:
    """Give a database and a prefix; drop the database and its streams on leaving."""
    async with AsyncExitStack() as stack:
        url = stack.enter_context(database(world))
        stage = Stage(
            world=world,
            database_url=url,
            prefix=_prefix(),
            api_port=free_port(),
            api_key=secrets.token_urlsafe(24),
        )
        stack.push_async_callback(_delete_streams, stage)
        yield stage


def _prefix() -> str:
    """Return a prefix of letters: with more digits an order's id may be a card's."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(8))


async def connected(stage: Stage) -> bus.NatsClient:
    """Return a connection to NATS for the load."""

    def lost(reason: str) -> None:
        raise RuntimeError(f"NATS has ended the load's connection: {reason}")

    return await bus.connect([stage.world.nats.url], name="bench", on_closed=lost)


async def _delete_streams(stage: Stage) -> None:
    wire = await connected(stage)
    api = bus.JetStreamApi(wire)
    for name in (topology.REQUESTS, topology.TASKS, topology.EVENTS, topology.DEAD):
        await api.find(f"STREAM.DELETE.{stage.names.stream(name)}")
    await wire.close()


@asynccontextmanager
async def serving(
    stage: Stage, roles: Sequence[Role], *, env: Mapping[str, str] | None = None
) -> AsyncIterator[Cluster]:
    """Run the service in these processes until the block is left."""
    cluster = Cluster()
    try:
        for role in roles:
            cluster.processes.append(start(stage, role, env=env))
        for running in cluster.processes:
            await ready(running)
        yield cluster
    finally:
        # At the same time, since each of them finishes what it has begun.
        await asyncio.gather(*(stop(running) for running in cluster.processes))


async def stop(running: Running) -> None:
    """Stop a process in good order."""
    await asyncio.to_thread(running.process.stop, seconds=STOP_SECONDS_MAX)


def start(stage: Stage, role: Role, *, env: Mapping[str, str] | None = None) -> Running:
    """Start `payment-service run` in a process of its own; it may not be ready yet."""
    metrics_port = free_port()
    port = stage.api_port if "api" in role.roles else metrics_port
    settings = {
        "PYTHONPATH": str(REPOSITORY),
        **stage.env,
        "PAYMENT_METRICS_PORT": str(metrics_port),
        **(env or {}),
    }
    log = stage.world.folder / f"{stage.prefix}-{role.name}.log"
    command = (sys.executable, "-m", role.module, "run", "--roles", role.roles)
    process = ServerProcess(
        Command(
            name=role.name,
            argv=("/usr/bin/env", *(f"{k}={v}" for k, v in settings.items()), *command),
            log=log,
            stop_signal=signal.SIGTERM,
        )
    )
    return Running(role=role, process=process, port=port, log=log)


async def ready(running: Running) -> None:
    """Return when the process says that it can work."""
    began = time.monotonic()
    while not await asyncio.to_thread(_is_ready, running.port):
        waited = time.monotonic() - began
        if not running.process.running or waited > READY_SECONDS_MAX:
            tail = running.log.read_text()[-LOG_TAIL:]
            raise RuntimeError(f"{running.role.name} did not start:\n{tail}")
        await asyncio.sleep(0.01)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(
            f"http://{HOST}:{port}/readyz", timeout=5
        ) as answer:
            return bool(answer.status == OK)
    except OSError:
        return False
