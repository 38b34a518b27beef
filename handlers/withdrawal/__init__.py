"""The withdrawal: payouts tried in a cascade, with the money held at core meanwhile."""

from datetime import datetime

from fsm.domain.orders import Order, Request
from fsm.domain.webhook_events import WebhookEvent
from fsm.engine.flow import Flow
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.flows import WITHDRAWAL
from fsm.payout.policy import ProviderPolicy
from handlers.claims import Claims
from handlers.commit import Ports
from handlers.flow import Loaded
from handlers.withdrawal.calls import call_for, given_up
from handlers.withdrawal.open import opened
from handlers.withdrawal.terms import policy_of
from handlers.withdrawal.webhooks import event_of_webhook


class WithdrawalHandlers:
    """Implements ``FlowHandlers`` for withdrawals."""

    flow: Flow = WITHDRAWAL

    def open(self, request: Request, queue_id: str, now: datetime) -> tuple[Task, ...]:
        """Return a task for each entry of the cascade."""
        return opened(request, queue_id, now)

    def terms(self, task: Task, *, ports: Ports) -> ProviderPolicy:
        """Return the policy of the task's provider."""
        return policy_of(task, ports)

    async def load(self, order: Order, *, ports: Ports) -> Loaded:
        """Return nothing: all that its steps need is in the request."""
        del order, ports
        return Loaded({})

    async def call(
        self, order: Order, task: Task, *, ports: Ports, claims: Claims
    ) -> Event:
        """Make the call that is due to core or to a provider."""
        return await call_for(order, task, ports=ports, claims=claims)

    async def give_up(self, order: Order, task: Task, *, ports: Ports) -> Event:
        """Return what becomes of a task that is not as it was requested."""
        return await given_up(order, task, ports)

    def heard(self, webhook: WebhookEvent, order: Order) -> Event | None:
        """Return what a provider's webhook means."""
        return event_of_webhook(webhook, order)
