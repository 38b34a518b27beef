"""Drives the webhook endpoint in this process, one request after the other."""

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from time import perf_counter
from typing import Any, Final

from starlette.types import ASGIApp, Message, Scope

from payment_service.api.app import create_app
from payment_service.api.deps import ApiDeps
from payment_service.api.keyring import Keyring
from payment_service.observability.notes import NOTED_AT_ONCE, Notes
from payment_service.observability.repeats import WINDOW_SECONDS
from providers.config import parse_config
from providers.events import events_of
from providers.http.outbound import Outbound
from providers.registry import build_providers
from tests.fuzz.oracle import Inbox, Oracle, Violation
from tests.fuzz.requests import INVENTIONS, Sent, invent
from tests.fuzz.routes import NOW, PaypalKey, Route, configuration, routes

_ADDRESSES: Final = itertools.count(1)
REPEATS: Final = 0.03
BROKEN: Final = 0.1
REMEMBERED: Final = 500
KINDS_EACH: Final = 6
"""What may be told of one provider: four events, of one of them three outcomes."""

LINE_BYTES: Final = 1_000
Progress = Callable[[int], None]


class StillClock:
    """A clock that stands: every run of a seed sees the same time."""

    def now(self) -> datetime:
        """Return the time at which everything was signed."""
        return NOW

    def elapsed(self) -> float:
        """Return the stop-watch of this machine."""
        return perf_counter()


@dataclass(slots=True)
class Fuzz:
    """One run: what is sent is decided by the seed alone."""

    seed: int
    oracle: Oracle
    app: ASGIApp
    all_routes: Sequence[Route]
    failures: list[Exception]
    lines: list[str]
    seconds: float = 0.0
    _dice: Random = field(init=False)
    _genuine: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dice = Random(self.seed)

    async def run(self, requests: int, progress: Progress = lambda _: None) -> None:
        """Send so many requests.

        :raises Violation: names the request that got an answer it must not get.
        """
        begun = perf_counter()
        for number in range(requests):
            await self._one(number)
            progress(number + 1)
        self.seconds = perf_counter() - begun
        self._judge_log()

    def _judge_log(self) -> None:
        """Hold the log against the time that it took, whatever was sent in it."""
        kinds = len(self.all_routes) * KINDS_EACH
        most = NOTED_AT_ONCE * kinds * (2 + self.seconds / WINDOW_SECONDS)
        size = sum(map(len, self.lines))
        if len(self.lines) > most or size > LINE_BYTES * len(self.lines):
            raise Violation(f"{len(self.lines)} lines, {size} bytes were logged")

    async def _one(self, number: int) -> None:
        sent = self._next(number)
        inbox = self.oracle.inbox
        before = (inbox.asked, len(inbox.kept))
        try:
            status = await post(self.app, sent, self._dice)
            self.oracle.judge(sent, status, before)
        except Exception as wrong:
            # Whatever comes out of here came from a request, and names it.
            raise self._violation(number, sent, wrong) from wrong

    def _next(self, number: int) -> Sent:
        again = self._dice.random() < REPEATS
        if again and number > len(INVENTIONS) and self._genuine:
            return self._dice.choice(self._genuine)
        sent = invent(self._dice, self.all_routes, number)
        if sent.genuine and len(self._genuine) < REMEMBERED:
            self._genuine.append(sent)
        return sent

    def _violation(self, number: int, sent: Sent, wrong: Exception) -> Violation:
        told = "".join(f"; {failure!r}" for failure in self.failures)
        return Violation(
            f"request {number + 1} ({sent.kind}): {wrong!r}{told}\n"
            f"{sent.route} {sent.headers!r} {sent.body[:500]!r}\n"
            "again: python -m tests.fuzz webhooks "
            f"--requests {number + 1} --seed {self.seed}"
        )


def prepared(seed: int | None = None) -> Fuzz:
    """Put the endpoint together, with every scheme, as the service does."""
    all_routes = routes(PaypalKey.made())
    config = parse_config(
        configuration(all_routes), ack_wait=timedelta(minutes=1), environment={}
    )
    inbox = Inbox()
    unused: Any = _Unused()
    failures: list[Exception] = []
    lines: list[str] = []
    deps = ApiDeps(
        keys=Keyring((), StillClock()),
        clock=StillClock(),
        providers=build_providers(config, Outbound()),
        operations=unused,
        store_webhooks=inbox.keep,
        webhook_events={n: events_of(table) for n, table in config.providers.items()},
        metrics=lambda: b"",
        note=Notes(lambda event, told: lines.append(f"{event} {told}")),
        report=lambda _, failure: failures.append(failure),
        reads=unused,
        waiters=unused,
        submit=unused,
        unlink=unused,
        provider_statuses=unused,
        ready=unused,
    )
    return Fuzz(
        seed=int.from_bytes(os.urandom(4)) if seed is None else seed,
        oracle=Oracle({one.name: one for one in all_routes}, inbox),
        app=create_app(deps),
        all_routes=all_routes,
        failures=failures,
        lines=lines,
    )


async def post(app: ASGIApp, sent: Sent, dice: Random) -> int:
    """Call the application as a server would; return the status."""
    chunks = _chunks(sent.body, dice)
    statuses: list[int] = []

    async def receive() -> Message:
        chunk = chunks.pop(0) if chunks else b""
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(_scope(sent), receive, send)
    (status,) = statuses
    return status


def _chunks(body: bytes, dice: Random) -> list[bytes]:
    place = dice.randrange(len(body) + 1)
    return [body[:place], body[place:]] if dice.random() < BROKEN else [body]


def _scope(sent: Sent) -> Scope:
    path = f"/webhooks/{sent.route}"
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in sent.headers
        ],
        # Each from an address of its own: who guesses too often is told 429.
        "client": (f"2001:db8::{next(_ADDRESSES):x}", 1),
        "server": ("192.0.2.2", 80),
    }


class _Unused:
    """Stands where no webhook ever comes."""

    def __getattr__(self, name: str) -> object:
        raise Violation(f"a webhook has reached for {name}")

    def __call__(self, *_: object) -> object:
        raise Violation("a webhook has called what is not for webhooks")
