"""What every step needs, and how one event becomes one committed step."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from fsm.domain.audit_keys import UNKEYED, AuditKeys
from fsm.domain.errors import Fault, SettledNews, StaleWrite, StoreUnavailable
from fsm.domain.news import NewsState
from fsm.domain.orders import Order
from fsm.engine.decide import cancel_order, decide
from fsm.engine.flow import Rules
from fsm.engine.rows import Queue, Task
from fsm.engine.steps import Decision, Event, Known, Step
from fsm.engine.words import Kind
from fsm.flows import RULES
from fsm.payout.policy import Plan
from fsm.plans import plan_for
from handlers.flow import FlowHandlers
from handlers.ports.clock import Clock
from handlers.ports.core import Core
from handlers.ports.gate import Gate, OpenGate
from handlers.ports.provider import Providers
from handlers.ports.store import Recorded, Store, Work
from handlers.ports.watch import NobodyWatches, Watch
from handlers.sound import Sealed, looked_over
from handlers.work import Bells, no_bells, work_of

CONFLICTS_MAX: Final = 20
STORE_PAUSE: Final = timedelta(milliseconds=200)
UNKNOWN_PROVIDER: Final = Plan()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long one delivery may be worked on.

    ``chain``: after it a step hands on to a message of its own. ``send_within``: how
    old the claim of a create may be when it is sent; past it another worker may have
    taken over, so it must stay well below the consumer's AckWait.
    """

    chain: timedelta = timedelta(seconds=10)
    send_within: timedelta = timedelta(seconds=5)


class Books(Sealed, Protocol):
    """What a step is written down with, where nobody is called for it."""

    @property
    def watch(self) -> Watch:
        """Who counts what is committed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The ports that a step is made with."""

    store: Store
    core: Core
    providers: Providers
    clock: Clock
    limits: Limits = field(default_factory=Limits)
    watch: Watch = field(default_factory=NobodyWatches)
    gate: Gate = field(default_factory=OpenGate)
    keys: AuditKeys = UNKEYED
    rules: Rules = RULES
    flows: "Mapping[tuple[Kind, int], FlowHandlers[Engine]]"

    def flow_of(self, order: Order) -> "FlowHandlers[Engine]":
        """Return what handles an order of its kind and version."""
        return self.flows[order.queue.kind, order.queue.flow_version]

    def newest_of(self, kind: Kind) -> "FlowHandlers[Engine]":
        """Return what opens new orders of a kind: its newest version."""
        return self.flows[max(k for k in self.flows if k[0].value == kind.value)]

    def plan_of(self, task: Task) -> Plan:
        """Return how the task's provider may be treated."""
        provider = self.providers.get(task.provider)
        plan = UNKNOWN_PROVIDER if provider is None else provider.plan
        return plan_for(plan, task.sla)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of an event: the order now, the decision, waiting webhooks.

    ``taken_at`` is a local time before the rows had this version; ``rung`` says that
    messages for what is due at once were committed with it. Not ``claimed`` is a step
    that was only found to have landed: it gives no right to send a create.
    """

    order: Order
    decision: Decision
    taken_at: float
    news_waiting: frozenset[str] = frozenset()
    rung: bool = False
    claimed: bool = True


class Contended(Fault):
    """The row moved under every one of many tries; the message comes again."""


async def settle(
    order: Order,
    task_id: str,
    event: Event,
    *,
    engine: Engine,
    bells: Bells = no_bells,
    news: Mapping[str, NewsState] | None = None,
) -> Settled:
    """Commit what the event means for one task.

    Whoever loses the compare-and-set loads again and decides again with the event it
    holds: an answer is never thrown away. The same is done where the store did not
    say whether it had committed.

    :raises Contended: every try was lost.
    :raises StoreUnavailable: the store stayed away.
    """

    def judge(queue: Queue, now: datetime) -> Decision:
        return decide(
            queue, task_id, event, rules=engine.rules, terms_of=engine.plan_of, now=now
        )

    return await commit(order, judge, engine=engine, bells=bells, news=news)


async def settle_cancel_of_order(
    order: Order, event: Event, *, engine: Engine, bells: Bells
) -> Settled:
    """Commit what the cancellation of a whole order means."""

    def judge(queue: Queue, now: datetime) -> Decision:
        return cancel_order(
            queue, event, rules=engine.rules, terms_of=engine.plan_of, now=now
        )

    return await commit(order, judge, engine=engine, bells=bells)


async def commit(
    order: Order,
    judge: Callable[[Queue, datetime], Decision],
    *,
    engine: Books,
    bells: Bells = no_bells,
    news: Mapping[str, NewsState] | None = None,
) -> Settled:
    """Judge and record until the record holds or nothing is left to record.

    :raises Tampered: what there is to judge was changed by another hand.
    """
    failed: StoreUnavailable | None = None
    order = await looked_over(order, engine)
    for _ in range(CONFLICTS_MAX):
        now, taken_at = engine.clock.now(), engine.clock.elapsed()
        decision = judge(order.queue, now)
        if not isinstance(decision, Step):
            return Settled(order=order, decision=decision, taken_at=taken_at)
        work = work_of(
            order, decision, now, bells=bells, news=news or {}, keys=engine.keys
        )
        try:
            recorded: Recorded = await engine.store.record(work)
        except SettledNews:
            # Whoever settled it has said what it means, whatever that was.
            order = await _again(order, engine)
            return Settled(order=order, decision=Known(), taken_at=taken_at)
        except StaleWrite:
            engine.watch.conflicted()
            order = await _again(order, engine)
        except StoreUnavailable as error:
            if failed is not None:
                raise
            failed = error
            await asyncio.sleep(STORE_PAUSE.total_seconds())
            order = await _again(order, engine)
            if _has_landed(work, order):
                engine.watch.recorded(work)
                return _found_landed(work, order, taken_at)
        else:
            engine.watch.recorded(work)
            return Settled(
                order=work.order,
                decision=decision,
                taken_at=taken_at,
                news_waiting=recorded.news_waiting,
                rung=work.rung,
            )
    raise Contended(f"order queue {order.queue_id} moved {CONFLICTS_MAX} times")


def _has_landed(work: Work, order: Order) -> bool:
    """Tell whether a step of which the store did not say so was committed after all."""
    heads = {task.task_id: task.audit_hash for task in order.queue.tasks}
    queue = work.step.queue
    return (queue is None or queue.after.audit_hash == order.queue.audit_hash) and all(
        heads[change.after.task_id] == change.after.audit_hash
        for change in work.step.changes
    )


def _found_landed(work: Work, order: Order, taken_at: float) -> Settled:
    moved = {change.after.task_id for change in work.step.changes}
    waiting = {t.task_id for t in order.queue.tasks if t.news_waiting}
    return Settled(
        order=order,
        decision=work.step,
        taken_at=taken_at,
        news_waiting=frozenset(moved & waiting),
        rung=work.rung,
        claimed=False,
    )


async def _again(order: Order, engine: Books) -> Order:
    found = await engine.store.load(order.queue_id)
    if found is None:
        raise StoreUnavailable(f"order queue {order.queue_id} is gone")
    return await looked_over(found, engine)
