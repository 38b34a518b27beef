"""A stream that anchors' lines are published to: of another account, at best.

The stream is made by whoever it belongs to, with deleting and purging denied. A line
counts once it is in the stream: that is looked at the next time, whoever acknowledged.
"""

import hashlib
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import orjson

from fsm.domain.errors import BusUnavailable, SinkUnavailable
from payment_service.bus.api import JetStreamApi, Json
from payment_service.bus.nats_client import NatsClient
from payment_service.bus.protocol import status_of

NAME: Final = "stream"
ACK_SECONDS_MAX: Final = 5.0
MESSAGE_ID: Final = "Nats-Msg-Id"


class StreamSink:
    """Implements ``ports.anchors.AnchorSink`` on connections that ``connect`` makes."""

    name = NAME

    def __init__(
        self, subject: str, connect: Callable[[], Awaitable[NatsClient]]
    ) -> None:
        self._subject = subject
        self._connect = connect

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["OpenStream"]:
        """Connect, and find the stream that keeps the subject."""
        wire: NatsClient | None = None
        try:
            wire = await self._connect()
            yield OpenStream(
                wire, self._subject, await self._stream(JetStreamApi(wire))
            )
        except BusUnavailable as error:
            raise SinkUnavailable(NAME, f"{self._subject}: {error}") from error
        finally:
            if wire is not None:
                await wire.close()

    async def _stream(self, api: JetStreamApi) -> str:
        found = await api.call("STREAM.NAMES", {"subject": self._subject})
        names = found.get("streams") or []
        if not names:
            told = (
                f"no stream of this account keeps {self._subject}: nats stream add "
                f"ANCHORS --subjects {self._subject} --deny-delete --deny-purge"
            )
            raise SinkUnavailable(NAME, told)
        return str(names[0])


class OpenStream:
    """Implements ``ports.anchors.OpenSink``."""

    def __init__(self, wire: NatsClient, subject: str, stream: str) -> None:
        self._wire = wire
        self._subject = subject
        self._api = JetStreamApi(wire)
        self._get = f"STREAM.MSG.GET.{stream}"

    async def back(self) -> AsyncIterator[bytes]:
        """Return the messages from the newest on."""
        found = await self._message({"last_by_subj": self._subject})
        while found is not None:
            yield _body(found)
            found = await self._before(found["seq"])

    async def _before(self, seq: int) -> Json | None:
        # Other subjects' messages, and what was deleted, are passed over.
        for each in range(seq - 1, 0, -1):
            found = await self._message({"seq": each})
            if found is not None and found["subject"] == self._subject:
                return found
        return None

    async def lines(self) -> AsyncIterator[tuple[int, bytes]]:
        """Return the messages with their sequences, from the first on."""
        after = 0
        while True:
            asked = {"seq": after + 1, "next_by_subj": self._subject}
            found = await self._message(asked)
            if found is None:
                return
            after = found["seq"]
            yield after, _body(found)

    async def append(self, line: bytes) -> None:
        """Publish a line, and wait until the stream has it."""
        headers = [(MESSAGE_ID, _identity(line))]
        body, block = await self._wire.ask(
            self._subject, line, ACK_SECONDS_MAX, headers=headers
        )
        if status_of(block):
            raise SinkUnavailable(NAME, f"no stream keeps {self._subject}")
        try:
            told = orjson.loads(body)
            error = told.get("error")
            seq = told.get("seq")
        except (orjson.JSONDecodeError, AttributeError):
            error, seq = None, None
        if error or not isinstance(seq, int):
            because = error.get("description") if isinstance(error, dict) else "no ack"
            raise SinkUnavailable(NAME, f"{self._subject} was refused: {because}")

    async def _message(self, asked: Json) -> Json | None:
        found = await self._api.find(self._get, asked)
        return found["message"] if found else None


def _body(message: Json) -> bytes:
    return b64decode(message.get("data", ""))


def _identity(line: bytes) -> str:
    """Return what is the same for the same line, so that a repeat is dropped."""
    return hashlib.sha256(line).hexdigest()
