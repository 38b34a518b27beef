"""The message bus: a doorbell. Nothing that only it knows is ever evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Protocol

import orjson

from fsm.domain.errors import InvalidRequest
from fsm.domain.messages import Message


def fields_in(body: bytes) -> Mapping[str, object] | str:
    """Return the fields of a message's body, or what is wrong with it."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error}"
    return found if isinstance(found, dict) else "not a JSON object"


# Without slots: its body is parsed once, whoever asks, and kept beside it.
@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message as it was delivered to this process, for the n-th time.

    ``identity`` names the stored message: the same for each of its deliveries,
    another one after a stream was made anew. It is ``stream.sequence.nanoseconds``.
    """

    subject: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    deliveries: int
    identity: str

    @property
    def stored_at(self) -> datetime | None:
        """Return when its stream took it, with which ``identity`` ends."""
        nanoseconds = self.identity.rpartition(".")[2]
        if not (nanoseconds.isascii() and nanoseconds.isdigit()):
            return None
        try:
            return datetime.fromtimestamp(int(nanoseconds) / 1e9, UTC)
        except (ValueError, OverflowError, OSError):
            return None

    def fields(self) -> Mapping[str, object]:
        """Return the fields of the body.

        :raises InvalidRequest: it is no JSON object; says what is wrong.
        """
        if isinstance(self._read, str):
            raise InvalidRequest(self._read)
        return self._read

    @cached_property
    def _read(self) -> Mapping[str, object] | str:
        return fields_in(self.body)

    def header(self, name: str) -> str | None:
        """Return a header's value, however its sender spelt the name."""
        wanted = name.lower()
        found = (v for n, v in self.headers.items() if n.lower() == wanted)
        return next(found, None)


class Publisher(Protocol):
    """Puts messages into streams."""

    async def publish(self, messages: Sequence[Message]) -> Sequence[bool]:
        """Publish all of them; say for each whether the server acknowledged it.

        False is unknown, not no: the message may have been stored. A message with
        ``at`` becomes a schedule.
        """
        ...

    def why_unfit(self, message: Message) -> str | None:
        """Say why no server will ever take a message that has just been published.

        None: it was taken, or may be later.
        """
        ...

    async def reply(self, subject: str, body: bytes) -> bool:
        """Answer a requester, outside of any stream; best effort.

        False where no answer may go to that subject.
        """
        ...
