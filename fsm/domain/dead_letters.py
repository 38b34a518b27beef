"""Dead letters: messages that could not be handled, kept whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

REPLAY_OF: Final = "X-Replay-Of"
"""The header of a message that a person has sent again: the id of its letter."""


class Reason(StrEnum):
    """Why a message is dead (contract, section 3)."""

    INVALID = "invalid"
    EXHAUSTED = "exhausted"
    CRASHED = "crashed"
    UNKNOWN_TASK = "unknown_task"


def kept(text: str) -> str:
    r"""Return what of a text can be kept and shown; what cannot becomes ``\x00``."""
    return text.encode(errors="backslashreplace").decode().replace("\0", r"\x00")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A dead message with its original bytes; ``id`` is derived from the message."""

    id: str
    subject: str
    reason: Reason
    error: str
    deliveries: int
    body: bytes
    headers: Mapping[str, str]
    at: datetime
    task_id: str | None = None
    queue_id: str | None = None
    order_id: str | None = None
