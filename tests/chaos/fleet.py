"""The whole service as real processes, between proxies, in a world that can break."""

import asyncio
import base64
import hashlib
import json
import secrets
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from fsm.domain.durations import parse_duration
from payment_service.playground.embedded import EmbeddedNats
from payment_service.playground.embedded.postgres import DURABLE
from payment_service.playground.embedded.process import free_port
from payment_service.storage import migrate
from tests.chaos.postgres import Node, Pair, address_of, url_of
from tests.chaos.processes import Process, Program
from tests.chaos.proxy import HOST, Proxy

CONNECTIONS_MAX: Final = 400
ANSWER_SECONDS: Final = 2.0
DATABASE: Final = ("pg-a", "pg-b")
NATS, CORE, PROVIDERS, PUBLIC = "nats", "core", "providers", "public"
PROVIDER_NAMES: Final = ("acme", "borealis", "cobalt", "delta", "ember", "fjord")
TIMEOUT_SECONDS: Final = 1.0
SLA_SECONDS: Final = 3.0
POLL_DEADLINE_SECONDS: Final = 12.0
CONFIG: Final = """\
[providers.{name}]
adapter = "rest"
base_url = "http://{address}/{name}"
timeout = "1s"
max_in_flight = 200
status = true
idempotent_create = {idempotent}
key_lifetime = "1h"
not_found = "ambiguous"
not_found_grace = "1500ms"
sla = "3s"
on_sla = "poll"
webhook = {{ scheme = "standard", secrets = ["{secret}"], rate = "1000/s" }}
poll = {{ first = "500ms", factor = 1.5, max = "1s", deadline = "12s" }}
recheck = {{ first = "500ms", factor = 1.5, max = "1s", attempts = 10 }}
"""
COLLECTING: Final = ("borealis", "ember")
"""The payment providers that collect for checkouts, in order."""

