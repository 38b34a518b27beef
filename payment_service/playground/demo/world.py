"""The world around the demo: PostgreSQL, NATS, core, providers, services, partners."""

import asyncio
import base64
import hashlib
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from payment_service.playground.demo import checkouts, links
from payment_service.playground.embedded.nats_server import EmbeddedNats
from payment_service.playground.embedded.postgres import EmbeddedPostgres
from payment_service.storage import migrate
from providers.testing.simulator import Simulator, story
from providers.testing.simulator.core import SimulatedCore

HOST: Final = "127.0.0.1"
START_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 25.0
CONFIG: Final = """\
[providers.{name}]
adapter = "rest"
base_url = "{base_url}"
timeout = "500ms"
max_in_flight = 200
status = true
idempotent_create = true
key_lifetime = "1h"
not_found = "ambiguous"
not_found_grace = "600ms"
sla = "5s"
on_sla = "poll"
webhook = {{ scheme = "standard", secrets = ["{secret}"], rate = "1000/s" }}
poll = {{ first = "300ms", factor = 1.5, max = "1s", deadline = "4s" }}
recheck = {{ first = "300ms", factor = 1.5, max = "1s", attempts = 8 }}
"""


@dataclass(frozen=True, slots=True)
class World:
    """What the demo looks at: addresses, keys, and the books of the other side."""

    database_url: str
    nats_url: str
    api_url: str
    upstream_key: str
    support_key: str
    core: SimulatedCore
    simulator: Simulator
    folder: Path
    env: Mapping[str, str]


@asynccontextmanager
async def opened(seed: int) -> AsyncIterator[World]:
    """Start everything in a temporary folder; leave nothing behind."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="payment-demo-")))
        postgres, nats = EmbeddedPostgres(), EmbeddedNats()
        stack.callback(postgres.close)
        stack.callback(nats.close)
        await asyncio.gather(
            asyncio.to_thread(postgres.start), asyncio.to_thread(nats.start)
        )
        await asyncio.to_thread(migrate.upgrade, postgres.url)
        token = secrets.token_hex(16)
        core = SimulatedCore(token=token)
        await core.start(HOST, 0)
        stack.push_async_callback(core.stop)
        keys = {name: _webhook_secret() for name in story.PROFILES}
        simulator = Simulator(
            story.providers(seed, secrets=keys),
            services=checkouts.services(seed),
            partners=links.partners(seed),
            scale=story.STORY_SCALE,
        )
        await simulator.start(HOST, 0)
        stack.push_async_callback(simulator.stop)
        (folder / "payment.toml").write_text(_tables(simulator, keys))
        yield _world(postgres.url, nats.url, core, token, simulator, folder)


def _tables(simulator: Simulator, keys: Mapping[str, str]) -> str:
    """Return the configuration file: every provider, the services, the partners."""
    told = [
        CONFIG.format(name=name, base_url=simulator.base_url(name), secret=keys[name])
        for name in story.PROFILES
    ]
    return "\n".join([*told, checkouts.tables(simulator), links.tables(simulator)])


def _world(
    database_url: str,
    nats_url: str,
    core: SimulatedCore,
    token: str,
    simulator: Simulator,
    folder: Path,
) -> World:
    port = _free_port()
    upstream_key, support_key = (secrets.token_urlsafe(24) for _ in range(2))
    api_url = f"http://{HOST}:{port}"
    env = {
        "PAYMENT_DATABASE_URL": database_url,
        "PAYMENT_NATS_URL": nats_url,
        "PAYMENT_CORE_URL": core.url,
        "PAYMENT_CORE_TOKEN": token,
        "PAYMENT_CONFIG": str(folder / "payment.toml"),
        "PAYMENT_HTTP_HOST": HOST,
        "PAYMENT_HTTP_PORT": str(port),
        "PAYMENT_PUBLIC_URL": api_url,
        "PAYMENT_API_KEYS": ",".join(
            f"{name}:{name}:{hashlib.sha256(key.encode()).hexdigest()}"
            for name, key in (("upstream", upstream_key), ("support", support_key))
        ),
        "PAYMENT_SWEEP_INTERVAL": "2s",
        "PAYMENT_SWEEP_GRACE": "5s",
        "PAYMENT_LOG_LEVEL": "warning",
        # All of it is on this machine, where a proxy would never find it.
        "no_proxy": "*",
    }
    return World(
        database_url=database_url,
        nats_url=nats_url,
        api_url=api_url,
        upstream_key=upstream_key,
        support_key=support_key,
        core=core,
        simulator=simulator,
        folder=folder,
        env=env,
    )


def _webhook_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def service(world: World) -> AsyncIterator[None]:
    """Run `payment-service run` in its own process, as an operator would."""
    with (world.folder / "service.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "payment_service",
            "run",
            env={**os.environ, **world.env},
            cwd=world.folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            await _listening(process, world)
            yield
        finally:
            await _stop(process)


async def _listening(process: asyncio.subprocess.Process, world: World) -> None:
    host, _, port = world.api_url.removeprefix("http://").partition(":")
    async with asyncio.timeout(START_SECONDS_MAX):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return
    log = (world.folder / "service.log").read_text()[-2000:]
    raise RuntimeError(f"the service did not start:\n{log}")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
        except TimeoutError:
            process.kill()
            await process.wait()
