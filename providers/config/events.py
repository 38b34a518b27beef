"""Where a table has the events of a webhook, and by what it tells them apart."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BeforeValidator

from providers.config.places import Place, parse_place

BODY_HASH: Final = "body-hash"
PARTS_MAX: Final = 8

_HEADER: Final = re.compile(r"header:([A-Za-z0-9!#$%&'*+.^_`|~-]{1,64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class InHeader:
    """A header as a part of an event's id; ``name`` is in lower case."""

    name: str


@dataclass(frozen=True, slots=True)
class EventId:
    """What an event's id is made of; nothing: it is the hash of all that it says."""

    parts: tuple[Place | InHeader, ...] = ()

    @property
    def places(self) -> frozenset[Place]:
        """The parts that stand in the body."""
        return frozenset(part for part in self.parts if isinstance(part, Place))


def _event_id(value: object) -> EventId:
    if isinstance(value, EventId):
        return value
    if value == BODY_HASH:
        return EventId()
    texts = value if isinstance(value, list | tuple) else [value]
    if not 0 < len(texts) <= PARTS_MAX or BODY_HASH in texts:
        message = f'must be "{BODY_HASH}", a place, or 1 to {PARTS_MAX} places'
        raise ValueError(message)
    return EventId(tuple(map(_part, texts)))


def _part(text: object) -> Place | InHeader:
    if isinstance(text, str) and text.lower().startswith("header:"):
        found = _HEADER.fullmatch("header:" + text[len("header:") :])
        if found is None:
            raise ValueError("must have the name of a header after header:")
        return InHeader(found[1].lower())
    return parse_place(text if isinstance(text, str) else "")


EventIdAt = Annotated[EventId, BeforeValidator(_event_id)]
