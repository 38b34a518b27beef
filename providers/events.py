"""Takes a delivery apart: which events are in it, and by what id each is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fsm.domain.text import is_id
from fsm.domain.webhook_events import HASHED, digest_of
from providers.config import ProviderTable
from providers.config.events import EventId, InHeader
from providers.config.places import Place
from providers.port import Verified

EVENTS_MAX: Final = 1000
EVENT_ID_LENGTH_MAX: Final = 256
"""A longer id is known by its hash."""

Headers = Mapping[str, Sequence[str]]


class TooManyEvents(ValueError):
    """More events in one request than one transaction is to have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFields:
    """One event; ``event_id`` None leaves it to its body, which may have one.

    ``digest`` is the id of an event that has no other.
    """

    event_id: str | None
    body: object

    @property
    def digest(self) -> str:
        """Return the hash of all that the event says, however it is written."""
        return _hashed(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """How one provider's deliveries are taken apart.

    ``at`` is where its events are, each known by itself; None: there is one, known by
    what the signature's scheme names, unless ``naming`` says otherwise.
    """

    at: Place | None = None
    naming: EventId | None = None

    def of(
        self, verified: Verified, headers: Headers, tree: object
    ) -> Sequence[EventFields]:
        """Return the events of a delivery, in its order; none in an empty one.

        :raises TooManyEvents: more than :data:`EVENTS_MAX`.
        """
        bodies, several = self._bodies(tree)
        if len(bodies) > EVENTS_MAX:
            raise TooManyEvents(f"more than {EVENTS_MAX} events in one request")
        outside = None if several else verified.event_id
        return [
            EventFields(event_id=self._event_id(body, headers, outside), body=body)
            for body in bodies
        ]

    def _bodies(self, tree: object) -> tuple[Sequence[object], bool]:
        """Return the events, and whether there may be several of them.

        A list can be nothing but a list of events. Where none is found at its place
        the body is looked at as one: what it says is kept, whatever it is.
        """
        bare = self.at is None or isinstance(tree, list)
        found = tree if self.at is None or bare else self.at.look(tree)
        if isinstance(found, list):
            return found, True
        if self.at is not None and isinstance(found, dict):
            return [found], True
        return ([tree], False) if isinstance(tree, dict) and tree else ([], False)

    def _event_id(
        self, body: object, headers: Headers, outside: str | None
    ) -> str | None:
        if self.naming is None:
            return None if outside is None else bounded(outside)
        said = [_said(part, body, headers) for part in self.naming.parts]
        if not said or None in said:
            # A part that is missing leaves several events with the same rest.
            return EventFields(event_id=None, body=body).digest
        parts = [part or "" for part in said]
        # Only one set of parts makes an id: none of them runs into its neighbour.
        whole = ":".join(p.replace("%", "%25").replace(":", "%3A") for p in parts)
        return bounded(parts[0] if len(parts) == 1 else whole)


def bounded(event_id: str) -> str:
    """Return an id as the inbox can keep it: as it is, or its hash."""
    return event_id if is_id(event_id, EVENT_ID_LENGTH_MAX) else _hashed(event_id)


def events_of(table: ProviderTable) -> Events:
    """Return how a table's deliveries are taken apart."""
    webhook = table.webhook
    if webhook is None:
        return Events()
    return Events(at=webhook.events_at, naming=webhook.event_id)


def _said(part: Place | InHeader, body: object, headers: Headers) -> str | None:
    if isinstance(part, InHeader):
        values = headers.get(part.name) or []
        return values[0] or None if len(values) == 1 else None
    value = part.look(body)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) or None if isinstance(value, str | int) else None


def _hashed(said: object) -> str:
    return f"{HASHED}{digest_of(said).hex()}"