CHARGE: Final = """\
charge = {{ key_lifetime = "1h", absent_after = "6s", retry = {retry} }}
"""
CHECKOUT: Final = """
[checkout]
payment = [{names}]
"""
RETRY: Final = '{ first = "500ms", factor = 1.5, max = "1s", attempts = 60 }'
SERVICE_NAMES: Final = ("fraud", "delivery", "merchant", "items")
SERVICE: Final = """\
[services.{name}]
base_url = "http://{address}/{name}"
timeout = "1s"
retry = {retry}
"""
NOT_IDEMPOTENT: Final = frozenset({"fjord"})
SETTINGS: Final[Mapping[str, str]] = {
    "PAYMENT_ACK_WAIT": "4s",
    "PAYMENT_CORE_TIMEOUT": "2s",
    "PAYMENT_SWEEP_INTERVAL": "1s",
    "PAYMENT_SWEEP_GRACE": "4s",
    "PAYMENT_LOG_LEVEL": "info",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How many of what; ``servants`` have every role but the worker's.

    ``proxied`` names what the service reaches through a proxy: ``pg``, ``nats``,
    ``core``, ``providers``; the API always has one, as its load balancer. ``between``
    puts something in front of PostgreSQL and gives the address that the service gets.
    With ``checkouts`` the providers' server plays the services of their steps, too,
    and two of the providers collect for them.
    """

    workers: int = 3
    apis: int = 1
    relays: int = 1
    sweepers: int = 1
    all_in_one: int = 0
    servants: int = 0
    standby: bool = False
    checkouts: bool = False
    proxied: Collection[str] = ("pg", "nats", "core", "providers")
    settings: Mapping[str, str] = field(default_factory=dict)
    postgres: Mapping[str, str] = field(default_factory=lambda: DURABLE)
    node: type[Node] = Node
    between: Callable[[Pair], AbstractContextManager[str]] | None = None
    within: Path | None = None
    forked: bool = False
    """Whether processes may be forked from one, and start no interpreters."""

    tables: str = ""
    """More of the configuration file."""

    @property
    def all_settings(self) -> dict[str, str]:
        """The settings of every process that are not addresses."""
        return {**SETTINGS, **self.settings}

    def seconds(self, setting: str) -> float:
        """Return a duration among the settings, ``ACK_WAIT`` for instance."""
        return parse_duration(self.all_settings[f"PAYMENT_{setting}"]).total_seconds()


@dataclass(slots=True, kw_only=True)
class Fleet:
    """What runs; :func:`started` makes it and leaves nothing of it behind."""

    layout: Layout
    folder: Path
    pair: Pair
    nats: EmbeddedNats
    core: Process
    providers: Process
    proxies: dict[str, Proxy]
    env: dict[str, str]
    keys: Mapping[str, str]
    addresses: Mapping[str, tuple[str, int]]
    service: dict[str, Process] = field(default_factory=dict)
    keep: bool = False

    @property
    def database_url(self) -> str:
        """Where the rows are, past every proxy."""
        nodes = self.pair.nodes()
        return url_of(nodes[0], [f"{HOST}:{node.port}" for node in nodes])

    @property
    def api_url(self) -> str:
        """The load balancer before the APIs."""
        return f"http://{self.proxies[PUBLIC].address}"

    @property
    def logs(self) -> Path:
        """The folder with the log of every process."""
        return self.folder / "logs"

    @property
    def books(self) -> tuple[Path, Path]:
        """The files of core's ledger and of the providers' book."""
        return self.folder / "core.jsonl", self.folder / "providers.jsonl"

    @property
    def service_book(self) -> Path:
        """The file of the book of the checkouts' services."""
        return self.folder / "providers.jsonl.services"

    @property
    def charge_book(self) -> Path:
        """The file of what the providers have collected for checkouts."""
        return self.folder / "providers.jsonl.charges"

    def url_of(self, what: str) -> str:
        """Return where core or the providers are, past every proxy."""
        host, port = self.addresses[what]
        return f"http://{host}:{port}"

    def of_role(self, role: str) -> list[Process]:
        """Return the processes that have this role alone."""
        return [p for name, p in self.service.items() if name.startswith(f"{role}-")]

    def add(self, name: str, roles: str, **changes: str) -> Process:
        """Put another process of the service into the fleet; it is not started."""
        metrics, http = free_port(), free_port()
        env = {
            **self.env,
            "PAYMENT_HTTP_HOST": HOST,
            "PAYMENT_HTTP_PORT": str(http),
            "PAYMENT_METRICS_PORT": str(metrics),
            **changes,
        }
        has_api = "api" in roles
        port = http if has_api else metrics
        if has_api:
            self.proxies[PUBLIC].upstreams.append((HOST, port))
        program = Program(
            name=name,
            argv=(sys.executable, "-m", "payment_service", "run", "--roles", roles),
            env=env,
            log=self.logs / f"{name}.log",
            ready=lambda: _answers(f"http://{HOST}:{port}/readyz"),
            forked=self.layout.forked,
        )
        process = Process(program)
        self.service[name] = process
        return process

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run another command of the service in this world; (exit code, output)."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "payment_service",
            *arguments,
            env={**self.env, "PAYMENT_DATABASE_URL": self.pair.primary.url},
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        return process.returncode or 0, (output + errors).decode(errors="replace")


@asynccontextmanager
async def started(layout: Layout) -> AsyncIterator[Fleet]:
    """Start a fleet in a folder of its own; stop all of it on leaving.

    The logs and the books stay where the block fails, or ``keep`` was set.
    """
    folder = _folder(layout)
    keep = True
    try:
        async with AsyncExitStack() as stack:
            fleet = await _world(layout, folder, stack)
            stack.push_async_callback(_stop_all, fleet.service)
            for name, roles in _names(layout):
                fleet.add(name, roles)
            for process in fleet.service.values():
                process.launch()
            await asyncio.gather(*(p.until_ready() for p in fleet.service.values()))
            yield fleet
            keep = fleet.keep
    except asyncio.CancelledError:
        keep = False
        raise
    finally:
        _tidy(folder, keep=keep)


def _folder(layout: Layout) -> Path:
    folder = Path(mkdtemp(prefix="payment-chaos-", dir=layout.within))
    # PostgreSQL may run as another user, who has to pass through.
    folder.chmod(0o711)
    return folder


def _names(layout: Layout) -> list[tuple[str, str]]:
    counts = (
        ("worker", layout.workers, "worker"),
        ("api", layout.apis, "api"),
        ("relay", layout.relays, "relay"),
        ("sweeper", layout.sweepers, "sweeper"),
        ("all", layout.all_in_one, "api,worker,relay,sweeper"),
        ("servant", layout.servants, "api,relay,sweeper"),
    )
    return [(f"{n}-{i + 1}", r) for n, count, r in counts for i in range(count)]


async def _world(layout: Layout, folder: Path, stack: AsyncExitStack) -> Fleet:
    (folder / "logs").mkdir()
    pair, nats = _pair(layout, folder), EmbeddedNats(folder / "nats")
    stack.callback(pair.close)
    stack.callback(nats.close)
    await asyncio.gather(asyncio.to_thread(pair.start), asyncio.to_thread(nats.start))
    await asyncio.to_thread(migrate.upgrade, pair.primary.url)
    between = layout.between
    database_url = stack.enter_context(between(pair)) if between else None
    tokens = {"core": secrets.token_hex(16), "webhooks": _webhook_secret()}
    addresses = {CORE: (HOST, free_port()), PROVIDERS: (HOST, free_port())}
    core = _core(folder, addresses[CORE], tokens["core"])
    services = SERVICE_NAMES if layout.checkouts else ()
    providers = _providers(folder, addresses[PROVIDERS], tokens["webhooks"], services)
    for process in (core, providers):
        process.program = replace(process.program, forked=layout.forked)
        stack.push_async_callback(process.stop)
        process.launch()
    await asyncio.gather(core.until_ready(), providers.until_ready())
    ends = {
        **{n: address_of(x) for n, x in zip(DATABASE, pair.nodes(), strict=False)},
        NATS: (HOST, nats.port),
        **addresses,
    }
    proxies = await _proxies(ends, stack)
    keys = {role: secrets.token_urlsafe(24) for role in ("upstream", "support")}
    fleet = Fleet(
        layout=layout,
        folder=folder,
        pair=pair,
        nats=nats,
        core=core,
        providers=providers,
        proxies=proxies,
        env={},
        keys=keys,
        addresses=addresses,
    )
    fleet.env.update(_environment(fleet, ends, tokens))
    if database_url is not None:
        fleet.env["PAYMENT_DATABASE_URL"] = database_url
    return fleet


def _pair(layout: Layout, folder: Path) -> Pair:
    settings = {**layout.postgres, "wal_retrieve_retry_interval": "200ms"}
    nodes = [
        layout.node(folder / name, settings=settings, max_connections=CONNECTIONS_MAX)
        for name in DATABASE[: 2 if layout.standby else 1]
    ]
    return Pair(*nodes)


def _core(folder: Path, address: tuple[str, int], token: str) -> Process:
    argv = ("-m", "providers.testing.simulator.core", "--token", token)
    return _simulated("core", folder, address, argv)


def _providers(
    folder: Path, address: tuple[str, int], secret: str, services: Sequence[str]
) -> Process:
    table = {
        "providers": {name: {"secrets": [secret]} for name in PROVIDER_NAMES},
        "services": {name: {} for name in services},
        "webhooks": {"waits": [0, 1, 2, 4, 8, 16, 30, 60], "timeout_seconds": 3},
    }
    config = folder / "providers.json"
    config.write_text(json.dumps(table))
    argv = ("-m", "providers.testing.simulator", "--config", str(config))
    return _simulated("providers", folder, address, argv)


def _simulated(
    name: str, folder: Path, address: tuple[str, int], argv: Sequence[str]
) -> Process:
    host, port = address
    place = ("--port", str(port), "--book", str(folder / f"{name}.jsonl"))
    program = Program(
        name=name,
        argv=(sys.executable, *argv, *place),
        env={},
        log=folder / "logs" / f"{name}.log",
        ready=lambda: _answers(f"http://{host}:{port}/_faults"),
    )
    return Process(program)


async def _proxies(
    ends: Mapping[str, tuple[str, int]], stack: AsyncExitStack
) -> dict[str, Proxy]:
    proxies = {name: Proxy(end) for name, end in ends.items()}
    proxies[PUBLIC] = Proxy()
    for proxy in proxies.values():
        await proxy.start()
        stack.push_async_callback(proxy.close)
    return proxies


def _environment(
    fleet: Fleet, ends: Mapping[str, tuple[str, int]], tokens: Mapping[str, str]
) -> dict[str, str]:
    layout = fleet.layout
    way = _ways(fleet.proxies, ends, layout.proxied)
    config = fleet.folder / "payment.toml"
    collecting = COLLECTING if layout.checkouts else ()
    told = _config(way(PROVIDERS), tokens["webhooks"], collecting)
    if layout.checkouts:
        told += _services(way(PROVIDERS))
    config.write_text(told + layout.tables)
    nodes = [way(name) for name in DATABASE if name in ends]
    return {
        "PAYMENT_DATABASE_URL": url_of(fleet.pair.primary, nodes),
        "PAYMENT_NATS_URL": f"nats://{way(NATS)}",
        "PAYMENT_CORE_URL": f"http://{way(CORE)}",
        "PAYMENT_CORE_TOKEN": tokens["core"],
        "PAYMENT_CONFIG": str(config),
        "PAYMENT_PUBLIC_URL": fleet.api_url,
        "PAYMENT_API_KEYS": ",".join(
            f"{name}:{name}:{hashlib.sha256(key.encode()).hexdigest()}"
            for name, key in fleet.keys.items()
        ),
        **layout.all_settings,
    }


def _ways(
    proxies: Mapping[str, Proxy],
    ends: Mapping[str, tuple[str, int]],
    proxied: Collection[str],
) -> Callable[[str], str]:
    def way(name: str) -> str:
        if name.partition("-")[0] in proxied:
            return proxies[name].address
        host, port = ends[name]
        return f"{host}:{port}"

    return way


def _config(address: str, secret: str, collecting: Collection[str]) -> str:
    return "\n".join(
        CONFIG.format(
            name=name,
            address=address,
            secret=secret,
            idempotent="false" if name in NOT_IDEMPOTENT else "true",
        )
        + (CHARGE.format(retry=RETRY) if name in collecting else "")
        for name in PROVIDER_NAMES
    )


def _services(address: str) -> str:
    names = ", ".join(f'"{name}"' for name in COLLECTING)
    tables = (
        SERVICE.format(name=name, address=address, retry=RETRY)
        for name in SERVICE_NAMES
    )
    return CHECKOUT.format(names=names) + "\n" + "\n".join(tables)


def _webhook_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - our own
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


async def _stop_all(service: Mapping[str, Process]) -> None:
    await asyncio.gather(*(process.stop() for process in service.values()))


def _tidy(folder: Path, *, keep: bool) -> None:
    """Keep the logs and the books at most; databases are large and of no more use."""
    gone = [folder / name for name in (*DATABASE, "nats")] if keep else [folder]
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)


async def ask(url: str, body: Any = None) -> Any:
    """Ask a simulated server of this world; it answers, or the run is broken."""
    return await asyncio.to_thread(_asked, url, body)


def _asked(url: str, body: Any) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data)  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own
        return json.load(answer)
