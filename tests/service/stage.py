"""The whole service in this process, with a simulated core and providers around it."""

import asyncio
import base64
import hashlib
import hmac
import socket
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
import nats
import orjson
from nats.aio.client import Client
from nats.js import JetStreamContext
from pydantic import SecretStr

from fsm.domain.keys import ApiKey, KeyRole
from payment_service.settings import Settings
from payment_service.wiring.run import run
from providers.config import parse_config
from providers.testing.simulator import (
    SimulatedPartner,
    SimulatedProvider,
    SimulatedService,
    Simulator,
)
from providers.testing.simulator.core import SimulatedCore
from tests.wire.schemas import misfits

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PROVIDERS = ("acme", "zeta", "nova")
ROLES = ("api", "worker", "relay", "sweeper")
KEYS = {role: f"key-of-{role}" for role in ("upstream", "support", "viewer", "admin")}
# Until what never comes is given up: no promise, for a busy machine takes its time.
WAIT = 50.0
TABLE = """
[providers.{name}]
adapter = "rest"
base_url = "{url}"
timeout = "1s"
idempotent_create = true
not_found_grace = "1100ms"
sla = "{sla}"
webhook = {{ scheme = "standard", secrets = ["{secret}"]{webhook} }}
poll = {{ first = "100ms", max = "300ms", deadline = "1s" }}
recheck = {{ first = "100ms", max = "300ms", attempts = 8 }}
"""
SERVICES = ("fraud", "payment", "delivery", "merchant", "items")
SERVICE = """
[services.{name}]
base_url = "{url}"
timeout = "1s"
retry = {{ first = "50ms", max = "200ms", attempts = 40 }}
{more}
"""

PARTNERS = {"northbank": True, "southbank": False}
"""By its name, whether a partner answers fallback checks; else its file alone does."""

PARTNER = """
[partners.{name}]
base_url = "{url}"
timeout = "1s"
countries = ["CA"]
bins = ["4510"]
retry = {{ first = "50ms", max = "200ms", attempts = 40 }}
{more}
"""


@dataclass
class Stage:
    """A running service and everything a test wants to see of it."""

    prefix: str
    client: Client
    stream: JetStreamContext
    http: aiohttp.ClientSession
    core: SimulatedCore
    simulator: Simulator
    url: str = ""
    rest_url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    letters: list[Any] = field(default_factory=list)
    misfits: list[str] = field(default_factory=list)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, subject: str, body: object, **headers: str) -> None:
        """Publish as another service would."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        await self.stream.publish(f"{self.prefix}.{subject}", data, headers=headers)

    async def ask(self, body: object, subject: str = "withdrawal.requested") -> Any:
        """Publish a request and return the answer on ``X-Reply-To``."""
        inbox = self.client.new_inbox()
        answers = await self.client.subscribe(inbox)
        await self.publish(subject, body, **{"X-Reply-To": inbox})
        told = orjson.loads((await answers.next_msg(timeout=WAIT)).data)
        self.misfits += misfits("Answer", told, {})
        return told

    async def call(self, method: str, path: str, *, role: str, body: Any = None) -> Any:
        """Call the API; return (status, parsed body)."""
        headers = {"Authorization": f"Bearer {KEYS[role]}"}
        async with self.http.request(
            method, f"{self.url}{path}", json=body, headers=headers
        ) as answer:
            return answer.status, orjson.loads(await answer.read())

    async def order(self, order_id: str) -> Any:
        """Return the order as the API shows it."""
        status, order = await self.call("GET", f"/v1/orders/{order_id}", role="viewer")
        assert status == 200, order
        return order

    async def final(self, order_id: str) -> Any:
        """Wait until the order is final and return it."""
        status, order = await self.call(
            "GET", f"/v1/orders/{order_id}?wait={int(WAIT)}s", role="viewer"
        )
        assert status == 200, order
        assert order["state"] != "ACTIVE", order
        return order

    async def until(self, looked: Callable[[], Any]) -> Any:
        """Wait until ``looked`` (async or not) returns something true."""
        async with asyncio.timeout(WAIT):
            while True:
                found = looked()
                found = await found if asyncio.iscoroutine(found) else found
                if found:
                    return found
                self.stirred.clear()
                try:
                    async with asyncio.timeout(0.05):
                        await self.stirred.wait()
                except TimeoutError:
                    continue

    async def task_in(self, order_id: str, state: str) -> Any:
        """Wait until a task of the order is in ``state`` and return it."""

        async def look() -> Any:
            tasks = (await self.order(order_id))["tasks"]
            return next((t for t in tasks if t["state"] == state), None)

        return await self.until(look)

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Return the order events of a type that were published."""
        return [event for event in self.events if event["type"] == kind]


def forwarder_headers(
    subject: str, body: bytes, *secrets: str, name: str = "svc", at: float | None = None
) -> dict[str, str]:
    """Return the headers with which a forwarder proves that a message is its own."""
    sent = str(int(time.time() if at is None else at))
    content = f"{subject}.{sent}.".encode() + body
    made = (hmac.digest(secret.encode(), content, "sha256") for secret in secrets)
    return {
        "X-Forwarder": name,
        "X-Forwarder-Timestamp": sent,
        "X-Forwarder-Signature": " ".join(
            f"v1,{base64.b64encode(each).decode()}" for each in made
        ),
    }


