"""nats-py's client with a short way in and out for the paths that are hot.

It also mends what can hang or kill the client: a pong that comes after its waiter has
gone ends the read loop, a reconnect waits for the old transport without a limit, a
request can swallow the cancellation of its task, and any word of refusal closes the
connection for good. And it does what the client leaves undone: credentials in an
address are decoded and hold for the servers that are told of too, a connection that was
to be encrypted is never plain, and a refused permission is told to those who wait.
"""

import asyncio
import re
import ssl
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from fsm.domain.errors import BusUnavailable
from payment_service.bus.access import Access, Login, login_of
from payment_service.bus.protocol import publication, publication_with_headers
from payment_service.bus.reader import FrameReader
from payment_service.bus.transport import Transport

Receive = Callable[[bytes, bytes, bytes, bytes | None], None]
"""Takes subject, reply, body and header block; must neither block nor raise."""

Answer = tuple[bytes, bytes | None]
"""A body and a header block."""

UNTAP_SECONDS_MAX: Final = 2.0
DENIED_SECONDS: Final = 30.0
"""How long a permission that was refused is not asked for again."""

STALE: Final = "stale connection"
PUBLISH: Final = "publish to"
SUBSCRIBE: Final = "subscribe to"

_DENIED: Final = re.compile(
    r'permissions violation for (publish|subscription)[^"]*"(.+?)"', re.IGNORECASE
)


class PermissionRefused(BusUnavailable):
    """The account does not let this user publish or subscribe there."""

    mend = "`payment-service spec streams` prints what to permit"

    def __init__(self, what: str, subject: str) -> None:
        super().__init__(f"NATS does not permit this user to {what} {subject}")
        self.what = what
        self.subject = subject


