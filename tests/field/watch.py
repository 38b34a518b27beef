"""Looks on from outside: when each process said that it is ready, when orders came."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from payment_service.playground.embedded.process import HOST
from tests.chaos.load import Load

LOOK_SECONDS = 0.1
ANSWER_SECONDS = 3.0


@dataclass
class Watch:
    """What was seen, by the clock of this machine."""

    load: Load
    seen: list[tuple[float, float, str, int]] = field(default_factory=list)

    def ready_between(self, since, until):
        """Return what ``/readyz`` was asked and said in a time, by process.

        0 stands for no answer at all.
        """
        found: dict[str, list[int]] = {}
        for asked_at, said_at, name, status in self.seen:
            if since <= asked_at and said_at <= until:
                found.setdefault(name, []).append(status)
        return found

    def accepted(self, since, until=float("inf")):
        """Return when orders were acknowledged in a time."""
        times = (sent.answered_at for sent in self.load.answered)
        return sorted(at for at in times if since <= at <= until)


@asynccontextmanager
async def watching(stage):
    """Ask every process again and again whether it is ready, while the block runs."""
    watch = Watch(stage.load)
    async with aiohttp.ClientSession() as http:
        looks = [
            asyncio.create_task(_look(watch, http, process))
            for process in stage.fleet.service.values()
        ]
        try:
            yield watch
        finally:
            for look in looks:
                look.cancel()
            await asyncio.gather(*looks, return_exceptions=True)


async def _look(watch, http, process):
    env = process.program.env
    has_api = "api" in process.program.argv[-1]
    port = env["PAYMENT_HTTP_PORT" if has_api else "PAYMENT_METRICS_PORT"]
    limit = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    while True:
        asked_at = time.time()
        try:
            url = f"http://{HOST}:{port}/readyz"
            async with http.get(url, timeout=limit) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            status = 0
        watch.seen.append((asked_at, time.time(), process.name, status))
        await asyncio.sleep(LOOK_SECONDS)
