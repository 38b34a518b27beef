"""The dispatch: from a message's subject to the use case that handles it.

There is one, for the service and for every world that tests it: a world brings how
requests are read and answered, and whether anybody may forward what others have said.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from fsm.domain import messages as subjects
from fsm.domain.errors import (
    Fault,
    InvalidRequest,
    StoreUnavailable,
    Tampered,
    UnknownWords,
    Unstorable,
)
from fsm.domain.field_errors import listed_errors
from fsm.domain.ids import is_uuid
from fsm.domain.orders import Request, Submission
from fsm.domain.request_kinds import KINDS, NOT_BUILT
from handlers.commit import Ports
from handlers.drive import Wakeup, wake
from handlers.partner.unlink import completed
from handlers.ports.bus import Delivery
from handlers.ports.outcomes import Done, Outcome, Park, Retry
from handlers.request import requested
from handlers.webhook import WebhookHint, webhook_received

Told = Mapping[str, object]
"""An answer's fields; those that are None are left out."""

SUBJECT: Final = re.compile("[a-z]+([._][a-z]+)*", re.ASCII)
CANCELS: Final = frozenset({subjects.TASK_CANCEL, subjects.QUEUE_CANCEL})
WAKEUPS: Final = frozenset(
    {
        subjects.STEP_DUE,
        subjects.RECHECK_TICK,
        subjects.WEBHOOK_TIMEOUT,
        subjects.STATUS_TICK,
        subjects.STATUS_TIMEOUT,
        subjects.MANUAL_RESOLVED,
        subjects.NOTIFICATION_DUE,
        subjects.LOAD_DUE,
    }
)
ANSWERED: Final = frozenset({*KINDS, subjects.WITHDRAWAL_CANCEL})
"""What has a sender who waits to hear what became of it."""

KNOWN: Final = WAKEUPS | CANCELS | ANSWERED | {subjects.WEBHOOK_RECEIVED}
PARKED: Final = "parked"
NOBODY: Final = "nobody may say so here: no forwarder is configured"


class Forwarded(Protocol):
    """What counts only where it is known who said it."""

    def is_named(self, delivery: Delivery) -> bool:
        """Tell whether a sender says who it is."""
        ...

    async def webhook(self, delivery: Delivery) -> Outcome:
        """Store a webhook as its forwarder's word."""
        ...

    async def cancel_row(self, delivery: Delivery) -> Outcome:
        """Put the wish to cancel into a row that is named by our own ids."""
        ...

    async def cancel_withdrawal(
        self, delivery: Delivery
    ) -> tuple[Outcome, Told | None]:
        """Put the wish into the order that its merchant calls so; return an answer."""
        ...


class NobodyForwards:
    """Forwarding as it is unless the configuration says otherwise: refused."""

    def is_named(self, delivery: Delivery) -> bool:
        """Hear nobody's name."""
        del delivery
        return False

    async def webhook(self, delivery: Delivery) -> Outcome:
        """Refuse it."""
        del delivery
        raise InvalidRequest(NOBODY)

    async def cancel_row(self, delivery: Delivery) -> Outcome:
        """Refuse it."""
        del delivery
        raise InvalidRequest(NOBODY)

    async def cancel_withdrawal(
        self, delivery: Delivery
    ) -> tuple[Outcome, Told | None]:
        """Refuse it."""
        del delivery
        raise InvalidRequest(NOBODY)


async def nobody_waits(delivery: Delivery, told: Told) -> None:
    """Answer no sender."""
    del delivery, told


