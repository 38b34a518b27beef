"""Handles what forwarders say on the bus: webhooks, and wishes to cancel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fsm.domain import messages as subjects
from fsm.domain.dead_letters import Reason
from fsm.domain.errors import InvalidRequest, UnknownOrder
from fsm.domain.orders import Order
from fsm.engine.words import Kind
from handlers.cancel import cancel_known, order_of_task
from handlers.commit import Ports
from handlers.inbox import keep
from handlers.ports.bus import Delivery
from handlers.ports.outcomes import Done, Outcome, Park, Retry
from handlers.route import Told
from payment_service.wire.cancel_message import (
    read_queue_cancel,
    read_task_cancel,
    read_withdrawal_cancel,
)
from payment_service.wire.webhook_message import read_webhook_message
from payment_service.wiring.forwarders import Forwarders

OVERTAKES: Final = 4
"""Deliveries of a cancellation that may have come before its order, and the last."""

TOLD: Final[Mapping[str, dict[str, str | None]]] = {
    "accepted": {"status": "accepted"},
    "duplicate": {"status": "duplicate"},
    "too_late": {"status": "rejected", "error": "the order is final"},
    "refused": {"status": "rejected"},
    "tampered": {"status": "rejected", "error": "the order's rows were changed"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardedUseCases:
    """What counts only where it is known who said it."""

    ports: Ports
    forwarders: Forwarders

    def is_named(self, delivery: Delivery) -> bool:
        """Tell whether a sender says who it is."""
        return self.forwarders.is_named(delivery)

    async def webhook(self, delivery: Delivery) -> Outcome:
        """Store a webhook as its forwarder's word; its own wake-up goes on with it.

        :raises InvalidRequest: nobody may say so, or it cannot be read.
        """
        now = self.ports.clock.now()
        sender = self.forwarders.sender(delivery, "webhooks", now)
        webhook = read_webhook_message(delivery.body, by=sender.name, now=now)
        if webhook.provider not in sender.providers:
            raise InvalidRequest(
                f"forwarder {sender.name} may not speak "
                f"for provider {webhook.provider!r}"
            )
        (arrival,) = await keep(webhook, ports=self.ports)
        return Done(what=arrival.value)

    async def cancel_row(self, delivery: Delivery) -> Outcome:
        """Put the wish into a row that is named by our own ids.

        :raises InvalidRequest: nobody may say so, or it cannot be read.
        """
        sender = self.forwarders.sender(delivery, "cancel", self.ports.clock.now())
        if delivery.subject == subjects.QUEUE_CANCEL:
            whole = read_queue_cancel(delivery.body)
            order = await self.ports.store.load(whole.queue_id)
            return await self._cancel(order, whole.reason, sender.name)
        one = read_task_cancel(delivery.body)
        try:
            order = await order_of_task(one.task_id, ports=self.ports)
        except UnknownOrder:
            order = None
        return await self._cancel(order, one.reason, sender.name, one.task_id)

    async def cancel_withdrawal(
        self, delivery: Delivery
    ) -> tuple[Outcome, Told | None]:
        """Put the wish into the order that its merchant calls so; return an answer too.

        :raises InvalidRequest: nobody may say so, or it cannot be read.
        """
        sender = self.forwarders.sender(delivery, "cancel", self.ports.clock.now())
        wish = read_withdrawal_cancel(delivery.body)
        store = self.ports.store
        queue_id = await store.queue_of_order(
            wish.merchant_id, Kind.WITHDRAWAL, wish.order_id
        )
        order = None if queue_id is None else await store.load(queue_id)
        if order is None and delivery.deliveries < OVERTAKES:
            return Retry(because="it may have come before its order"), None
        outcome = await self._cancel(order, wish.reason, sender.name)
        if not isinstance(outcome, Done):
            return outcome, None
        return outcome, {
            "order_id": wish.order_id,
            "queue_id": queue_id,
            **TOLD[outcome.what],
            **({"error": outcome.because} if outcome.because else {}),
        }

    async def _cancel(
        self, order: Order | None, reason: str, by: str, task_id: str | None = None
    ) -> Outcome:
        if order is None:
            return Park(because="no such order or task", reason=Reason.UNKNOWN_TASK)
        return await cancel_known(
            order, reason, by=by, task_id=task_id, ports=self.ports
        )
