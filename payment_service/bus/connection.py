"""Connects to NATS, refuses an old server, and never gives up by itself."""

import asyncio
import importlib.util
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from nats.errors import Error as NatsError

from payment_service.bus.wire import Wire
from payment_service.domain.errors import BusUnavailable, PaymentServiceError

VERSION_MIN: Final = (2, 12)
CONNECT_SECONDS_MAX: Final = 10.0
ATTEMPT_SECONDS_MAX: Final = 2
RECONNECT_WAIT_SECONDS: Final = 1
PING_SECONDS: Final = 5
PINGS_UNANSWERED_MAX: Final = 2
UNLIMITED: Final = -1
NO_BUFFER: Final = 0

_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)")


class OldServer(PaymentServiceError):
    """The server is too old for message schedules."""

    def __init__(self, found: str) -> None:
        needed = ".".join(map(str, VERSION_MIN))
        super().__init__(f"NATS server {found} is too old: {needed} or newer is needed")
        self.found = found


def _ignore(_news: str) -> None:
    """Do nothing with it."""


class _Events:
    """Turns the client's coroutine callbacks into plain calls."""

    def __init__(
        self,
        wire: Wire,
        on_closed: Callable[[str], None],
        on_error: Callable[[str], None],
    ) -> None:
        self._wire = wire
        self._on_closed = on_closed
        self._on_error = on_error
        self._ready = False
        self.last_error = "no answer"

    def ready(self) -> None:
        self._ready = True

    async def error(self, error: Exception) -> None:
        self.last_error = f"{type(error).__name__}: {error}".rstrip(": ")
        self._on_error(self.last_error)

    async def disconnected(self) -> None:
        self._wire.forget_unsent()
        for listener in self._wire.on_disconnected:
            listener()

    async def reconnected(self) -> None:
        for listener in self._wire.on_reconnected:
            listener()

    async def closed(self) -> None:
        if self._ready and not self._wire.asked_to_close:
            self._on_closed(str(self._wire.last_error or self.last_error))


async def connect(
    urls: Sequence[str],
    *,
    name: str,
    on_closed: Callable[[str], None],
    creds: Path | None = None,
    on_error: Callable[[str], None] = _ignore,
    seconds_max: float = CONNECT_SECONDS_MAX,
) -> Wire:
    """Return a connection that mends itself for ever.

    `on_closed` is called once if it ends all the same, as when it is refused. Raises
    :class:`OldServer`, or :class:`BusUnavailable` after `seconds_max`.
    """
    _check_credentials(creds)
    wire = Wire()
    events = _Events(wire, on_closed, on_error)
    try:
        async with asyncio.timeout(seconds_max):
            await wire.connect(
                servers=list(urls),
                name=name,
                user_credentials=None if creds is None else str(creds),
                error_cb=events.error,
                disconnected_cb=events.disconnected,
                reconnected_cb=events.reconnected,
                closed_cb=events.closed,
                max_reconnect_attempts=UNLIMITED,
                reconnect_time_wait=RECONNECT_WAIT_SECONDS,
                connect_timeout=ATTEMPT_SECONDS_MAX,
                ping_interval=PING_SECONDS,
                max_outstanding_pings=PINGS_UNANSWERED_MAX,
                pending_size=NO_BUFFER,
            )
    except (TimeoutError, OSError, NatsError) as error:
        await wire.close()
        message = f"cannot connect to NATS: {events.last_error}"
        raise BusUnavailable(message) from error
    await _check_version(wire)
    await wire.open()
    events.ready()
    return wire


async def _check_version(wire: Wire) -> None:
    found = wire.version
    match = _VERSION.match(found)
    if match is None or tuple(map(int, match.groups())) < VERSION_MIN:
        await wire.close()
        raise OldServer(found)


def _check_credentials(creds: Path | None) -> None:
    if creds is None:
        return
    if importlib.util.find_spec("nkeys") is None:
        raise BusUnavailable("a credentials file needs the package nkeys")
    if not creds.is_file():
        message = f"the credentials file {creds} cannot be read"
        raise BusUnavailable(message)