def nothing_to_do() -> None:
    """Hear that the store is away, and do nothing about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Handles every message of the service's consumers.

    ``read_request`` reads a request of any kind or raises InvalidRequest; ``answer``
    tells its sender what became of it; ``store_lost`` hears of a store that is away.
    """

    ports: Ports
    read_request: Callable[[Delivery], Request]
    answer: Callable[[Delivery, Told], Awaitable[None]] = nobody_waits
    forwarded: Forwarded = field(default_factory=NobodyForwards)
    store_lost: Callable[[], None] = nothing_to_do

    async def handle(
        self, delivery: Delivery, trace_parent: str | None = None
    ) -> Outcome:
        """Handle one delivery; what fails in a way that is known is an outcome too."""
        try:
            return await self._route(delivery, trace_parent)
        except UnknownWords as unknown:
            return await self._parked(unknown)
        except InvalidRequest as refusal:
            return Park(because=refusal.problem)
        except Unstorable as refusal:
            # Asked again, the store would say the same for ever.
            return Park(because=str(refusal))
        except StoreUnavailable as fault:
            self.store_lost()
            return Retry(because=str(fault))
        except Fault as fault:
            return Retry(because=str(fault))

    async def _route(self, delivery: Delivery, trace_parent: str | None) -> Outcome:
        subject = delivery.subject
        if subject in KINDS:
            return await self._request(delivery, trace_parent)
        if subject in WAKEUPS:
            return await wake(_wakeup(delivery), ports=self.ports)
        if subject in CANCELS:
            # Without a sender it is a wake-up: it does what a committed row says.
            if self.forwarded.is_named(delivery):
                return await self.forwarded.cancel_row(delivery)
            return await wake(_wakeup(delivery), ports=self.ports)
        if subject == subjects.WITHDRAWAL_CANCEL:
            return await self._cancel_withdrawal(delivery)
        if subject == subjects.WEBHOOK_RECEIVED:
            if "body" in delivery.fields():
                return await self.forwarded.webhook(delivery)
            return await webhook_received(
                _stored(delivery), again=delivery.deliveries > 1, ports=self.ports
            )
        return await self._unknown(delivery)

    async def _parked(self, unknown: UnknownWords) -> Outcome:
        """Leave an order to a version that knows it: nothing of it is touched here."""
        try:
            await self.ports.store.park(unknown)
        except Fault as fault:
            return Retry(because=str(fault), in_vain=False)
        return Done(what=PARKED, because=f"no {', no '.join(unknown.words)}")

    async def _unknown(self, delivery: Delivery) -> Outcome:
        """Leave a message to a version that knows it, unless it can be no version's."""
        because = f"subject {delivery.subject!r} is not known to this version"
        could_be = _could_be_ours(delivery)
        if could_be and await self.ports.store.park_message(delivery):
            return Done(what=PARKED, because=because)
        return Park(because=because)

    async def _request(self, delivery: Delivery, trace_parent: str | None) -> Outcome:
        wish = self.read_request(delivery)
        try:
            request = await completed(wish, ports=self.ports)
        except (UnknownWords, Tampered) as unreadable:
            # So is an order that it is about; of its own the message is all there is.
            return Retry(because=str(unreadable))

        async def answer(done: Submission) -> None:
            told = _told(request, done)
            if wish.warnings:
                told = {**told, "warnings": listed_errors(wish.warnings)}
            await self.answer(delivery, told)

        return await requested(
            request,
            ports=self.ports,
            trace_parent=trace_parent,
            again=delivery.deliveries > 1,
            answer=answer,
        )

    async def _cancel_withdrawal(self, delivery: Delivery) -> Outcome:
        outcome, told = await self.forwarded.cancel_withdrawal(delivery)
        if told is not None:
            await self.answer(delivery, told)
        return outcome


def _told(request: Request, done: Submission) -> Told:
    """Return the answer to a request; a conflict is about what was asked for."""
    if done.status == "conflict":
        told = {"status": "conflict", "error": done.conflict}
        return {"order_id": request.order_id, **told}
    return {
        "order_id": done.order_id,
        "queue_id": done.queue_id,
        "status": done.status,
    }


def _could_be_ours(delivery: Delivery) -> bool:
    """Tell whether a version of this service could have a subject like this one."""
    texts = (*delivery.headers, *delivery.headers.values())
    if delivery.subject in NOT_BUILT:
        return False
    return SUBJECT.fullmatch(delivery.subject) is not None and all(
        text.isprintable() for text in texts
    )


def _stored(delivery: Delivery) -> WebhookHint:
    """Return which stored webhook the message says has come, and about what."""
    fields = delivery.fields()
    provider, event_id = fields.get("provider"), fields.get("event_id")
    if not isinstance(provider, str) or not isinstance(event_id, str):
        raise InvalidRequest("provider and event_id must be strings")
    queue_id, task_id = fields.get("queue_id"), fields.get("task_id")
    return WebhookHint(
        provider=provider,
        event_id=event_id,
        queue_id=queue_id if is_uuid(queue_id) else None,
        task_id=task_id if is_uuid(task_id) else None,
    )


def _wakeup(delivery: Delivery) -> Wakeup:
    fields = delivery.fields()
    task_id, queue_id = fields.get("task_id"), fields.get("queue_id")
    version = fields.get("version")
    if not is_uuid(queue_id):
        raise InvalidRequest("queue_id must be a UUID")
    if task_id is None:
        if not delivery.subject.startswith("order.queue."):
            raise InvalidRequest("task_id is missing")
    elif not is_uuid(task_id):
        raise InvalidRequest("task_id must be a UUID")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InvalidRequest("version must be a positive integer")
    return Wakeup(
        queue_id=queue_id,
        task_id=task_id,
        version=version,
        again=delivery.deliveries > 1,
    )
