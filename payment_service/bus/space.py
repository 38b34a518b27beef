"""How large a new stream may be: an archive must not starve the work of its storage."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from payment_service.bus.api import JetStreamApi
from payment_service.bus.nats_client import PermissionRefused
from payment_service.bus.topology import Stream

UNLIMITED: Final = -1
SMALLEST: Final = 1 << 24
"""Bytes (16 MiB) below which a stream is not made smaller for want of room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What an account may store, in bytes of one replica; 0 where nothing is said."""

    storage: int = 0
    stream: int = 0
    is_required: bool = False


async def room_of(api: JetStreamApi, *, replicas: int) -> Room:
    """Return what JetStream says of the account; nothing where we may not ask.

    :raises BusUnavailable: JetStream did not answer.
    """
    try:
        info = await api.call("INFO")
    except PermissionRefused:
        return Room()
    tiers = info.get("tiers") or {}
    tier = tiers.get(f"R{replicas}")
    limits = (tier or info).get("limits") or {}
    storage = max(0, int(limits.get("max_storage") or 0))
    stream = max(0, int(limits.get("storage_max_stream_bytes") or 0))
    return Room(
        # A tier counts what is stored once, an account every replica of it.
        storage=storage if tier else storage // replicas,
        stream=stream,
        is_required=bool(limits.get("max_bytes_required")) or stream > 0,
    )


def sizes(stream: Stream, room: Room) -> Iterator[int]:
    """Give sizes in bytes to try, one after the other where there is no room.

    What the settings say is tried alone. Work is limited only where the account demands
    it, an archive always: but for one that finds no room at all. Where nobody says how
    much there is an archive asks for twice its size, see :func:`is_guess`.
    """
    asked = stream.asked.get("max_bytes")
    if isinstance(asked, int):
        yield asked
        return
    if stream.is_work and not room.is_required:
        yield UNLIMITED
        return
    size = room.storage // stream.share if room.storage else stream.space
    size = size * 2 if is_guess(stream, room) else size
    size = min(size, room.stream) if room.stream else size
    yield size
    while size // 2 >= SMALLEST:
        size //= 2
        yield size
    if not room.is_required:
        yield UNLIMITED


def is_guess(stream: Stream, room: Room) -> bool:
    """Tell whether half of what was found has to be left to the work."""
    is_said = bool(room.storage) or "max_bytes" in stream.asked
    return not stream.is_work and not is_said
