"""Sends the providers' webhooks, signed by the scheme `standard`, until taken."""

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import aiohttp

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - a prefix, not a secret
FORGED_KEY: Final = b"nobody who signs with this is to be believed"
GONE: Final = 410
TAKEN: Final = range(200, 300)

_JSON: Final = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a provider goes on; the waits before each attempt, in seconds.

    They are those of Standard Webhooks, cut off after the fifth.
    """

    waits: tuple[float, ...] = (0.0, 5.0, 300.0, 1800.0, 7200.0)
    timeout_seconds: float = 15.0
    in_flight_max: int = 64
    waiting_max: int = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    webhook_id: str
    url: str
    body: bytes
    keys: tuple[bytes, ...]


Report: TypeAlias = Callable[[int], None]


def key_of(secret: str) -> bytes:
    """Return the key that `whsec_` and base64 stand for."""
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a webhook secret is whsec_ and base64") from error


def sign(
    *, webhook_id: str, timestamp: int, body: bytes, keys: Iterable[bytes]
) -> dict[str, str]:
    """Return the three headers of Standard Webhooks, one signature for each key."""
    content = f"{webhook_id}.{timestamp}.".encode() + body
    macs = (hmac.digest(key, content, hashlib.sha256) for key in keys)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            "v1," + base64.b64encode(mac).decode() for mac in macs
        ),
    }


class Sender:
    """Delivers each webhook at least once, or gives up; the id stays, the time moves.

    More than `waiting_max` webhooks at once are dropped and counted in `dropped`.
    """

    def __init__(
        self, *, now: Callable[[], float], patience: Patience, scale: float = 1.0
    ) -> None:
        self._now = now
        self._patience = patience
        self._scale = scale
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._free = asyncio.Semaphore(patience.in_flight_max)
        self.dropped = 0

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._patience.timeout_seconds),
            connector=aiohttp.TCPConnector(limit=self._patience.in_flight_max),
        )

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def send(
        self, webhook: Webhook, report: Report, after: Sequence[asyncio.Event] = ()
    ) -> asyncio.Event:
        """Start the attempts; the event is set after the first, or when it is dropped.

        `report` is told the status of each; 0 stands for no answer at all. The first
        is made once those that it is to come `after` have been tried.
        """
        tried = asyncio.Event()
        if len(self._tasks) >= self._patience.waiting_max:
            self.dropped += 1
            tried.set()
            return tried
        task = asyncio.create_task(self._persist(webhook, report, tried, after))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return tried

    async def _persist(
        self,
        webhook: Webhook,
        report: Report,
        tried: asyncio.Event,
        after: Sequence[asyncio.Event],
    ) -> None:
        for earlier in after:
            await earlier.wait()
        for wait in self._patience.waits:
            await asyncio.sleep(wait * self._scale)
            status = await self._attempt(webhook)
            report(status)
            tried.set()
            if status in TAKEN or status == GONE:
                return

    async def _attempt(self, webhook: Webhook) -> int:
        if self._session is None:
            return 0
        async with self._free:
            headers = _JSON | sign(
                webhook_id=webhook.webhook_id,
                timestamp=int(self._now()),
                body=webhook.body,
                keys=webhook.keys,
            )
            try:
                async with self._session.post(
                    webhook.url,
                    data=webhook.body,
                    headers=headers,
                    allow_redirects=False,
                ) as answer:
                    return answer.status
            except (aiohttp.ClientError, TimeoutError, ValueError):
                return 0
