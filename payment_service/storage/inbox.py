"""The inbox of webhooks: each event once for ever, by (provider, its id)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from fsm.domain.errors import StoreUnavailable
from fsm.domain.messages import WEBHOOK_RECEIVED
from fsm.domain.webhook_events import (
    WEBHOOKS_KEPT,
    Arrival,
    WebhookEvent,
    WebhookEventType,
    differing_facts,
    disputing,
)
from handlers.ports.store import Unsent
from payment_service.storage import statements as sql
from payment_service.storage.database import Database
from payment_service.storage.outbox_rows import message_from
from payment_service.storage.rows import (
    as_json,
)
from payment_service.storage.webhook_rows import (
    WEBHOOK_TYPES,
    webhook_from,
    webhook_row,
)

Key: TypeAlias = tuple[str, str]
Request: TypeAlias = Sequence[WebhookEvent]
"""The events of one request: all of them are stored, or none."""

TYPE: Final = 4
"""The place of its type in a webhook's row."""
SPOKEN_FOR: Final = "a webhook is being written"


class Inbox:
    """Keeps what providers say, for any number of requests at a time."""

    def __init__(
        self, database: Database, publish: Callable[[Sequence[Unsent]], None]
    ) -> None:
        self._database = database
        self._publish = publish

    async def keep(
        self, requests: Sequence[Request]
    ) -> Sequence[Sequence[Arrival] | StoreUnavailable]:
        """Store what is new in one statement, and look up what is not.

        What was stored before and says something else now is stored beside it: those
        rows come second, so a process that dies in between has acknowledged nothing.
        """
        events = [webhook for request in requests for webhook in request]
        firsts: dict[Key, WebhookEvent] = {}
        for webhook in events:
            firsts.setdefault(_key(webhook), webhook)
        new = await self._insert(list(firsts.values()))
        known = await self._find([key for key in firsts if key not in new])
        told = known | {key: firsts[key] for key in new}
        disputes = [
            disputing(told[key], webhook)
            for key, webhook in ((_key(webhook), webhook) for webhook in events)
            if key in told and differing_facts(told[key], webhook)
        ]
        if disputes:
            await self._insert(disputes)
        return [_arrivals(request, told, new) for request in requests]

    async def _insert(self, events: Sequence[WebhookEvent]) -> set[Key]:
        """Store events with their wake-ups; return those that were not known."""
        rows = await self._database.run(
            sql.STORE_WEBHOOKS,
            {
                "webhook": as_json([webhook_row(webhook) for webhook in events]),
                "kept": WEBHOOKS_KEPT,
                "subject": WEBHOOK_RECEIVED,
            },
        )
        self._publish(
            [
                Unsent(seq=row[2], message=message_from(row[3:]))
                for row in rows
                if row[2] is not None
            ]
        )
        return {(row[0], row[1]) for row in rows}

    async def _find(self, keys: Sequence[Key]) -> dict[Key, WebhookEvent]:
        if not keys:
            return {}
        rows = await self._database.run(
            sql.FIND_KEPT,
            {
                "providers": [provider for provider, _ in keys],
                "event_ids": [event_id for _, event_id in keys],
            },
        )
        found = (webhook_from(_as_unknown(row)).webhook for row in rows)
        return {_key(webhook): webhook for webhook in found}


def _as_unknown(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row whose type only another version knows as what it is to this one.

    It is compared with what has come, and neither applied nor settled here.
    """
    if row[TYPE] in WEBHOOK_TYPES:
        return row
    return (*row[:TYPE], WebhookEventType.UNKNOWN, *row[TYPE + 1 :])


def _arrivals(
    request: Request, told: Mapping[Key, WebhookEvent], new: set[Key]
) -> Sequence[Arrival] | StoreUnavailable:
    """Say of each event what it was; of several new ones alike the first is."""
    arrivals = []
    for webhook in request:
        first = told.get(_key(webhook))
        if first is None:
            # It collided with a row that is gone since; the sender sends it again.
            return StoreUnavailable(SPOKEN_FOR)
        if differing_facts(first, webhook):
            arrivals.append(Arrival.DIFFERS)
        elif _key(webhook) in new:
            new.discard(_key(webhook))
            arrivals.append(Arrival.STORED)
        else:
            arrivals.append(Arrival.SEEN)
    return arrivals


def _key(webhook: WebhookEvent) -> Key:
    return webhook.provider, webhook.event_id
