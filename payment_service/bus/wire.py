"""nats-py's client with a short way in and out for the paths that are hot.

It also mends what can hang or kill the client: a pong that comes after its waiter has
gone ends the read loop, a reconnect waits for the old transport without a limit, and a
request can swallow the cancellation of its task.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from urllib.parse import ParseResult

from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport
from nats.errors import Error as NatsError

from payment_service.bus.frames import publication
from payment_service.domain.errors import BusUnavailable

Receive = Callable[[bytes, bytes, bytes, bytes | None], None]
"""Takes subject, reply, body and header block; must neither block nor raise."""

Answer = tuple[bytes, bytes | None]
"""A body and a header block."""

TRANSPORT_CLOSE_SECONDS_MAX: Final = 2.0
UNTAP_SECONDS_MAX: Final = 2.0


class _Transport(TcpTransport):
    """Is aborted where a peer that has gone silent keeps it from closing."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __bool__(self) -> bool:
        # An unused one counts too, or the client would put its own in its place.
        return True

    async def connect(
        self, uri: ParseResult, buffer_size: int, connect_timeout: int
    ) -> None:
        # An attempt that came to nothing would leave its socket open.
        if self._io_writer is not None:
            self._io_writer.transport.abort()
        await super().connect(uri, buffer_size, connect_timeout)

    async def wait_closed(self) -> None:
        if self._io_writer is None:
            return
        try:
            async with asyncio.timeout(TRANSPORT_CLOSE_SECONDS_MAX):
                await self._io_writer.wait_closed()
        except TimeoutError:
            self._io_writer.transport.abort()


class Wire(Client):
    """A connection to NATS; :func:`connect` makes one that is ready."""

    def __init__(self) -> None:
        super().__init__()
        self._transport = _Transport()
        self._taps: dict[int, Receive] = {}
        self._kick: asyncio.Future[None] | None = None
        self.on_reconnected: list[Callable[[], None]] = []
        self.on_disconnected: list[Callable[[], None]] = []
        self.asked_to_close = False
        self._inbox = f"{self.new_inbox()}."
        self._asked: dict[bytes, asyncio.Future[Answer]] = {}
        self._last_token = 0

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

        Raises :class:`BusUnavailable` while there is no connection.
        """
        if not self.is_connected or self._flush_queue is None:
            raise BusUnavailable("not connected to NATS")
        self._pending.append(frame)
        self._pending_data_size += len(frame)
        if self._flush_queue.empty():
            self._flush_queue.put_nowait(self._done_kick())

    async def open(self) -> None:
        """Listen for the answers to :meth:`ask`."""
        await self.tap(f"{self._inbox}*", self._hear)

    async def ask(self, subject: str, body: bytes, seconds_max: float) -> Answer:
        """Return the answer, or raise :class:`BusUnavailable` when there is none."""
        token = self._last_token = self._last_token + 1
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.send(publication(subject, body, reply=f"{self._inbox}{token}"))
        self._asked[b"%d" % token] = answer
        try:
            async with asyncio.timeout(seconds_max):
                return await answer
        except TimeoutError as error:
            message = f"no answer to {subject} within {seconds_max:g} s"
            raise BusUnavailable(message) from error
        finally:
            del self._asked[b"%d" % token]

    async def tap(self, subject: str, receive: Receive) -> Subscription:
        """Subscribe without queue, task or parsing between the socket and `receive`."""
        try:
            subscription = await self.subscribe(subject)
        except NatsError as error:
            message = f"cannot subscribe: {error}"
            raise BusUnavailable(message) from error
        self._taps[subscription._id] = receive  # noqa: SLF001 - it has no other name
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

    async def untap(self, subscription: Subscription) -> None:
        """End a tap; what is under way to it arrives before this returns."""
        sid = subscription._id  # noqa: SLF001 - it has no other name
        with suppress(BusUnavailable):
            self.send(b"UNSUB %d\r\n" % sid)
            await self.round_trip(UNTAP_SECONDS_MAX)
        self._taps.pop(sid, None)
        self._remove_sub(sid)

    def forget_unsent(self) -> None:
        """A publish that failed with its connection must not turn up on the next."""
        self._pending.clear()
        self._pending_data_size = 0

    def _hear(
        self, subject: bytes, _reply: bytes, body: bytes, headers: bytes | None
    ) -> None:
        answer = self._asked.get(subject[len(self._inbox) :])
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
        receive = self._taps.get(sid)
        if receive is None:
            await super()._process_msg(sid, subject, reply, data, headers)
        else:
            receive(subject, reply, data, headers)

    async def _process_pong(self) -> None:
        if not self._pongs or not self._pongs[0].done():
            await super()._process_pong()
            return
        del self._pongs[0]
        self._pongs_received += 1
        self._pings_outstanding = 0
