"""Partner links: a card is linked where its partner says yes, or unlinked again."""

from datetime import datetime
from typing import NoReturn

from fsm.domain.orders import Order, Request
from fsm.domain.webhook_events import WebhookEvent
from fsm.engine.flow import Flow
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.flows import PARTNER_LINK, PARTNER_UNLINK
from fsm.partner.policy import LinkPolicy
from handlers.calling import not_as_requested
from handlers.claims import Claims
from handlers.commit import Ports
from handlers.partner.calls import call_for
from handlers.partner.open import opened
from handlers.partner.terms import policy_of


class PartnerHandlers:
    """Implements ``FlowHandlers`` for a link, or for the removal of one."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    def open(self, request: Request, queue_id: str, now: datetime) -> tuple[Task, ...]:
        """Return the one task of a new order, due at once."""
        return opened(self.flow, request, queue_id, now)

    def terms(self, task: Task, *, ports: Ports) -> LinkPolicy:
        """Return the policy of the task's partner."""
        return policy_of(task, ports)

    async def load(self, order: Order, *, ports: Ports) -> NoReturn:
        """Load nothing: the flow does not say that it loads.

        :raises ValueError: always.
        """
        del ports
        raise ValueError(f"order queue {order.queue_id} loads nothing")

    async def call(
        self, order: Order, task: Task, *, ports: Ports, claims: Claims
    ) -> Event:
        """Make the call that is due to the partner or to core."""
        return await call_for(order, task, ports=ports, claims=claims)

    async def give_up(self, order: Order, task: Task, *, ports: Ports) -> Event:
        """Do nothing about what is not as it was requested, until a person has looked.

        :raises Tampered: always; a case is open.
        """
        raise await not_as_requested(order, task, ports)

    def heard(self, webhook: WebhookEvent, order: Order) -> None:
        """Return nothing: no partner sends webhooks about a link."""
        del webhook, order


LINKS = PartnerHandlers(PARTNER_LINK)
UNLINKS = PartnerHandlers(PARTNER_UNLINK)