class NatsClient(Client):
    """A connection to NATS; :func:`connect` makes one that is ready."""

    def __init__(
        self, access: Access | None = None, *, is_secured: bool = False
    ) -> None:
        super().__init__()
        self._access = access or Access()
        self._is_secured = is_secured or self._access.is_secured
        self._login: Login | None = None
        self._public_nkey = self._access.public_key()
        self._transport = Transport()
        self._ps = FrameReader(self)
        self._raw_subscriptions: dict[int, Receive] = {}
        self._kick: asyncio.Future[None] | None = None
        self.on_reconnected: list[Callable[[], None]] = []
        self.on_disconnected: list[Callable[[], None]] = []
        self.spelt: set[str] = set()
        self.on_denied: list[Callable[[PermissionRefused], None]] = []
        self.on_unreadable: list[Callable[[str], None]] = []
        self.asked_to_close = False
        self.unfit: Callable[[str], str | None] | None = None
        self._inbox_prefix = bytearray(self._access.inbox_prefix.encode())
        self._inbox = f"{self.new_inbox()}."
        self._asked: dict[bytes, tuple[str, asyncio.Future[Answer]]] = {}
        self._denied: dict[tuple[str, str], tuple[PermissionRefused, float]] = {}
        self._last_token = 0

    @property
    def api(self) -> str:
        """The subject before every call of JetStream's own API."""
        return self._access.api

    @property
    def denied(self) -> tuple[str, ...]:
        """What NATS has not permitted lately, in words."""
        now = _now()
        return tuple(
            str(refused)
            for refused, at in self._denied.values()
            if now - at < DENIED_SECONDS
        )

    @property
    def heard(self) -> Iterable[str]:
        """What this connection listens to."""
        return (subscription.subject for subscription in self._subs.values())

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """What the client makes a connection secure with; read from disk each time."""
        try:
            return self._access.context()
        except BusUnavailable as error:
            raise NatsError(str(error)) from error

    @property
    def is_connected(self) -> bool:
        """Whether anything can be sent and heard: also that somebody reads."""
        reading = self._reading_task
        has_ended = reading is not None and reading.done()
        return bool(super().is_connected) and not has_ended

    @property
    def is_encrypted(self) -> bool:
        """Tell whether the present connection is TLS, asked for or only offered."""
        writer = getattr(self._transport, "_io_writer", None)
        return writer is not None and writer.get_extra_info("ssl_object") is not None

    @property
    def version(self) -> str:
        """What the server said it is."""
        return str(self._server_info.get("version", "of unknown version"))

    async def close(self) -> None:
        """End for good; nobody is told, since it was asked for."""
        self.asked_to_close = True
        await super().close()

    def send(self, frame: bytes) -> None:
        """Send whole protocol lines with the next write; nothing waits for a server.

        :raises BusUnavailable: there is no connection.
        """
        if not self.is_connected or self._flush_queue is None:
            raise BusUnavailable("not connected to NATS")
        self._pending.append(frame)
        self._pending_data_size += len(frame)
        if self._flush_queue.empty():
            self._flush_queue.put_nowait(self._done_kick())

    async def open(self, seconds_max: float = UNTAP_SECONDS_MAX) -> None:
        """Listen for the answers to :meth:`ask`.

        :raises PermissionRefused: they may not be heard.
        """
        subject = f"{self._inbox}*"
        await self.subscribe_raw(subject, self._hear)
        await self.round_trip(seconds_max)
        self.permit(SUBSCRIBE, subject)

    def permit(self, what: str, subject: str) -> None:
        """Raise :class:`PermissionRefused` for what was not permitted lately."""
        _, at = self._denied.get((what, subject.lower()), (None, -DENIED_SECONDS))
        if _now() - at < DENIED_SECONDS:
            raise PermissionRefused(what, subject)

    async def ask(
        self,
        subject: str,
        body: bytes,
        seconds_max: float,
        *,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """Return the answer.

        :raises BusUnavailable: there is none.
        :raises PermissionRefused: this user may not ask, or not hear the answer.
        """
        self.permit(PUBLISH, subject)
        self.permit(SUBSCRIBE, f"{self._inbox}*")
        token = self._last_token = self._last_token + 1
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        reply = f"{self._inbox}{token}"
        if headers:
            self.send(
                publication_with_headers(subject, body, reply=reply, headers=headers)
            )
        else:
            self.send(publication(subject, body, reply=reply))
        self._asked[b"%d" % token] = subject, answer
        try:
            async with asyncio.timeout(seconds_max):
                return await answer
        except TimeoutError as error:
            message = f"no answer to {subject} within {seconds_max:g} s"
            raise BusUnavailable(message) from error
        finally:
            del self._asked[b"%d" % token]

    async def subscribe_raw(self, subject: str, receive: Receive) -> Subscription:
        """Subscribe without queue, task or parsing between the socket and `receive`."""
        try:
            subscription = await self.subscribe(subject)
        except NatsError as error:
            message = f"cannot subscribe: {error}"
            raise BusUnavailable(message) from error
        self._raw_subscriptions[subscription._id] = receive  # noqa: SLF001 - it has no other name
        return subscription

    async def round_trip(self, seconds_max: float) -> None:
        """Return when the server has read all that was sent before."""
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pongs.append(pong)
        self.send(b"PING\r\n")
        try:
            async with asyncio.timeout(seconds_max):
                await pong
        except TimeoutError as error:
            raise BusUnavailable("NATS does not answer") from error

    async def unsubscribe_raw(self, subscription: Subscription) -> None:
        """End one; what is under way to it arrives before this returns."""
        sid = subscription._id  # noqa: SLF001 - it has no other name
        with suppress(BusUnavailable):
            self.send(b"UNSUB %d\r\n" % sid)
            await self.round_trip(UNTAP_SECONDS_MAX)
        self._raw_subscriptions.pop(sid, None)
        self._remove_sub(sid)

    def lost(self) -> None:
        """Forget what belonged to a connection that has ended.

        A publish that failed with it must not turn up on the next, whose user may be
        permitted other things.
        """
        self._pending.clear()
        self._pending_data_size = 0
        self._denied.clear()

    def _hear(
        self, subject: bytes, _reply: bytes, body: bytes, headers: bytes | None
    ) -> None:
        _, answer = self._asked.get(subject[len(self._inbox) :], (None, None))
        if answer is not None and not answer.done():
            answer.set_result((body, headers))

    def _done_kick(self) -> asyncio.Future[None]:
        # The flusher sets a result on what it was kicked with, unless it is done.
        if self._kick is None:
            self._kick = asyncio.get_running_loop().create_future()
            self._kick.set_result(None)
        return self._kick

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        receive = self._raw_subscriptions.get(sid)
        try:
            if receive is None:
                await super()._process_msg(sid, subject, reply, data, headers)
            else:
                receive(subject, reply, data, headers)
        except Exception as error:  # noqa: BLE001 - no message ends the reading
            for listener in self.on_unreadable:
                listener(f"{type(error).__name__}: {error}")

    async def _read_loop(self) -> None:
        await super()._read_loop()
        # It ends without a word where the client itself has stumbled.
        if super().is_connected:
            await self._process_op_err(NatsError("nats: the reading has ended"))

    async def _process_pong(self) -> None:
        if not self._pongs or not self._pongs[0].done():
            await super()._process_pong()
            return
        del self._pongs[0]
        self._pongs_received += 1
        self._pings_outstanding = 0

    async def _process_err(self, err_msg: str) -> None:
        """Tell what the server refuses; where it means to end the connection it does.

        The client would close itself for good, at an expired JWT as at one connection
        too many. Credentials are renewed and connections end, so we come again.
        """
        if STALE in err_msg:
            await super()._process_err(err_msg)
            return
        said = err_msg.strip("'")
        denied = _DENIED.search(said)
        error: Exception = NatsError(f"nats: {said}")
        if denied is not None:
            what = PUBLISH if denied[1].lower() == "publish" else SUBSCRIBE
            error = self._deny(what, denied[2])
        self._err = error
        await self._error_cb(error)

    def _deny(self, what: str, subject: str) -> PermissionRefused:
        # The client has made what the server said into small letters.
        known = [asked for asked, _ in self._asked.values()]
        known += self.heard
        known += self.spelt
        subject = next((k for k in known if k.lower() == subject.lower()), subject)
        refused = PermissionRefused(what, subject)
        self._denied[what, subject.lower()] = refused, _now()
        for asked, answer in self._asked.values():
            is_meant = what == SUBSCRIBE and subject == f"{self._inbox}*"
            if (asked == subject or is_meant) and not answer.done():
                answer.set_exception(refused)
        for listener in self.on_denied:
            listener(refused)
        return refused

    async def _process_info(
        self,
        info: dict[str, Any],
        initial_connection: bool = False,  # noqa: FBT001, FBT002 - the client's own
    ) -> None:
        if initial_connection and self.unfit is not None:
            because = self.unfit(str(info.get("version", "")))
            if because is not None:
                raise NatsError(f"nats: {because}")
        # Before a name or password is sent: the client would send them in the open.
        if initial_connection and self._is_secured and not info.get("tls_required"):
            if not info.get("tls_available"):
                raise NatsError("nats: the server offers no TLS, and it was asked for")
            self._server_info["tls_required"] = True
        await super()._process_info(info, initial_connection)

    async def _process_connect_init(self) -> None:
        await super()._process_connect_init()
        if self.is_connected:
            return
        # It ended the connection where it should have answered; the client goes on.
        for task in (self._reading_task, self._ping_interval_task, self._flusher_task):
            if task is not None:
                task.cancel()
        raise NatsError("nats: the server ended the connection before its answer")

    def _connect_command(self) -> bytes:
        """Say who we are, in the clear: the client would send what is percent-encoded.

        A server that another one told of comes without a name: it is given the last.
        """
        server = self._current_server
        self._login = login_of(server.uri.geturl() if server else "") or self._login
        if self._login is not None:
            user, password = self._login
            is_token = password is None
            self.options["token"] = user if is_token else None
            self.options["user"] = None if is_token else user
            self.options["password"] = password
        command: bytes = super()._connect_command()
        return command


def _now() -> float:
    return asyncio.get_running_loop().time()
