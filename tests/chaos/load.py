"""The load: senders who repeat until they are answered, and a truthful support desk."""

import asyncio
import math
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

import aiohttp
import nats
import nats.errors
import orjson
import psycopg
from nats.aio.client import Client
from nats.aio.msg import Msg

from tests.chaos.checkouts import checkout
from tests.chaos.fleet import (
    NOT_IDEMPOTENT,
    POLL_DEADLINE_SECONDS,
    PROVIDER_NAMES,
    PROVIDERS,
    SLA_SECONDS,
    Fleet,
    ask,
)
from tests.chaos.sent import LOST, Sent, Way

HTTP_SHARE: Final = 5
"""Every fifth order comes in over HTTP, the others over NATS."""

REPEAT_SECONDS: Final = 2.0
ANSWERED: Final = frozenset({"accepted", "duplicate"})
AMOUNTS: Final = (1_500, 12_550, 4_990, 250_000, 99)
DESK_SECONDS: Final = 0.5
DESK_PATIENCE_SECONDS: Final = 3.0
"""How old a check must be before it is decided: nothing sent is under way then."""

CLOCKS_APART: Final = timedelta(minutes=1)

CHECKS: Final[LiteralString] = """
SELECT t.task_id::text, t.provider, t.created_at, q.order_id
FROM order_tasks t JOIN order_queues q USING (queue_id)
WHERE q.kind = 'withdrawal' AND t.state = 'MANUAL_CHECK'
    AND t.updated_at < clock_timestamp() - %s::interval
"""


# What asking for the status adds at most.
_POLL: Final = SLA_SECONDS + 2.0
_NEVER: Final = SLA_SECONDS + POLL_DEADLINE_SECONDS + DESK_PATIENCE_SECONDS + 3.0

NO: Final = (
    Way("decline", 40, 0),
    Way("accept_then_fail", 8, 3),
    Way("silence_fail", 5, _POLL),
    Way("declined_by_polling", 2, _POLL),
    Way("decline_hang", 4, LOST),
)
YES: Final = (
    Way("succeed", 12, 0),
    Way("accept_then_succeed", 10, 3),
    Way("webhook_first", 2, 1),
    Way("webhook_twice", 1, 3),
    Way("out_of_order", 1, 3),
    Way("silence_succeed", 4, _POLL),
    Way("commit_hang", 4, LOST),
    Way("commit_502", 2, LOST),
    Way("commit_reset", 2, LOST),
    Way("hang_once", 1, LOST + 2),
    Way("error_500_once", 1, LOST + 2),
)
UNTAKEN: Final = frozenset({"hang_once", "error_500_once"})
NEVER_PAYS: Final = "accept_silence"
NEVER: Final = (Way(NEVER_PAYS, 0.3, _NEVER), Way("paid_unseen", 0.3, _NEVER))
MIXED: Final = (*NO, *YES, *NEVER)
QUICK: Final = (Way("decline", 3, 0), Way("succeed", 2, 0))
"""Providers that answer at once: whatever takes time is the service's own doing."""

SWIFT: Final = (
    Way("decline", 10, 0),
    Way("accept_then_fail?pace=0.5", 4, 1.5),
    Way("succeed", 4, 0),
    Way("accept_then_succeed?pace=0.5", 4, 1.5),
    Way("commit_502", 2, 1.5),
)
"""Some that answer at once, by webhook, or only when they are asked again."""


