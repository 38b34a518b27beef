"""A whole service in a box: PostgreSQL, NATS, simulated neighbours, and itself.

The demo and the desk are both played in it.
"""

import asyncio
import hashlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

import aiohttp

from payment_service.playground.embedded.nats_server import EmbeddedNats
from payment_service.playground.embedded.postgres import EmbeddedPostgres
from payment_service.playground.embedded.process import (
    HOST,
    Command,
    EmbeddedServerError,
    ServerProcess,
    free_port,
    is_free,
    tail,
)
from payment_service.playground.stopping import finished
from payment_service.storage import migrate
from providers.testing.simulator import Simulator
from providers.testing.simulator.core import SimulatedCore

START_SECONDS_MAX: Final = 90.0
STOP_SECONDS_MAX: Final = 25.0
OURS: Final = "PAYMENT_"
OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who plays our neighbours, and how the service is told of them."""

    core: SimulatedCore
    core_token: str
    simulator: Simulator
    tables: Callable[[Simulator], str]
    """The text of the configuration file, once the simulator has its address."""

    settings: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    """The API's keys, by the role that each has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a world would like to be: a port that is None, or taken, is any other."""

    folder: Path | None = None
    """What stays, PostgreSQL's data included; None: a temporary one that does not."""

    api: int | None = None
    nats: int | None = None
    postgres: int | None = None
    core: int | None = None
    simulator: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What there is to look at: addresses, keys, and the books of the other side."""

    database_url: str
    nats_url: str
    api_url: str
    keys: Mapping[str, str]
    core: SimulatedCore
    simulator: Simulator
    folder: Path
    env: Mapping[str, str]
    stays: bool = False


class _Listens(Protocol):
    async def start(self, host: str, port: int, /) -> object: ...
    async def stop(self) -> None: ...


@asynccontextmanager
async def opened(cast: Cast, places: Places, *, name: str) -> AsyncIterator[World]:
    """Start everything but the service; leave nothing behind, unless it is to stay."""
    async with AsyncExitStack() as stack:
        folder = places.folder
        if folder is None:
            made = TemporaryDirectory(prefix=f"payment-{name}-")
            folder = Path(stack.enter_context(made))
        await _listening(stack, cast.core, places.core)
        await _listening(stack, cast.simulator, places.simulator)
        (folder / "payment.toml").write_text(cast.tables(cast.simulator))
        stays = places.folder is not None
        postgres = EmbeddedPostgres(
            folder / "postgresql" if stays else None, prefers=places.postgres
        )
        nats = EmbeddedNats(folder / "nats" if stays else None, prefers=places.nats)
        stack.callback(postgres.close)
        stack.callback(nats.close)
        await finished(postgres.start, nats.start)
        await finished(lambda: migrate.upgrade(postgres.url))
        yield _world(cast, places, postgres.url, nats.url, folder)


async def _listening(
    stack: AsyncExitStack, party: _Listens, wanted: int | None
) -> None:
    port = wanted if wanted is not None and is_free(wanted) else 0
    await party.start(HOST, port)
    stack.push_async_callback(party.stop)


def _world(
    cast: Cast, places: Places, database_url: str, nats_url: str, folder: Path
) -> World:
    wanted = places.api
    port = wanted if wanted is not None and is_free(wanted) else free_port()
    api_url = f"http://{HOST}:{port}"
    env = {
        "PAYMENT_DATABASE_URL": database_url,
        "PAYMENT_NATS_URL": nats_url,
        "PAYMENT_CORE_URL": cast.core.url,
        "PAYMENT_CORE_TOKEN": cast.core_token,
        "PAYMENT_CONFIG": str(folder / "payment.toml"),
        "PAYMENT_HTTP_HOST": HOST,
        "PAYMENT_HTTP_PORT": str(port),
        "PAYMENT_PUBLIC_URL": api_url,
        "PAYMENT_API_KEYS": ",".join(
            f"{role}:{role}:{hashlib.sha256(key.encode()).hexdigest()}"
            for role, key in cast.keys.items()
        ),
        "PAYMENT_SWEEP_INTERVAL": "2s",
        "PAYMENT_SWEEP_GRACE": "5s",
        "PAYMENT_LOG_LEVEL": "warning",
        # All of it is on this machine, where a proxy would never find it.
        "no_proxy": "*",
        **cast.settings,
    }
    return World(
        database_url=database_url,
        nats_url=nats_url,
        api_url=api_url,
        keys=cast.keys,
        core=cast.core,
        simulator=cast.simulator,
        folder=folder,
        env=env,
        stays=places.folder is not None,
    )


@asynccontextmanager
async def service(world: World) -> AsyncIterator[None]:
    """Run `payment-service run` in its own process, as an operator would.

    It ends with this process, however this one ends. Nothing that the shell says of
    another payment-service reaches it.
    """
    mine = {n: v for n, v in os.environ.items() if not n.startswith(OURS)}
    process = ServerProcess(
        Command(
            name="payment-service",
            argv=(sys.executable, "-m", "payment_service", "run"),
            log=world.folder / "service.log",
            stop_signal=signal.SIGTERM,
            remove_if_orphaned=() if world.stays else (world.folder,),
            env={**mine, **world.env},
            cwd=str(world.folder),
        )
    )
    try:
        await _answering(process, world)
        yield
    finally:
        await finished(lambda: process.stop(seconds=STOP_SECONDS_MAX))


async def _answering(process: ServerProcess, world: World) -> None:
    """Return when the API answers to its own key: another may have won the port.

    :raises EmbeddedServerError: it has ended, or is late.
    """
    key = next(iter(world.keys.values()))
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        asyncio.timeout(START_SECONDS_MAX),
        aiohttp.ClientSession(headers=headers) as http,
    ):
        while process.running:
            with suppress(aiohttp.ClientError):
                async with http.get(f"{world.api_url}/v1/orders?limit=1") as answer:
                    if answer.status == OK:
                        return
            await asyncio.sleep(0.1)
    log = tail(world.folder / "service.log")
    raise EmbeddedServerError(f"payment-service did not start: {log}")
