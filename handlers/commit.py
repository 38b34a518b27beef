"""What every step needs, and how one event becomes one committed step."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from fsm.domain.audit_keys import UNKEYED, AuditKeys
from fsm.domain.errors import (
    Fault,
    InvalidRequest,
    StaleWrite,
    StoreUnavailable,
    WebhookSettled,
)
from fsm.domain.orders import Order
from fsm.domain.webhook_events import WebhookEventState
from fsm.engine.decide import TermsOf, cancel_order, decide
from fsm.engine.flow import Rules
from fsm.engine.records import quickly_made
from fsm.engine.rows import Queue
from fsm.engine.steps import Decision, Event, Known, Step
from fsm.engine.words import Kind
from fsm.flows import RULES
from handlers.flow import FlowHandlers
from handlers.ports.admission import AdmissionGate, OpenAdmission
from handlers.ports.clock import Clock
from handlers.ports.core import Core
from handlers.ports.partners import NoPartners, Partners
from handlers.ports.payments import NoPayments, PaidBy, PaymentProviders
from handlers.ports.provider import Providers
from handlers.ports.services import NoServices, StepServices
from handlers.ports.store import Recorded, StepWrite, Store
from handlers.ports.watch import NobodyWatches, Watch
from handlers.sound import Sealed, looked_over
from handlers.work import Wakeups, no_wakeups, work_of

CONFLICTS_MAX: Final = 20
STORE_PAUSE: Final = timedelta(milliseconds=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long one delivery may be worked on.

    ``chain``: after it a step hands on to a message of its own. ``send_within``: how
    old the claim of a create may be when it is sent; past it another worker may have
    taken over, so it must stay well below the consumer's AckWait.
    """

    chain: timedelta = timedelta(seconds=10)
    send_within: timedelta = timedelta(seconds=5)


