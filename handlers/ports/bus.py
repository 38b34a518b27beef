"""The message bus: a doorbell. Nothing that only it knows is ever evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from fsm.domain.messages import Message


@dataclass(frozen=True, slots=True, kw_only=True)
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
