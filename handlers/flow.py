"""The seam with I/O: the functions that a kind of order brings to the use cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from fsm.domain.orders import Order, Request
from fsm.domain.webhook_events import WebhookEvent
from fsm.engine.customer import CustomerMessage
from fsm.engine.flow import Flow
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from handlers.claims import Claims

EngineT_contra = TypeVar("EngineT_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What an order's steps need, as it was fetched; JSON, and no more than is used."""

    content: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """There is a final no to what an order's steps need: it will never begin.

    ``customer`` is what its customer is told.
    """

    code: str
    message: str | None = None
    customer: CustomerMessage | None = None


@dataclass(frozen=True, slots=True)
class LoadLater:
    """Somebody was away: it is asked again after a while, and no worker waits for it.

    What ``counts`` is one more of the order's ``tries`` to load.
    """

    because: str
    after: timedelta
    counts: bool = True


class FlowHandlers(Protocol[EngineT_contra]):
    """What a kind of order brings beside its flow; all that reaches the outside."""

    @property
    def flow(self) -> Flow:
        """The steps that its orders consist of."""
        ...

    def open(self, request: Request, queue_id: str, now: datetime) -> tuple[Task, ...]:
        """Return the tasks of a new order, by position; each names its step.

        Where the flow ``loads`` all of them wait for their turn.
        """
        ...

    async def load(
        self, order: Order, *, ports: EngineT_contra
    ) -> Loaded | NotLoaded | LoadLater:
        """Fetch what the order's steps need; asked only where the flow ``loads``.

        It is kept with the order in one write, and never fetched again after that.
        ``order.queue.tries`` says how often somebody was away for it before.

        :raises Fault: somebody was away; it is asked again.
        """
        ...

    def terms(self, task: Task, *, ports: EngineT_contra) -> Any:  # noqa: ANN401
        """Return what holds for a task's other side, as its lifecycle asks for it.

        Its guards get it, and what says when the task is woken; other lifecycles have
        other terms.
        """
        ...

    async def call(
        self, order: Order, task: Task, *, ports: EngineT_contra, claims: Claims
    ) -> Event:
        """Make the one outside call that a task's row says is due.

        :raises Fault: there was no definite answer; the row stays as it is.
        """
        ...

    async def give_up(
        self, order: Order, task: Task, *, ports: EngineT_contra
    ) -> Event:
        """Return what becomes of a task that is not as it was requested.

        :raises Tampered: nothing does, until a person has looked at it.
        """
        ...

    def heard(self, webhook: WebhookEvent, order: Order) -> Event | None:
        """Return what a webhook means for the task it is about; None for nothing."""
        ...
