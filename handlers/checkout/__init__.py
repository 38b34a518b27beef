"""The checkout: a saga whose steps are done by services, all of them or none."""

from datetime import datetime

from fsm.domain.orders import Order, Request
from fsm.domain.webhook_events import WebhookEvent
from fsm.engine.flow import Flow
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.flows import CHECKOUT
from fsm.service.policy import ServicePolicy
from handlers.calling import not_as_requested
from handlers.checkout.calls import call_for
from handlers.checkout.load import load
from handlers.checkout.open import check_paid_by, opened
from handlers.checkout.terms import policy_of
from handlers.claims import Claims
from handlers.commit import Ports
from handlers.flow import Loaded, LoadLater, NotLoaded
from handlers.ports.payments import PaidBy


class CheckoutHandlers:
    """Implements ``FlowHandlers`` for a saga; ``flow`` is any whose steps services do.

    Each step is done by the service of its own name, or those of ``paid_by`` by the
    first payment provider that does not say no.

    :raises ValueError: no payment provider can do such a step.
    """

    def __init__(self, flow: Flow = CHECKOUT, paid_by: PaidBy | None = None) -> None:
        check_paid_by(flow, paid_by or {})
        self.flow = flow
        self.paid_by = paid_by

    def open(self, request: Request, queue_id: str, now: datetime) -> tuple[Task, ...]:
        """Return the tasks of each step; all wait until what they need is loaded."""
        del request
        return opened(self.flow, queue_id, now, self.paid_by)

    def terms(self, task: Task, *, ports: Ports) -> ServicePolicy:
        """Return the policy of the task's service, or of its payment provider."""
        return policy_of(task, ports)

    async def load(
        self, order: Order, *, ports: Ports
    ) -> Loaded | NotLoaded | LoadLater:
        """Fetch what its steps need, from as many services as are configured."""
        return await load(order, ports=ports)

    async def call(
        self, order: Order, task: Task, *, ports: Ports, claims: Claims
    ) -> Event:
        """Make the call that is due to the step's service."""
        return await call_for(order, task, ports=ports, claims=claims)

    async def give_up(self, order: Order, task: Task, *, ports: Ports) -> Event:
        """Do nothing about what is not as it was requested, until a person has looked.

        It is neither done nor asked about nor undone: none of it would be about what
        was asked for. It goes on once its row is put back.

        :raises Tampered: always; a case is open.
        """
        raise await not_as_requested(order, task, ports)

    def heard(self, webhook: WebhookEvent, order: Order) -> None:
        """Return nothing: no service sends webhooks about a step."""
        del webhook, order