class Load:
    """Sends orders at a steady rate; each is repeated until it is answered.

    Each ``checkout_share``-th is a checkout; of 0 none is.
    """

    def __init__(
        self,
        fleet: Fleet,
        *,
        rate: float,
        seed: int = 7,
        ways: Sequence[Way] = MIXED,
        attempts: int = 4,
        providers: Sequence[str] = PROVIDER_NAMES,
        checkout_share: int = 0,
    ) -> None:
        self.by_id: dict[str, Sent] = {}
        self._fleet = fleet
        self._rate = rate
        self._chance = random.Random(seed)
        self._ways = ways
        self._attempts = attempts
        self._providers = providers
        self._checkout_share = checkout_share
        self.http_share = HTTP_SHARE
        self._waiting: dict[str, Sent] = {}
        self._senders: set[asyncio.Task[None]] = set()
        self._enough = asyncio.Event()

    @property
    def sent(self) -> list[Sent]:
        """All orders, in the order of their first request."""
        return list(self.by_id.values())

    @property
    def answered(self) -> list[Sent]:
        """The orders that the service has promised to finish."""
        return [sent for sent in self.sent if sent.answered_at is not None]

    async def run(self, *, seconds: float = math.inf) -> None:
        """Send for so long, or until :meth:`enough`; return once all are answered."""
        self._enough.clear()
        client = await self._connected()
        until = time.monotonic() + seconds
        try:
            async with aiohttp.ClientSession(headers=self._auth) as http:
                next_at = time.monotonic()
                while time.monotonic() < until and not self._enough.is_set():
                    self._begin(client, http)
                    next_at += 1 / self._rate
                    await asyncio.sleep(max(0.0, next_at - time.monotonic()))
                await asyncio.gather(*self._senders)
        finally:
            for task in self._senders:
                task.cancel()
            # A transport that went with its server ends in a cancellation of its own.
            with suppress(asyncio.CancelledError):
                await client.close()

    def enough(self) -> None:
        """Send no new orders; those that are sent are repeated until answered."""
        self._enough.set()

    @property
    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._fleet.keys['upstream']}"}

    async def _connected(self) -> Client:
        client = await nats.connect(
            self._fleet.nats.url,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.2,
            error_cb=_silent,
        )
        self._inbox = client.new_inbox()
        await client.subscribe(self._inbox, cb=self._hear)
        return client

    def _begin(self, client: Client, http: aiohttp.ClientSession) -> None:
        sent = self._order(len(self.by_id))
        self.by_id[sent.order_id] = sent
        by_http = len(self.by_id) % self.http_share == 0
        sending = self._post(http, sent) if by_http else self._publish(client, sent)
        task = asyncio.create_task(sending)
        self._senders.add(task)
        task.add_done_callback(self._senders.discard)

    def _order(self, number: int) -> Sent:
        share = self._checkout_share
        if share and number % share == share - 1:
            return checkout(number, self._chance)
        names = [*self._providers]
        self._chance.shuffle(names)
        cascade = tuple(names[: self._attempts])
        weights = [way.weight for way in self._ways]
        ways = self._chance.choices(self._ways, weights, k=self._attempts)
        # Where a create may not be repeated, one that was lost takes a person.
        ways = [
            NO[0] if name in NOT_IDEMPOTENT and way.script in UNTAKEN else way
            for name, way in zip(cascade, ways, strict=True)
        ]
        return Sent(
            order_id=f"w-{number:05d}",
            amount=AMOUNTS[number % len(AMOUNTS)],
            cascade=cascade,
            ways=tuple(ways),
        )

    async def _publish(self, client: Client, sent: Sent) -> None:
        """Ask again every few seconds until the answer has come."""
        self._waiting[sent.order_id] = sent
        while not sent.answer.is_set():
            sent.tries += 1
            # Without a stream or a connection nobody hears it; that is what the
            # repetition is for.
            with suppress(nats.errors.Error, OSError):
                await client.publish(
                    sent.subject,
                    sent.body,
                    headers={"X-Reply-To": self._inbox},
                )
            with suppress(TimeoutError):
                await asyncio.wait_for(sent.answer.wait(), REPEAT_SECONDS)
        del self._waiting[sent.order_id]

    async def _hear(self, message: Msg) -> None:
        answer = orjson.loads(message.data)
        sent = self._waiting.get(answer["order_id"])
        if sent is None:
            return
        if answer["status"] not in ANSWERED:
            raise RuntimeError(f"an order of the load was refused: {answer}")
        sent.answered_at = sent.answered_at or time.time()
        sent.answer.set()

    async def _post(self, http: aiohttp.ClientSession, sent: Sent) -> None:
        headers = {"Content-Type": "application/json"}
        url = f"{self._fleet.api_url}{sent.path}"
        limit = aiohttp.ClientTimeout(total=REPEAT_SECONDS * 2)
        while not sent.answer.is_set():
            sent.tries += 1
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with http.post(
                    url, data=sent.body, headers=headers, timeout=limit
                ) as answer:
                    if answer.status in {200, 202}:
                        sent.answered_at = time.time()
                        sent.answer.set()
                        return
            await asyncio.sleep(REPEAT_SECONDS / 4)


async def _silent(_: Exception) -> None:
    """Leave the sender's own troubles with a broken NATS out of the report."""


class Desk:
    """Decides manual checks over HTTP by what the provider's statement says."""

    def __init__(self, fleet: Fleet, load: Load) -> None:
        self.decided: dict[str, str] = {}
        self._fleet = fleet
        self._load = load

    async def run(self) -> None:
        """Decide what is due, again and again, until cancelled."""
        headers = {"Authorization": f"Bearer {self._fleet.keys['support']}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            while True:
                with suppress(aiohttp.ClientError, TimeoutError, OSError):
                    await self._look(http)
                await asyncio.sleep(DESK_SECONDS)

    async def _look(self, http: aiohttp.ClientSession) -> None:
        for task_id, provider, since, order_id in await self._checks():
            stands = await self._stands(provider, task_id, since)
            script = self._load.by_id[order_id].script_at(provider)
            if stands == "accepted" and script != NEVER_PAYS:
                continue  # it may still pay: nobody can tell yet
            if stands == "accepted":
                # Called off first: it is asked about before a no is acted on.
                url = f"{self._fleet.url_of(PROVIDERS)}/{provider}/payouts/{task_id}"
                await ask(f"{url}/cancel", {})
            decision = "positive" if stands == "succeeded" else "negative"
            await self._decide(http, task_id, decision)

    async def _checks(self) -> list[Any]:
        try:
            async with await psycopg.AsyncConnection.connect(
                self._fleet.database_url, autocommit=True, connect_timeout=3
            ) as connection:
                patience = f"{DESK_PATIENCE_SECONDS} seconds"
                return await (await connection.execute(CHECKS, [patience])).fetchall()
        except psycopg.Error:
            return []

    async def _stands(self, provider: str, task_id: str, since: datetime) -> str | None:
        cursor: str | None = "0"
        stands = None
        begin = (since - CLOCKS_APART).isoformat().replace("+", "%2B")
        while cursor is not None:
            url = (
                f"{self._fleet.url_of(PROVIDERS)}/{provider}/payouts"
                f"?from={begin}&limit=5000&cursor={cursor}"
            )
            page = await ask(url)
            for line in page["payouts"]:
                if line["reference"] == task_id:
                    stands = line["status"]
            cursor = page["next_cursor"]
        return stands

    async def _decide(
        self, http: aiohttp.ClientSession, task_id: str, decision: str
    ) -> None:
        url = f"{self._fleet.api_url}/v1/tasks/{task_id}/resolution"
        body = {"decision": decision, "reason": "the provider's statement of account"}
        limit = aiohttp.ClientTimeout(total=5)
        async with http.post(url, json=body, timeout=limit) as answer:
            if answer.status in {200, 202}:
                self.decided[task_id] = decision
