"""Checks what can be checked of ``trust = "nats"``: that NATS asks who somebody is.

It is asked at the start, after each new connection and at intervals: who may publish is
decided by a file of somebody else's, which can be another one tomorrow.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from fsm.domain.errors import Fault, InvalidRequest
from handlers.ports.bus import Delivery
from payment_service import bus
from payment_service.settings import Settings
from payment_service.wiring.nats import access_of
from providers.config import Config, ConfigError

LOG: Final = structlog.get_logger("payment_service")
ASKED_EVERY: Final = timedelta(seconds=30)
CLOCKS_APART: Final = timedelta(seconds=5)
"""Between us and the server, which says when it took a message."""

WINDOWS_MAX: Final = 100
ANYBODY: Final = (
    "NATS takes a connection without credentials, so anybody could forward: "
    "give it users (ops/nats/nats.conf), or the forwarder secrets"
)
LOST: Final = "NATS took connections without credentials, so anybody may have sent it"


class NotAsked(Fault):
    """Whether NATS may be trusted is being asked; the message waits for the answer."""


@dataclass(slots=True)
class Trust:
    """Whether NATS vouches for who published something, and when it did not.

    ``show`` hears each time whether it does.
    """

    show: Callable[[bool], None] = lambda _: None
    asking: bool = False
    lost: bool = False
    _held_at: datetime | None = None
    _windows: deque[tuple[datetime, datetime]] = field(
        default_factory=lambda: deque(maxlen=WINDOWS_MAX)
    )

    def require(self, delivery: Delivery, now: datetime) -> None:
        """Let a message pass only if nobody else can have published it.

        :raises InvalidRequest: somebody else can. It is not kept waiting: once NATS
            asks again who somebody is, the message would be believed.
        :raises NotAsked: nobody knows yet.
        """
        if self.lost or self._is_doubtful(delivery.stored_at or now):
            raise InvalidRequest(LOST)
        if self.asking:
            raise NotAsked("it is being asked whether NATS may be trusted")

    def heard(self, *, holds: bool, now: datetime) -> None:
        """Take note of an answer; one that holds ends the time in which none did."""
        self.asking = False
        if holds and self.lost and self._held_at is not None:
            self._windows.append((self._held_at, now))
        if holds:
            self._held_at = now
        self.lost = not holds
        self.show(holds)

    def _is_doubtful(self, at: datetime) -> bool:
        near = CLOCKS_APART
        return any(began - near <= at <= ended + near for began, ended in self._windows)


def trusting(config: Config) -> list[str]:
    """Return the names of the forwarders that NATS vouches for."""
    return [name for name, table in config.forwarders.items() if table.trust]


async def require_trust(
    wire: bus.NatsClient, names: bus.Names, settings: Settings, config: Config
) -> None:
    """Refuse trust in a server that lets anybody in; warn where we may do too much.

    A user of ours without limits says that permissions may not be in use here.

    :raises ConfigError: a connection without credentials is taken.
    :raises BusUnavailable: NATS did not answer.
    """
    trusted = trusting(config)
    if not trusted:
        return
    if await bus.takes_anybody(settings.nats_urls, access_of(settings)):
        raise ConfigError(f"[forwarders.{name}] trust: {ANYBODY}" for name in trusted)
    await _warn(wire, names, trusted)


async def keep_asking(
    trust: Trust,
    wire: bus.NatsClient,
    names: bus.Names,
    settings: Settings,
    *,
    trusted: list[str],
    now: Callable[[], datetime],
) -> None:
    """Ask after each new connection and at intervals, until cancelled."""
    again = asyncio.Event()

    def connected() -> None:
        trust.asking = True
        again.set()

    # It held a moment ago, or this process had not started.
    trust.heard(holds=True, now=now())
    wire.on_reconnected.append(connected)
    try:
        while True:
            again.clear()
            await _ask(trust, wire, settings, trusted, now)
            if not trust.asking and not trust.lost:
                with suppress(Fault):
                    await _warn(wire, names, trusted)
            with suppress(TimeoutError):
                async with asyncio.timeout(ASKED_EVERY.total_seconds()):
                    await again.wait()
    finally:
        wire.on_reconnected.remove(connected)


async def _ask(
    trust: Trust,
    wire: bus.NatsClient,
    settings: Settings,
    trusted: list[str],
    now: Callable[[], datetime],
) -> None:
    # One that held when it was asked may not hold any more once it has answered.
    began = now()
    anybody = await bus.takes_anybody(settings.nats_urls, access_of(settings))
    if not anybody and not wire.is_connected:
        return
    was_lost = trust.lost
    trust.heard(holds=not anybody, now=began if not trust.lost else now())
    if trust.lost and not was_lost:
        LOG.error("forwarders.distrusted", because=ANYBODY, trusted_for=trusted)
    elif was_lost and not trust.lost:
        LOG.warning("forwarders.trusted_again", trusted_for=trusted)


async def _warn(wire: bus.NatsClient, names: bus.Names, trusted: list[str]) -> None:
    if too_much := await bus.beyond_need(wire, names):
        LOG.warning("nats.unlimited", may=too_much, trusted_for=trusted)