def a_withdrawal(order_id: str = "w-1", script: str = "succeed", **changes: Any) -> Any:
    """Return a request; the destination's token says what providers do."""
    return {
        "order_id": order_id,
        "merchant_id": "m-1",
        "customer_id": "c-9",
        "amount": 12550,
        "currency": "EUR",
        "destination": {"type": "card", "token": f"tok_sim:{script}#{order_id}"},
        "cascade": [{"provider": name} for name in PROVIDERS],
        "metadata": {"channel": "web"},
        **changes,
    }


@asynccontextmanager
async def staged(
    database_url: str,
    nats_url: str,
    prefix: str,
    *,
    schedules: bool = True,
    sla: str = "5s",
    table: str = "",
    webhook: str = "",
    more: str = "",
    services: Mapping[str, str] | None = None,
    partners: Mapping[str, str] | None = None,
    core_url: str | None = None,
    roles: Collection[str] = ROLES,
    rest: bool = True,
    documented: bool = True,
    **changed: Any,
) -> AsyncIterator[Stage]:
    """Run the service with all roles until the block is left.

    ``table`` is added to the table of each provider, ``webhook`` to its webhook's,
    ``more`` to the file; ``services`` and ``partners`` say what stands in each of
    their tables beside;
    what is published has to be as it is ``documented``;
    ``core_url`` is another than the simulated core's. Where other ``roles`` are given
    the ``rest`` runs beside them, and answers probes at ``Stage.rest_url``.
    """
    core = SimulatedCore(token="core-token")
    await core.start("127.0.0.1", 0)
    simulator = Simulator(
        [SimulatedProvider(name=n, secrets=(SECRET,)) for n in PROVIDERS],
        services=[SimulatedService(name=name) for name in SERVICES],
        partners=[
            SimulatedPartner(name=name, answers_again=answers_again)
            for name, answers_again in PARTNERS.items()
        ],
        scale=0.002,
    )
    await simulator.start("127.0.0.1", 0)
    client = await nats.connect(nats_url)
    port = _free_port()
    settings = Settings(
        _env_file=None,
        database_url=SecretStr(database_url),
        nats_url=SecretStr(nats_url),
        core_url=core_url or core.url,
        core_token=SecretStr("core-token"),
        core_timeout=timedelta(seconds=1),
        http_port=port,
        public_url=f"http://127.0.0.1:{port}",
        subject_prefix=prefix,
        schedules=schedules,
        log_level="error",
        **{
            "api_keys": tuple(
                ApiKey(role, KeyRole(role), hashlib.sha256(key.encode()).digest())
                for role, key in KEYS.items()
            ),
            "sweep_interval": timedelta(milliseconds=200),
            "sweep_grace": timedelta(milliseconds=300 if not schedules else 3000),
            "metrics_port": _free_port(),
            **changed,
        },
    )
    text = "".join(
        TABLE.format(
            name=n,
            url=simulator.base_url(n),
            secret=SECRET,
            sla=sla,
            webhook=webhook,
        )
        + table
        for n in PROVIDERS
    )
    text += "".join(
        SERVICE.format(name=n, url=simulator.base_url(n), more=lines)
        for n, lines in (services or {}).items()
    )
    text += "".join(
        PARTNER.format(name=n, url=simulator.base_url(n), more=lines)
        for n, lines in (partners or {}).items()
    )
    config = parse_config(text + more, ack_wait=settings.ack_wait, environment={})
    stop = asyncio.Event()
    others = set(ROLES) - set(roles) if rest else set()
    parts = [part for part in (set(roles), others) if part]
    readies = [asyncio.Event() for _ in parts]
    running = [
        asyncio.create_task(
            run(settings, config, frozenset(part), on_ready=_set(ready), stop=stop)
        )
        for part, ready in zip(parts, readies, strict=True)
    ]
    async with aiohttp.ClientSession() as http:
        stage = Stage(prefix, client, client.jetstream(), http, core, simulator)
        stage.url = f"http://127.0.0.1:{port}"
        stage.rest_url = f"http://127.0.0.1:{settings.metrics_port}"
        try:
            started = asyncio.gather(*(ready.wait() for ready in readies))
            either: list[asyncio.Future[Any]] = [*running, started]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            for each in running:
                if each.done():
                    each.result()
            await _listen(stage)
            yield stage
            # Whatever was published is what the documents say.
            assert not documented or stage.misfits == []
        finally:
            stop.set()
            assert set(await asyncio.gather(*running)) == {0}
            await client.close()
            await simulator.stop()
            await core.stop()


def _set(ready: asyncio.Event) -> Callable[[int], None]:
    return lambda _port: ready.set()


async def _listen(stage: Stage) -> None:
    async def event(message: Any) -> None:
        body = orjson.loads(message.data)
        stage.events.append(body)
        subject = message.subject.removeprefix(f"{stage.prefix}.")
        stage.misfits += misfits(subject, body, message.headers or {})
        stage.stirred.set()

    async def letter(message: Any) -> None:
        stage.letters.append(message)
        stage.stirred.set()

    await stage.client.subscribe(f"{stage.prefix}.order.event.>", cb=event)
    await stage.client.subscribe(f"{stage.prefix}.order.task.dlq", cb=letter)
    await stage.client.flush()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
