"""Publishes messages in pipelined batches and says which of them the server has."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import orjson

from payment_service.bus.frames import (
    Unprintable,
    foreign,
    publication,
    publication_with_headers,
    status_of,
)
from payment_service.bus.names import Names, is_subject
from payment_service.bus.topology import is_ours
from payment_service.bus.wire import Wire
from payment_service.domain.errors import BusUnavailable
from payment_service.domain.messages import Message

ACK_SECONDS_MAX: Final = 5.0
WINDOW: Final = 1_000
"""Messages of one call that may be unacknowledged at the same time."""

PERMANENT_SCHEDULE_ERRORS: Final = frozenset(
    {*range(10188, 10193), 10203, 10212, 10223}
)

OnRefused = Callable[[Message, str], None]


class _Batch:
    """What is known so far of messages published together."""

    def __init__(self, size: int) -> None:
        self.acknowledged = [False] * size
        self.missing = 0
        self.done = asyncio.get_running_loop().create_future()

    def answer(self, index: int, *, stored: bool) -> None:
        self.acknowledged[index] = stored
        self.missing -= 1
        if self.missing == 0:
            self.give_up()

    def give_up(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


class JetStreamPublisher:
    """Implements :class:`payment_service.ports.bus.Publisher`.

    Without `schedules` a message with ``at`` is not published and counts as
    acknowledged: the sweeper rings. `on_refused` hears of each message that the server
    or this class will not have, and why.
    """

    def __init__(
        self,
        wire: Wire,
        names: Names,
        *,
        schedules: bool,
        on_refused: OnRefused,
        ack_seconds_max: float = ACK_SECONDS_MAX,
    ) -> None:
        self._wire = wire
        self._names = names
        self._schedules = schedules
        self._on_refused = on_refused
        self._ack_seconds_max = ack_seconds_max
        self._inbox = f"{wire.new_inbox()}."
        self._awaited: dict[int, tuple[_Batch, int, Message]] = {}
        self._last_token = 0
        wire.on_disconnected.append(self._stop_waiting)

    async def start(self) -> None:
        """Listen for acknowledgements; nothing may be published before."""
        await self._wire.tap(f"{self._inbox}*", self._receive)

    async def publish(self, messages: Sequence[Message]) -> Sequence[bool]:
        """Return for each message whether the server has acknowledged it."""
        acknowledged: list[bool] = []
        for start in range(0, len(messages), WINDOW):
            acknowledged += await self._publish(messages[start : start + WINDOW])
        return acknowledged

    async def reply(self, subject: str, body: bytes) -> None:
        """Answer a requester, who names the subject: never one of our own."""
        if not is_subject(subject) or is_ours(self._names, subject):
            return
        if len(body) > self._wire.max_payload:
            return
        try:
            self._wire.send(publication(subject, body))
        except BusUnavailable:
            return

    async def _publish(self, messages: Sequence[Message]) -> list[bool]:
        batch = _Batch(len(messages))
        first = self._last_token + 1
        deadline = asyncio.get_running_loop().call_later(
            self._ack_seconds_max, batch.give_up
        )
        try:
            for index, message in enumerate(messages):
                self._send(batch, index, message)
            if batch.missing:
                await batch.done
        finally:
            deadline.cancel()
            if batch.missing:
                self._forget(batch, first)
        return batch.acknowledged

    def _send(self, batch: _Batch, index: int, message: Message) -> None:
        if message.at is not None and not self._schedules:
            batch.acknowledged[index] = True
            return
        token = self._last_token = self._last_token + 1
        try:
            self._wire.send(self._frame(message, f"{self._inbox}{token}"))
        except BusUnavailable:
            return
        except _Unfit as unfit:
            self._on_refused(message, str(unfit))
            return
        batch.missing += 1
        self._awaited[token] = batch, index, message

    def _frame(self, message: Message, reply: str) -> bytes:
        schedule = message.schedule if message.at is not None else message.subject
        if schedule is None or not is_subject(message.subject):
            raise _Unfit("no subject to publish to")
        subject = self._names.subject(schedule)
        if not is_subject(subject):
            raise _Unfit("the subject has a token that is not plain")
        try:
            frame = publication_with_headers(
                subject, message.body, reply=reply, headers=self._headers(message)
            )
        except Unprintable as unprintable:
            raise _Unfit(str(unprintable)) from unprintable
        # A longer one would make the server end the connection.
        if len(frame) > self._wire.max_payload:
            raise _Unfit("longer than the server allows")
        return frame

    def _headers(self, message: Message) -> Iterator[tuple[str, str]]:
        yield from foreign(message.headers)
        yield "Nats-Msg-Id", message.message_id
        if message.at is not None:
            yield "Nats-Schedule", f"@at {_rfc3339(message.at)}"
            yield "Nats-Schedule-Target", self._names.subject(message.subject)

    def _receive(
        self, subject: bytes, _reply: bytes, body: bytes, headers: bytes | None
    ) -> None:
        token = subject[len(self._inbox) :]
        awaited = self._awaited.pop(int(token), None) if token.isdigit() else None
        if awaited is None:
            return
        batch, index, message = awaited
        batch.answer(index, stored=self._is_stored(message, body, headers))

    def _is_stored(self, message: Message, body: bytes, headers: bytes | None) -> bool:
        status = status_of(headers)
        if status:
            self._on_refused(message, f"no stream takes it ({status})")
            return False
        try:
            error = orjson.loads(body).get("error")
        except orjson.JSONDecodeError:
            return False
        if error is None:
            return True
        code = error.get("err_code", 0)
        self._on_refused(message, f"{error.get('description')} ({code})")
        # Asking again would give the same answer for ever; the sweeper rings.
        return code in PERMANENT_SCHEDULE_ERRORS

    def _forget(self, batch: _Batch, first: int) -> None:
        for token in range(first, self._last_token + 1):
            awaited = self._awaited.get(token)
            if awaited is not None and awaited[0] is batch:
                del self._awaited[token]

    def _stop_waiting(self) -> None:
        # No acknowledgement can come any more; whether they were stored is unknown.
        for batch, _, _ in self._awaited.values():
            batch.give_up()
        self._awaited.clear()


class _Unfit(ValueError):
    """A message that may not go on the wire."""


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
