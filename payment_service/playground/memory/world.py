"""The in-memory world: a whole service with its neighbours, under virtual time.

Nothing in it waits: whoever drives it lets time pass, has messages delivered, and has
webhooks, people and the sweeper act, one after the other.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, TypeVar

import orjson

from fsm.domain.audit_keys import UNKEYED, AuditKeys
from fsm.domain.dead_letters import Reason
from fsm.domain.errors import Fault, NotNow
from fsm.domain.four_eyes import FourEyes
from fsm.domain.messages import STEP_DUE, WITHDRAWAL_REQUESTED, Message
from fsm.domain.money import Money
from fsm.domain.orders import CascadeEntry, Order, Request, Submission
from fsm.domain.votes import Vote
from fsm.domain.webhook_events import Arrival, WebhookEvent, WebhookEventType
from fsm.engine.rows import Task
from fsm.engine.words import Kind, State
from fsm.payout.policy import ProviderPolicy
from handlers.cancel import request_cancel_of_order, request_cancel_of_task
from handlers.commit import Limits, Ports
from handlers.dead_letters import dead_letter
from handlers.flows import flows_of
from handlers.inbox import keep
from handlers.ports.admission import AdmissionGate, OpenAdmission
from handlers.ports.bus import Delivery
from handlers.ports.outcomes import Done, Outcome, Park, Retry
from handlers.ports.payments import PaidBy, PaymentProviders
from handlers.ports.provider import Providers
from handlers.ports.store import StepWrite, Unsent
from handlers.relay import LEFT_AFTER, relay
from handlers.resolve import Ruling, resolve
from handlers.route import Dispatch, Told
from handlers.submit import submit
from handlers.sweep import Swept, sweep
from payment_service.playground.memory.bus import MemoryBus
from payment_service.playground.memory.clock import VirtualClock
from payment_service.playground.memory.core import MemoryCore
from payment_service.playground.memory.effects import Died, Effects, is_death
from payment_service.playground.memory.partners import MemoryPartners
from payment_service.playground.memory.payments import MemoryPayments
from payment_service.playground.memory.providers import (
    Conduct,
    MemoryProvider,
    MemoryProviders,
    PayoutFate,
    stated,
)
from payment_service.playground.memory.rows import MemoryRows, Rows
from payment_service.playground.memory.services import MemoryServices

GRACE: Final = timedelta(seconds=30)
ROUNDS_MAX: Final = 20_000
PATIENCE: Final = 50
A_MONTH: Final = timedelta(days=30)
CASCADE: Final = ("acme", "zeta", "nova")
TRACE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

Result = TypeVar("Result")


class NeverRests(AssertionError):
    """The service goes round in circles."""


def a_request(
    *cascade: str | CascadeEntry,
    order_id: str = "w-1001",
    amount: int = 12550,
    merchant_id: str = "m-1",
) -> Request:
    """Return a request for a withdrawal over some providers."""
    entries = tuple(
        entry if isinstance(entry, CascadeEntry) else CascadeEntry(provider=entry)
        for entry in cascade or CASCADE
    )
    names = [(e.provider, e.terminal_id, e.sla) for e in entries]
    return Request(
        kind=Kind.WITHDRAWAL,
        order_id=order_id,
        merchant_id=merchant_id,
        customer_id="c-9",
        money=Money(amount, "EUR"),
        destination={"type": "card", "token": "tok_8f2a"},
        cascade=entries,
        metadata={"channel": "web"},
        content=orjson.dumps([order_id, merchant_id, amount, names]),
    )


class Probe:
    """Implements ``ports.watch.Watch``; does what is wanted after a commit."""

    def __init__(self) -> None:
        self.conflicts = 0
        self.lateness: list[float] = []
        self.on_recorded: list[Callable[[StepWrite], None]] = []

    def recorded(self, work: StepWrite) -> None:
        if self.on_recorded:
            self.on_recorded.pop(0)(work)

    def conflicted(self) -> None:
        self.conflicts += 1

    def woke(self, lateness_seconds: float) -> None:
        self.lateness.append(lateness_seconds)


def request_message(request: Request) -> Message:
    """Return the message that asks for what a world remembers by its order id."""
    return Message(
        subject=WITHDRAWAL_REQUESTED,
        body=orjson.dumps({"order_id": request.order_id}),
        message_id=f"request:{request.order_id}",
    )


class MemoryWorld:
    """One service with its neighbours; nothing moves but by its methods."""

    def __init__(
        self,
        *,
        clock: VirtualClock | None = None,
        effects: Effects | None = None,
        rows: Rows | None = None,
        bus: MemoryBus | None = None,
        limits: Limits | None = None,
        keys: AuditKeys = UNKEYED,
    ) -> None:
        self.keys = keys
        self.clock = clock or VirtualClock()
        self.effects = effects or Effects()
        self.committed: list[Unsent] = []
        self.rows = rows or MemoryRows(
            self.clock, self.effects, on_committed=self.committed.extend
        )
        self.bus = bus or MemoryBus(self.clock, self.effects)
        self.core = MemoryCore(self.clock, self.effects)
        self.providers = MemoryProviders()
        self.services = MemoryServices()
        self.payments = MemoryPayments()
        self.partners = MemoryPartners()
        self.paid_by: PaidBy = {}
        self.watched_payments: PaymentProviders | None = None
        self.watched: Providers | None = None
        self.gate: AdmissionGate = OpenAdmission()
        self.limits = limits or Limits()
        self.probe = Probe()
        self.four_eyes = FourEyes()
        self.requests: dict[str, Request] = {}
        self.answers: list[str] = []
        self.deaths = 0
        for name in CASCADE:
            self.provider(name)

    @property
    def ports(self) -> Ports:
        return Ports(
            flows=flows_of(self.paid_by),
            paid_by=self.paid_by,
            store=self.rows.store,
            core=self.core,
            providers=self.watched or self.providers,
            clock=self.clock,
            limits=self.limits,
            watch=self.probe,
            gate=self.gate,
            services=self.services,
            payments=self.watched_payments or self.payments,
            partners=self.partners,
            keys=self.keys,
        )

    def provider(
        self, name: str, *script: Conduct, plan: ProviderPolicy | None = None
    ) -> MemoryProvider:
        """Configure a provider; one that is not told otherwise pays."""
        twin = MemoryProvider(name, clock=self.clock, plan=plan, effects=self.effects)
        if script:
            twin.script = list(script)
        self.providers.add(twin)
        return twin

    # What the neighbours do: each repeats what was not answered, as they must.

    async def submit(self, request: Request | None = None) -> Submission:
        """Send a request until it is answered."""
        wanted = request or a_request()
        return await self.insist(
            lambda: submit(wanted, ports=self.ports, actor="system", trace_parent=TRACE)
        )

    async def request(self, request: Request | None = None) -> None:
        """Send a request as a message, until a worker has stored the order."""
        wanted = request or a_request()
        self.requests[wanted.order_id] = wanted
        self.bus.deliver_again(request_message(wanted))
        await self.work_off()
        while all(o.order_id != wanted.order_id for o in await self.rows.orders()):
            await self.pass_time(timedelta(seconds=31))
            await self.work_off()

    async def webhook(self, webhook: WebhookEvent) -> bool:
        """Send a webhook until it is taken; False where it was seen before."""
        (arrival,) = await self.insist(lambda: keep(webhook, ports=self.ports))
        return arrival is Arrival.STORED

    async def tell(
        self, name: str, kind: WebhookEventType, reference: str, **said: object
    ) -> WebhookEvent:
        """Have a provider send a webhook about a payout."""
        webhook = stated(self.providers[name].webhook(kind, reference), **said)
        await self.webhook(webhook)
        return webhook

    async def settle_pending(self, name: str, *, paid: bool) -> None:
        """Have a provider come to an end with all it has accepted, and tell."""
        provider = self.providers[name]
        for task in await self.tasks():
            if provider.fate(task.task_id) is not PayoutFate.PENDING:
                continue
            if paid:
                provider.pays(task.task_id)
                await self.tell(name, WebhookEventType.SUCCEEDED, task.task_id)
            else:
                provider.fails(task.task_id)
                await self.tell(name, WebhookEventType.FAILED, task.task_id)

    async def decide(
        self,
        ruling: Ruling,
        *,
        actor: str = "key:anna",
        insist: bool = False,
        by_hand: bool = False,
        person: str | None = None,
    ) -> Vote | None:
        """Have a person decide every manual check; None where there is none."""
        decided = None
        for task in await self.tasks():
            if task.state is State.MANUAL_CHECK:
                decided = await self.decide_task(
                    task.task_id,
                    ruling,
                    actor=actor,
                    insist=insist,
                    by_hand=by_hand,
                    person=person,
                )
        return decided

    async def decide_task(
        self,
        task_id: str,
        ruling: Ruling,
        *,
        actor: str = "key:anna",
        insist: bool = False,
        by_hand: bool = False,
        person: str | None = None,
    ) -> Vote | None:
        """Have a person decide one manual check; None where it was decided before.

        Who insists repeats it until it is answered.
        """

        def act() -> Awaitable[Vote]:
            return resolve(
                task_id,
                ruling,
                reason="seen in the bank's statement",
                evidence="line 17",
                actor=actor,
                four_eyes=self.four_eyes,
                ports=self.ports,
                by_hand=by_hand,
                person=person,
            )

        if not insist:
            return await act()
        with suppress(NotNow):
            return await self.insist(act)
        return None

    async def cancel_order(self, *, insist: bool = False) -> None:
        """Ask to give up the order."""
        order = await self.order()

        def act() -> Awaitable[None]:
            return request_cancel_of_order(
                order, "the customer asked", actor="key:anna", ports=self.ports
            )

        await self._asked(act, insist=insist)

    async def cancel_task(self, position: int = 0, *, insist: bool = False) -> None:
        """Ask to give up one attempt."""
        task_id = (await self.task(position)).task_id

        def act() -> Awaitable[None]:
            return request_cancel_of_task(
                task_id, "too slow", actor="key:anna", ports=self.ports
            )

        await self._asked(act, insist=insist)

    async def _asked(self, act: Callable[[], Awaitable[None]], *, insist: bool) -> None:
        if not insist:
            await act()
            return
        with suppress(NotNow):
            await self.insist(act)

    async def insist(self, act: Callable[[], Awaitable[Result]]) -> Result:
        """Repeat a call from outside until it is answered; our process may die."""
        for _ in range(PATIENCE):
            try:
                return await act()
            except Fault:
                continue
            except (Died, BaseExceptionGroup) as error:
                if not is_death(error):
                    raise
                self.die()
        raise NeverRests("nobody answers")

    # What the service does by itself.

    def die(self) -> None:
        """Lose what only the process knew, and start again."""
        self.deaths += 1
        self.committed.clear()

    async def alive(self, act: Callable[[], Awaitable[Result]]) -> Result | None:
        """Do something that the process may die of."""
        try:
            return await act()
        except (Died, BaseExceptionGroup) as error:
            if not is_death(error):
                raise
            self.die()
        except Fault:
            pass
        return None

    async def publish(self) -> None:
        """Publish what was just committed, as the outbox publisher does."""
        rows, publisher = list(self.committed), self.bus
        self.committed.clear()
        acknowledged = await publisher.publish([row.message for row in rows])
        sent = [r.seq for r, ok in zip(rows, acknowledged, strict=True) if ok]
        if sent:
            await self.rows.sweeps.sent(sent)

    async def deliver(self) -> bool:
        """Have one message handled that is ready; False where none is."""
        handled = await self.alive(
            lambda: self.bus.deliver(self.handle, self.dead_letter)
        )
        if self.committed:
            await self.alive(self.publish)
        # A worker that died has handled something too.
        return handled is not False

    async def work_off(self) -> None:
        """Have everything handled that can be without time passing."""
        if self.committed:
            await self.alive(self.publish)
        for _ in range(ROUNDS_MAX):
            if not await self.deliver():
                return
        raise NeverRests("messages without end")

    async def relay(self) -> None:
        await relay(outbox=self.rows.sweeps, publisher=self.bus)

    async def sweep(self) -> Swept:
        return await sweep(
            rows=self.rows.sweeps,
            store=self.rows.store,
            publisher=self.bus,
            clock=self.clock,
            grace=GRACE,
        )

    async def rest(self, *, within: timedelta = A_MONTH) -> None:
        """Let time pass until nothing is due any more, or for as long as given."""
        end = self.clock.now() + within
        for _ in range(ROUNDS_MAX):
            await self.work_off()
            following = await self._next_at()
            if following is None:
                return
            if following > end:
                break
            await self.pass_time(until=following)
            await self.alive(self.relay)
            await self.alive(self.sweep)
        else:
            raise NeverRests("timers without end")
        await self.pass_time(until=end)

    async def pass_time(
        self, by: timedelta = timedelta(0), *, until: datetime | None = None
    ) -> None:
        """Let time pass, and nothing else happen."""
        self.clock.advance(by)
        if until is not None:
            self.clock.advance_to(until)
        await self.rows.tell_time()

    async def _next_at(self) -> datetime | None:
        times = [
            self.bus.next_at(),
            await self.rows.next_at(left=LEFT_AFTER, grace=GRACE),
        ]
        return min((at for at in times if at is not None), default=None)

    async def handle(self, delivery: Delivery) -> Outcome:
        dispatch = Dispatch(
            ports=self.ports,
            read_request=lambda d: self.requests[str(d.fields()["order_id"])],
            answer=self._answered,
        )
        return await dispatch.handle(delivery, TRACE)

    async def dead_letter(self, delivery: Delivery, reason: Reason, error: str) -> None:
        await dead_letter(
            delivery, reason, error, store=self.rows.store, clock=self.clock
        )

    async def _answered(self, delivery: Delivery, told: Told) -> None:
        del delivery
        self.answers.append(str(told["status"]))

    # What can be seen.

    def wakeup(self) -> Message:
        """Return the wake-up that was just committed and is not published yet."""
        (wakeup,) = (r.message for r in self.committed if r.message.subject == STEP_DUE)
        return wakeup

    async def order(self) -> Order:
        return (await self.rows.orders())[0]

    async def tasks(self) -> Sequence[Task]:
        return [t for order in await self.rows.orders() for t in order.queue.tasks]

    async def task(self, position: int = 0) -> Task:
        return (await self.order()).queue.tasks[position]

    async def states(self) -> list[str]:
        """Return the states of the order's tasks, then its own."""
        order = await self.order()
        return [*(t.state.value for t in order.queue.tasks), order.queue.state.value]

    async def kinds_of_cases(self) -> list[str]:
        return [case.kind.value for case in await self.rows.cases()]

    async def steps(self, position: int = 0) -> list[str]:
        """Return the states a task went through, each once in a row."""
        task_id = (await self.task(position)).task_id
        lines = [line for line in await self.rows.trail() if line.task_id == task_id]
        targets = [e.target for e in sorted(lines, key=lambda e: e.version)]
        return [
            target
            for n, target in enumerate(targets)
            if n == 0 or target != targets[n - 1]
        ]

    def words(self) -> list[str]:
        """Return what became of each delivery, in a word."""
        return [_word(outcome) for _, outcome in self.bus.outcomes]


def _word(outcome: Outcome) -> str:
    match outcome:
        case Done(what=what):
            return what
        case Retry():
            return "retry"
        case Park(reason=reason):
            return reason.value