class TrailPorts(Sealed, Protocol):
    """What a step is written down with, where nobody is called for it."""

    @property
    def watch(self) -> Watch:
        """Who counts what is committed."""
        ...

    @property
    def rules(self) -> Rules:
        """The lifecycles that tasks go by, whose timers wake them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports that a step is made with."""

    store: Store
    core: Core
    providers: Providers
    clock: Clock
    limits: Limits = field(default_factory=Limits)
    watch: Watch = field(default_factory=NobodyWatches)
    gate: AdmissionGate = field(default_factory=OpenAdmission)
    services: StepServices = field(default_factory=NoServices)
    payments: PaymentProviders = field(default_factory=NoPayments)
    partners: Partners = field(default_factory=NoPartners)
    paid_by: PaidBy = field(default_factory=dict)
    keys: AuditKeys = UNKEYED
    rules: Rules = RULES
    flows: "Mapping[tuple[Kind, int], FlowHandlers[Ports]]"

    def flow_of(self, order: Order) -> "FlowHandlers[Ports]":
        """Return what handles an order of its kind and version."""
        return self.flows[order.queue.kind, order.queue.flow_version]

    def newest_of(self, kind: Kind) -> "FlowHandlers[Ports]":
        """Return what opens new orders of a kind: its newest version.

        :raises InvalidRequest: this process has none.
        """
        known = [key for key in self.flows if key[0].value == kind.value]
        if not known:
            raise InvalidRequest(f"no version of the flow {kind.value} is known here")
        return self.flows[max(known)]

    def terms_of(self, queue: Queue) -> TermsOf:
        """Return how the terms of an order's tasks are found, as its flow says."""
        flow = self.flows[queue.kind, queue.flow_version]
        return lambda task: flow.terms(task, ports=self)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of an event: the order now, the decision, waiting webhooks.

    ``taken_at`` is a local time before the rows had this version; ``woken`` says that
    messages for what is due at once were committed with it. Not ``claimed`` is a step
    that was only found to have landed: it gives no right to send a create.
    """

    order: Order
    decision: Decision
    taken_at: float
    webhook_pending: frozenset[str] = frozenset()
    woken: bool = False
    claimed: bool = True


class Contended(Fault):
    """The row moved under every one of many tries; the message comes again."""


async def apply(
    order: Order,
    task_id: str,
    event: Event,
    *,
    ports: Ports,
    wakeups: Wakeups = no_wakeups,
    webhooks: Mapping[str, WebhookEventState] | None = None,
) -> Applied:
    """Commit what the event means for one task.

    Whoever loses the compare-and-set loads again and decides again with the event it
    holds: an answer is never thrown away. The same is done where the store did not
    say whether it had committed.

    :raises Contended: every try was lost.
    :raises StoreUnavailable: the store stayed away.
    """

    def judge(queue: Queue, now: datetime) -> Decision:
        terms_of = ports.terms_of(queue)
        return decide(
            queue, task_id, event, rules=ports.rules, terms_of=terms_of, now=now
        )

    return await commit(order, judge, ports=ports, wakeups=wakeups, webhooks=webhooks)


async def apply_cancel_of_order(
    order: Order, event: Event, *, ports: Ports, wakeups: Wakeups
) -> Applied:
    """Commit what the cancellation of a whole order means."""

    def judge(queue: Queue, now: datetime) -> Decision:
        terms_of = ports.terms_of(queue)
        return cancel_order(queue, event, rules=ports.rules, terms_of=terms_of, now=now)

    return await commit(order, judge, ports=ports, wakeups=wakeups)


async def commit(
    order: Order,
    judge: Callable[[Queue, datetime], Decision],
    *,
    ports: TrailPorts,
    wakeups: Wakeups = no_wakeups,
    webhooks: Mapping[str, WebhookEventState] | None = None,
) -> Applied:
    """Judge and record until the record holds or nothing is left to record.

    :raises Tampered: what there is to judge was changed by another hand.
    """
    failed: StoreUnavailable | None = None
    order = await looked_over(order, ports) if order.sound is None else order
    for _ in range(CONFLICTS_MAX):
        now, taken_at = ports.clock.now(), ports.clock.elapsed()
        decision = judge(order.queue, now)
        if not isinstance(decision, Step):
            return Applied(order=order, decision=decision, taken_at=taken_at)
        work = work_of(
            order,
            decision,
            now,
            wakeups=wakeups,
            webhooks=webhooks or {},
            keys=ports.keys,
            rules=ports.rules,
        )
        try:
            recorded: Recorded = await ports.store.record(work)
        except WebhookSettled:
            # Whoever settled it has said what it means, whatever that was.
            order = await _again(order, ports)
            return Applied(order=order, decision=Known(), taken_at=taken_at)
        except StaleWrite:
            ports.watch.conflicted()
            order = await _again(order, ports)
        except StoreUnavailable as error:
            if failed is not None:
                raise
            failed = error
            await asyncio.sleep(STORE_PAUSE.total_seconds())
            order = await _again(order, ports)
            if _has_landed(work, order):
                ports.watch.recorded(work)
                return _found_landed(work, order, taken_at)
        else:
            ports.watch.recorded(work)
            return Applied(
                order=work.order,
                decision=decision,
                taken_at=taken_at,
                webhook_pending=recorded.webhook_pending,
                woken=work.woken,
            )
    raise Contended(f"order queue {order.queue_id} moved {CONFLICTS_MAX} times")


def _has_landed(work: StepWrite, order: Order) -> bool:
    """Tell whether a step of which the store did not say so was committed after all."""
    heads = {task.task_id: task.audit_hash for task in order.queue.tasks}
    queue = work.step.queue
    return (queue is None or queue.after.audit_hash == order.queue.audit_hash) and all(
        heads[change.after.task_id] == change.after.audit_hash
        for change in work.step.changes
    )


def _found_landed(work: StepWrite, order: Order, taken_at: float) -> Applied:
    moved = {change.after.task_id for change in work.step.changes}
    waiting = {t.task_id for t in order.queue.tasks if t.webhook_pending}
    return Applied(
        order=order,
        decision=work.step,
        taken_at=taken_at,
        webhook_pending=frozenset(moved & waiting),
        woken=work.woken,
        claimed=False,
    )


async def _again(order: Order, ports: TrailPorts) -> Order:
    found = await ports.store.load(order.queue_id)
    if found is None:
        raise StoreUnavailable(f"order queue {order.queue_id} is gone")
    return await looked_over(found, ports)
