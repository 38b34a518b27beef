"""Publishes messages in pipelined batches and says which of them the server has."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import orjson

from fsm.domain.errors import BusUnavailable
from fsm.domain.messages import Message
from payment_service.bus.nats_client import NatsClient, PermissionRefused
from payment_service.bus.protocol import (
    Unprintable,
    foreign,
    number_of,
    publication,
    publication_with_headers,
    status_of,
)
from payment_service.bus.replies import may_be_answered
from payment_service.bus.subjects import Names, is_subject
from payment_service.bus.topology import stream_of

ACK_SECONDS_MAX: Final = 5.0
REMEMBERED_MAX: Final = 10_000
WINDOW: Final = 1_000
"""Messages of one call that may be unacknowledged at the same time."""

PERMANENT_SCHEDULE_ERRORS: Final = frozenset(
    {*range(10188, 10193), 10203, 10212, 10223}
)


class PublishRefusal(StrEnum):
    """Why a message is not in its stream, or why nobody knows whether it is."""

    NO_STREAM = "no_stream"
    NO_SPACE = "no_space"
    DISABLED = "disabled"
    NOT_PERMITTED = "not_permitted"
    NO_ANSWER = "no_answer"
    NOT_CONNECTED = "not_connected"
    UNFIT = "unfit"
    OTHER = "other"


_REASONS: Final = {
    **dict.fromkeys(
        (10002, 10023, 10028, 10047, 10077, 10122), PublishRefusal.NO_SPACE
    ),
    **dict.fromkeys((10008, 10039, 10076), PublishRefusal.DISABLED),
    **dict.fromkeys(PERMANENT_SCHEDULE_ERRORS, PublishRefusal.UNFIT),
    # Longer than the stream allows: the message, or its headers.
    **dict.fromkeys((10054, 10097), PublishRefusal.UNFIT),
    10109: PublishRefusal.NO_STREAM,
}
_TELL_NOTHING_OF_THE_STREAM: Final = PublishRefusal.NOT_CONNECTED, PublishRefusal.UNFIT

OnRefused = Callable[[Message, str, PublishRefusal], None]


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
    """Implements :class:`handlers.ports.bus.Publisher`.

    Without `schedules` a message with ``at`` is not published and counts as
    acknowledged: the sweeper rings. `on_refused` hears of each message that the server
    or this class will not have, and why; `answers` are patterns of subjects that may
    be answered beside inboxes; `refused` says it of each stream until it
    takes a message again.
    """

    def __init__(
        self,
        wire: NatsClient,
        names: Names,
        *,
        schedules: bool,
        on_refused: OnRefused,
        ack_seconds_max: float = ACK_SECONDS_MAX,
        answers: Sequence[str] = (),
    ) -> None:
        self._wire = wire
        self._names = names
        self._schedules = schedules
        self._on_refused = on_refused
        self._ack_seconds_max = ack_seconds_max
        self._answers = answers
        self._inbox = f"{wire.new_inbox()}."
        self._awaited: dict[int, tuple[_Batch, int, Message]] = {}
        self._last_token = 0
        self._unfit: OrderedDict[str, str] = OrderedDict()
        self.refused: dict[str, str] = {}
        self._refused_at = 0.0
        wire.on_disconnected.append(self._stop_waiting)
        wire.on_denied.append(self._denied)

    async def start(self) -> None:
        """Listen for acknowledgements; nothing may be published before."""
        await self._wire.subscribe_raw(f"{self._inbox}*", self._receive)

    async def publish(self, messages: Sequence[Message]) -> Sequence[bool]:
        """Return for each message whether the server has acknowledged it."""
        acknowledged: list[bool] = []
        for start in range(0, len(messages), WINDOW):
            acknowledged += await self._publish(messages[start : start + WINDOW])
        return acknowledged

    def why_unfit(self, message: Message) -> str | None:
        """Return why a message that was not acknowledged never will be; else None."""
        return self._unfit.pop(message.message_id, None)

    async def reply(self, subject: str, body: bytes) -> bool:
        """Answer a requester, who names the subject: False where none may go there."""
        allowed = may_be_answered(
            subject, names=self._names, allowed=self._answers, heard=self._wire.heard
        )
        if allowed and len(body) <= self._wire.max_payload:
            with suppress(BusUnavailable):
                self._wire.send(publication(subject, body))
        return allowed

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
        except BusUnavailable as error:
            self._refuse(message, str(error), PublishRefusal.NOT_CONNECTED)
            return
        except _Unfit as unfit:
            self._refuse(message, str(unfit), PublishRefusal.UNFIT)
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
        token = number_of(subject[len(self._inbox) :])
        awaited = None if token is None else self._awaited.pop(token, None)
        if awaited is None:
            return
        batch, index, message = awaited
        batch.answer(index, stored=self._is_stored(message, body, headers))

    def _is_stored(self, message: Message, body: bytes, headers: bytes | None) -> bool:
        status = status_of(headers)
        if status:
            self._refuse(
                message, f"no stream takes it ({status})", PublishRefusal.NO_STREAM
            )
            return False
        told = _told(body)
        if told is None:
            return False
        error = told.get("error")
        if error is None:
            if self.refused:
                self.refused.pop(self._stream(message), None)
            return True
        if not isinstance(error, dict):
            return False
        code = error.get("err_code", 0)
        because = f"{error.get('description')} ({code})"
        self._refuse(message, because, _REASONS.get(code, PublishRefusal.OTHER))
        # Asking again would give the same answer for ever; the sweeper rings.
        return code in PERMANENT_SCHEDULE_ERRORS

    def _refuse(self, message: Message, because: str, reason: PublishRefusal) -> None:
        if reason is PublishRefusal.UNFIT:
            self._unfit[message.message_id] = because
            if len(self._unfit) > REMEMBERED_MAX:
                self._unfit.popitem(last=False)
        if reason not in _TELL_NOTHING_OF_THE_STREAM:
            self.refused[self._stream(message)] = because
            self._refused_at = asyncio.get_running_loop().time()
        self._on_refused(message, because, reason)

    def forget_refused(self, *, after_seconds: float) -> None:
        """Take it for mended, where nothing was refused for so long."""
        silence = asyncio.get_running_loop().time() - self._refused_at
        if silence >= after_seconds:
            self.refused.clear()

    def _stream(self, message: Message) -> str:
        return self._names.stream(stream_of(message.subject))

    def _denied(self, refused: PermissionRefused) -> None:
        """Wait no longer for what may not be published: no answer will come."""
        for token, (batch, index, message) in [*self._awaited.items()]:
            schedule = message.schedule if message.at is not None else None
            subject = self._names.subject(schedule or message.subject)
            if subject.lower() == refused.subject.lower():
                del self._awaited[token]
                because = str(PermissionRefused(refused.what, subject))
                self._refuse(message, because, PublishRefusal.NOT_PERMITTED)
                batch.answer(index, stored=False)

    def _forget(self, batch: _Batch, first: int) -> None:
        seconds = f"{self._ack_seconds_max:g} s"
        for token in range(first, self._last_token + 1):
            awaited = self._awaited.get(token)
            if awaited is not None and awaited[0] is batch:
                del self._awaited[token]
                because = f"no answer within {seconds}"
                self._refuse(awaited[2], because, PublishRefusal.NO_ANSWER)

    def _stop_waiting(self) -> None:
        # No acknowledgement can come any more; whether they were stored is unknown.
        for batch, _, message in self._awaited.values():
            self._refuse(
                message, "the connection was lost", PublishRefusal.NOT_CONNECTED
            )
            batch.give_up()
        self._awaited.clear()


class _Unfit(ValueError):
    """A message that may not go on the wire."""


def _told(body: bytes) -> dict[str, object] | None:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return told if isinstance(told, dict) else None


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
