"""The withdrawal: payouts tried in a cascade, with the money held at core meanwhile."""

from datetime import datetime

from fsm.domain.news import News
from fsm.domain.orders import Order, Request
from fsm.engine.flow import Flow
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.flows import WITHDRAWAL
from handlers.claims import View
from handlers.engine import Engine
from handlers.withdrawal.calls import call_for, given_up
from handlers.withdrawal.open import opened
from handlers.withdrawal.webhooks import event_of_news


class WithdrawalHandlers:
    """Implements ``FlowHandlers`` for withdrawals."""

    flow: Flow = WITHDRAWAL

    def open(self, request: Request, queue_id: str, now: datetime) -> tuple[Task, ...]:
        """Return a task for each entry of the cascade."""
        return opened(request, queue_id, now)

    async def call(
        self, order: Order, task: Task, *, engine: Engine, view: View
    ) -> Event:
        """Make the call that is due to core or to a provider."""
        return await call_for(order, task, engine=engine, view=view)

    async def give_up(self, order: Order, task: Task, *, engine: Engine) -> Event:
        """Return what becomes of a task that is not as it was requested."""
        return await given_up(order, task, engine)

    def heard(self, news: News, order: Order) -> Event | None:
        """Return what a provider's webhook means."""
        return event_of_news(news, order)
