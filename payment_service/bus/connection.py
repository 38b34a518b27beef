"""Connects to NATS, refuses an old server, and never gives up by itself."""

import asyncio
import re
import ssl
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from nats.errors import Error as NatsError

from fsm.domain.errors import BusUnavailable, PaymentServiceError
from payment_service.bus.access import Access
from payment_service.bus.nats_client import NatsClient, PermissionRefused

VERSION_MIN: Final = (2, 12)
CONNECT_SECONDS_MAX: Final = 10.0
ATTEMPT_SECONDS_MAX: Final = 2
RECONNECT_WAIT_SECONDS: Final = 1
PING_SECONDS: Final = 5
PINGS_UNANSWERED_MAX: Final = 2
TOLD_AGAIN_SECONDS: Final = 30.0
ERRORS_TOLD_MAX: Final = 4
UNLIMITED: Final = -1
NO_BUFFER: Final = 0

_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)")
_HINTS: Final = {
    "authorization violation": "see the user, password, token or credentials",
    "authentication expired": "renew the credentials",
    "authentication revoked": "get new credentials",
    "maximum connections exceeded": "raise max_connections",
    "maximum account active connections exceeded": "raise the account's connections",
    "empty response": "it may want TLS first: see PAYMENT_NATS_TLS_FIRST",
    "wrong_version_number": "it may not speak TLS first: see PAYMENT_NATS_TLS_FIRST",
    "certificate_required": "it asks for PAYMENT_NATS_CERT and PAYMENT_NATS_KEY",
}


class OldServer(PaymentServiceError):
    """The server is too old for message schedules."""

    mend = "install a newer nats-server"

    def __init__(self, found: str) -> None:
        needed = ".".join(map(str, VERSION_MIN))
        super().__init__(f"NATS server {found} is too old: {needed} or newer is needed")
        self.found = found


def _ignore(_webhook: str) -> None:
    """Do nothing with it."""


class _Events:
    """Turns the client's coroutine callbacks into plain calls."""

    def __init__(
        self,
        wire: NatsClient,
        on_closed: Callable[[str], None],
        on_error: Callable[[str], None],
    ) -> None:
        self._wire = wire
        self._on_closed = on_closed
        self._on_error = on_error
        self._ready = False
        self._told: dict[str, float] = {}

    def ready(self) -> None:
        self._ready = True

    @property
    def errors(self) -> str:
        """What went wrong, each thing once: with several servers it is not the last."""
        return "; ".join([*self._told][-ERRORS_TOLD_MAX:]) or "no answer"

    async def error(self, error: Exception) -> None:
        text = describe(error)
        now = asyncio.get_running_loop().time()
        told_at = self._told.pop(text, None)
        is_old = told_at is None or now - told_at > TOLD_AGAIN_SECONDS
        # What is refused once a second is not logged once a second.
        self._told[text] = now if told_at is None or is_old else told_at
        if is_old:
            self._on_error(text)

    async def disconnected(self) -> None:
        self._wire.lost()
        for listener in self._wire.on_disconnected:
            listener()

    async def reconnected(self) -> None:
        self._told.clear()
        for listener in self._wire.on_reconnected:
            listener()

    async def leaving(self) -> None:
        self._on_error("the server says that it is about to stop (lame duck)")

    async def closed(self) -> None:
        if self._ready and not self._wire.asked_to_close:
            self._on_closed(self.errors)


async def connect(
    urls: Sequence[str],
    *,
    name: str,
    on_closed: Callable[[str], None],
    access: Access | None = None,
    on_error: Callable[[str], None] = _ignore,
    seconds_max: float = CONNECT_SECONDS_MAX,
) -> NatsClient:
    """Return a connection that mends itself for ever, whatever the server says.

    `on_closed` is called should it end all the same. Where any address says `tls://`
    there is TLS or no connection.

    :raises OldServer, PermissionRefused, BusUnavailable: the last after `seconds_max`.
    """
    access = access or Access()
    access.check()
    wire = NatsClient(
        access, is_secured=any(urlsplit(url).scheme == "tls" for url in urls)
    )
    events = _Events(wire, on_closed, on_error)
    try:
        async with asyncio.timeout(seconds_max):
            await wire.connect(
                servers=list(urls),
                name=name,
                user_jwt_cb=access.jwt if access.creds else None,
                signature_cb=access.sign if access.creds or access.nkey else None,
                inbox_prefix=access.inbox_prefix,
                tls_handshake_first=access.tls_first,
                error_cb=events.error,
                disconnected_cb=events.disconnected,
                reconnected_cb=events.reconnected,
                lame_duck_mode_cb=events.leaving,
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
        message = f"cannot connect to NATS: {events.errors}"
        raise BusUnavailable(message) from error
    try:
        _check_version(wire.version)
        await wire.open(seconds_max)
    except (OldServer, BusUnavailable):
        await wire.close()
        raise
    # Of a cluster's servers one may be older; from now on it is passed over.
    wire.unfit = _why_unfit
    events.ready()
    return wire


def describe(error: Exception) -> str:
    """Say what went wrong in words, with what to look at where that is known."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return (
            f"no greeting within {ATTEMPT_SECONDS_MAX} s: it may be no NATS server, "
            "or want TLS first (PAYMENT_NATS_TLS_FIRST)"
        )
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, NatsError):
        text = str(error) or type(error).__name__
    hints = (hint for word, hint in _HINTS.items() if word in text.lower())
    hint = next(hints, "")
    return f"{text}: {hint}" if hint else text


def _check_version(found: str) -> None:
    match = _VERSION.match(found)
    if match is None or tuple(map(int, match.groups())) < VERSION_MIN:
        raise OldServer(found)


def _why_unfit(version: str) -> str | None:
    try:
        _check_version(version)
    except OldServer as old:
        return str(old)
    return None


__all__ = ["OldServer", "PermissionRefused", "connect", "describe"]
