"""Who uses the service: upstream with its orders, people who cancel and decide."""

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Final

import orjson

from fsm.domain.case_events import case_closed
from fsm.domain.errors import NotNow, UnknownOrder
from fsm.domain.four_eyes import FourEyes
from fsm.domain.messages import cancel_wakeup
from fsm.domain.money import Money
from fsm.domain.orders import CascadeEntry, Request
from fsm.domain.votes import Vote
from fsm.engine.rows import Queue, Task
from fsm.engine.words import CaseKind, CaseState, Kind, State
from fsm.payout.words import Waiting
from fsm.service.lifecycle import SERVICE
from handlers.cancel import request_cancel_of_order, request_cancel_of_task
from handlers.checkout.terms import is_charge
from handlers.dead_letters import discard, replay
from handlers.ports.core import Operation
from handlers.ports.reads import CaseRecord
from handlers.resolve import Ruling, resolve, withdraw_resolution
from handlers.submit import submit
from handlers.withdrawal.returns import settle_return, withdraw_settlement
from payment_service.playground.memory.providers import PayoutFate
from tests.simulation.counterparties import SimProvider
from tests.simulation.environment import NOWHERE, Ground, Process
from tests.simulation.fleet import Fleet
from tests.simulation.partners import is_link
from tests.simulation.payments import SimPayment
from tests.simulation.rates import DAY, HOUR, MINUTE, SECOND
from tests.simulation.services import SimService
from tests.world.checkouts import a_checkout
from tests.world.links import a_card, a_link, an_unlink

TRACE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FOUR_EYES_FROM: Final = 10_000
MISREAD: Final = 0.2
ERRS: Final = 0.5
DECISIONS_MAX: Final = 12
PATIENCE_WITH_CORE: Final = 3
SLAS: Final = (None, None, None, "1s", "5m", "2h", "none")


def _checkout(number: int, more: int = 0) -> Request:
    return a_checkout(f"c-{number}", 12_550 + more)


def _link(number: int, more: int = 0) -> Request:
    """Ask for one of a few links: several orders are about one card."""
    customer = f"c-{number % 2}" if not more else "c-other"
    card = a_card(f"tok_card_{number % 3}")
    return a_link(f"l-{number}", customer_id=customer, card=card)


class People:
    """Each of them repeats what was not answered; ``promises`` is what was."""

    def __init__(self, ground: Ground, fleet: Fleet) -> None:
        self.ground = ground
        self.fleet = fleet
        self.accepted: dict[str, str] = {}
        self.cancelled: set[str] = set()
        self.wished: set[str] = set()
        self.decided: dict[str, str] = {}
        self._asked: set[str] = set()
        self._decisions: Counter[str] = Counter()

    # Upstream.

    def order(self, number: int, kind: Kind) -> None:
        """Send a request at some time of the faulty phase, often beside others."""
        ground = self.ground
        span = ground.setting.faulty
        burst = int(ground.draw() * 4) * span // 4
        at = burst + ground.between(0, span // 4)
        drafts: dict[Kind, Callable[..., Request]] = {
            Kind.WITHDRAWAL: self._request,
            Kind.CHECKOUT: _checkout,
            Kind.PARTNER_LINK: _link,
        }
        draft = drafts[kind]
        again = partial(draft, number, 7)
        ground.spawn(NOWHERE, self._orders(draft(number), at, again))

    def _request(self, number: int, more: int = 0) -> Request:
        random = self.ground.random
        names = self.fleet.providers.names()
        entries = tuple(
            CascadeEntry(provider=random.choice(names), sla=random.choice(SLAS))
            for _ in range(random.randint(1, self.ground.setting.cascade_max))
        )
        amount = random.choice((5_000, 12_550, 99_999)) + more
        order_id = f"w-{number}"
        return Request(
            kind=Kind.WITHDRAWAL,
            order_id=order_id,
            merchant_id="m-1",
            customer_id="c-9",
            money=Money(amount, "EUR"),
            destination={"type": "card", "token": "tok_8f2a"},
            cascade=entries,
            metadata={},
            content=orjson.dumps([order_id, amount, [e.provider for e in entries]]),
        )

    async def _orders(
        self, request: Request, at: int, again: Callable[[], Request]
    ) -> None:
        ground = self.ground
        await ground.loop.sleep(at)
        await self._submits(request)
        if request.kind is Kind.PARTNER_LINK and ground.draw() < 0.6:
            await ground.loop.sleep(ground.between(SECOND, DAY))
            await self._removes(request.order_id)
        while ground.chance(ground.dials.cancels):
            longest = ground.random.choice((SECOND, MINUTE, HOUR, DAY))
            await ground.loop.sleep(1 + int(ground.draw() * longest))
            await self._cancels(request.order_id)
        if ground.draw() < 0.2:
            await ground.loop.sleep(ground.between(1, DAY))
            await self._submits(request)
        if ground.draw() < 0.1:
            await self._submits(again())

    async def _submits(self, request: Request) -> None:
        if self.ground.draw() < 0.5:
            done = await self.fleet.answer_to(request)
        else:
            done = await self.fleet.insist(
                lambda p: submit(
                    request, ports=p.ports, actor="system", trace_parent=TRACE
                )
            )
        self.ground.seen[f"submit: {done.status}"] += 1
        self.ground.note(f"submit {done.status}", request.order_id)
        if done.queue_id is not None:
            self.accepted[request.order_id] = done.queue_id

    async def _removes(self, order_id: str) -> None:
        """Ask for the removal of a link, whatever has become of it."""
        queue_id = self.accepted.get(order_id)
        link = self.fleet.store.tables.orders.get(queue_id or "")
        if link is not None and link.queue.kind is Kind.PARTNER_LINK:
            await self._submits(an_unlink(link, f"u-{order_id}"))

    # Support.

    async def _cancels(self, order_id: str) -> None:
        if self.ground.draw() < 0.1:
            self._forged_cancel(order_id)
            return
        whole = self.ground.draw() < 0.6
        try:
            about = await self.fleet.insist(
                lambda p: self._cancel(p, order_id, whole=whole)
            )
        except (NotNow, UnknownOrder) as refusal:
            self.ground.seen[f"cancel refused: {type(refusal).__name__}"] += 1
            return
        self.ground.seen["cancel of an order" if whole else "cancel of a task"] += 1
        self.ground.note("cancel", about)
        self.cancelled.add(about)

    async def _cancel(self, process: Process, order_id: str, *, whole: bool) -> str:
        queue_id = self.accepted[order_id]
        order = await process.ports.store.load(queue_id)
        if order is None:
            raise UnknownOrder(order_id)
        if whole:
            self.wished.add(queue_id)
            await request_cancel_of_order(
                order, "asked", actor="key:anna", ports=process.ports
            )
            return queue_id
        task: Task = self.ground.random.choice(order.queue.tasks)
        self.wished.add(task.task_id)
        await request_cancel_of_task(
            task.task_id, "too slow", actor="key:anna", ports=process.ports
        )
        return task.task_id

    def _forged_cancel(self, order_id: str) -> None:
        """Have somebody publish a cancel with the right version, which is no wish."""
        order = self.fleet.store.tables.orders.get(self.accepted[order_id])
        if order is not None:
            self.ground.seen["cancel forged"] += 1
            rows: list[Task | Queue] = [order.queue, *order.queue.tasks]
            row = self.ground.random.choice(rows)
            self.fleet.bus.deliver_again(cancel_wakeup(row))

    # Back office.

    def asked(self, task_id: str) -> None:
        """Put a manual check before somebody who will look into it."""
        if task_id not in self._asked:
            self._asked.add(task_id)
            self.ground.spawn(NOWHERE, self._looks_into(task_id))

    async def _looks_into(self, task_id: str) -> None:
        ground = self.ground
        actors = ("key:anna", "key:anna", "key:bert", "key:carl")
        for number in range(500):
            await ground.loop.sleep(ground.between(MINUTE, DAY))
            task = self.fleet.store.task(task_id)
            if task is None or task.state is not State.MANUAL_CHECK:
                break
            if task.waiting_for is Waiting.LAST_QUESTION:
                continue
            if self._errs(task, number):
                actor = actors[number % len(actors)]
                await self._decides(task_id, Ruling.NEGATIVE, actor, by_hand=False)
                continue
            ruling = self._truth(task)
            if ruling is None:
                await ground.loop.sleep(HOUR)
                continue
            self.fleet.core.mend(task_id)
            self._decisions[task_id] += 1
            if self._decisions[task_id] > DECISIONS_MAX:
                # Core has no hold for it any more: only amnesia comes to that.
                ground.seen["decided in vain"] += 1
                return
            by_hand = self._gives_up_on_core(task, ruling)
            actor = actors[number % len(actors)]
            if self._misreads(task):
                # A vote that is taken back or contested decides nothing in vain.
                self._decisions[task_id] -= 1
                wrong = {Ruling.POSITIVE, Ruling.NEGATIVE} - {ruling}
                await self._decides(task_id, wrong.pop(), actor, by_hand=False)
                if ground.draw() < 0.5:
                    await self._thinks_again(task_id, actor)
                continue
            await self._decides(task_id, ruling, actor, by_hand=by_hand)
        self._asked.discard(task_id)

    def _misreads(self, task: Task) -> bool:
        """Vote wrongly at times: never second, and never where one person decides."""
        order = self.fleet.store.tables.orders[task.queue_id]
        takes_two = self._four_eyes.needs_two(order.money)
        first = task.proposed_by is None
        return takes_two and first and self.ground.draw() < MISREAD

    @property
    def _four_eyes(self) -> FourEyes:
        return FourEyes(FOUR_EYES_FROM if self.ground.setting.four_eyes else None)

    def _errs(self, task: Task, number: int) -> bool:
        """Say no at times to what was paid or may be, where that can be found out.

        Nothing is drawn for it, so that known seeds stay what they were.
        """
        ground = self.ground
        if is_charge(task):
            return self._errs_about_a_charge(task, number)
        provider = self.fleet.providers.get(task.provider)
        healed = ground.clock.micros > ground.setting.faulty
        if not healed or not isinstance(provider, SimProvider):
            return False
        may_pay = provider.fate(task.task_id) in {PayoutFate.PENDING, PayoutFate.PAID}
        if not may_pay or task.task_id in provider.lies or task.verdict is not None:
            return False
        errs = Random(f"{task.task_id}:{number}").random() < ERRS
        if errs and provider.policy.can_ask(task):
            ground.seen["decision wrong: no"] += 1
            return True
        return False

    def _errs_about_a_charge(self, task: Task, number: int) -> bool:
        """Say no at times to what is charged, and is found out to be."""
        healed = self.ground.clock.micros > self.ground.setting.faulty
        payment = self.fleet.payments[task.provider]
        if not healed or not isinstance(payment, SimPayment):
            return False
        told = task.verdict is None and payment.tells_of(task)
        errs = told and Random(f"{task.task_id}:{number}").random() < ERRS
        self.ground.seen["decision wrong: not charged"] += errs
        return errs

    async def _thinks_again(self, task_id: str, actor: str) -> None:
        await self._withdraws(
            "vote withdrawn",
            lambda p: withdraw_resolution(
                task_id, reason="misread", actor=actor, ports=p.ports
            ),
        )

    async def _withdraws(
        self, what: str, act: Callable[[Process], Awaitable[None]]
    ) -> None:
        try:
            await self.fleet.insist(act)
        except (NotNow, UnknownOrder):
            return
        self.ground.seen[what] += 1

    def _gives_up_on_core(self, task: Task, ruling: Ruling) -> bool:
        """Set core's books right by hand: some at once, some only in the end."""
        if task.verdict is None or is_charge(task):
            return False
        trusting = task.task_id[-1] > "7"
        patient = trusting and self._decisions[task.task_id] < PATIENCE_WITH_CORE
        if task.proposed_decision is not None:
            # Whoever comes second agrees with the first.
            patient = not task.proposed_decision.startswith("settled_")
        if patient:
            return False
        paid = ruling is Ruling.POSITIVE
        operation = Operation.COMMIT if paid else Operation.ROLLBACK
        self.fleet.core.settled_by_hand(task.task_id, operation)
        return True

    async def _decides(
        self, task_id: str, ruling: Ruling, actor: str, *, by_hand: bool
    ) -> None:
        try:
            done = await self.fleet.insist(
                lambda p: resolve(
                    task_id,
                    ruling,
                    reason="seen in the bank's statement",
                    evidence="line 17",
                    actor=actor,
                    four_eyes=self._four_eyes,
                    ports=p.ports,
                    by_hand=by_hand,
                )
            )
        except (NotNow, UnknownOrder) as refusal:
            self.ground.seen[f"decision refused: {type(refusal).__name__}"] += 1
            return
        self.ground.note(f"decision {ruling} done: {done}", task_id)
        word = "decision contested" if done is Vote.CLEARS else "decision proposed"
        self.ground.seen[f"decision {ruling}" if done else word] += 1
        if done:
            self.decided[task_id] = ruling.value

    def _truth(self, task: Task) -> Ruling | None:
        """Return what is certain; None where it has to be waited for."""
        if is_link(task):
            order = self.fleet.store.tables.orders[task.queue_id]
            return self.fleet.core.found_out(order, task)
        payment = self.fleet.payments.get(task.provider)
        if is_charge(task) and isinstance(payment, SimPayment):
            return payment.found_out(task)
        service = self.fleet.services.get(task.name or "")
        if isinstance(service, SimService):
            undoes = task.lifecycle == SERVICE.name and task.task_id[-1] in "01234567"
            return service.found_out(task.task_id, leave=not undoes)
        provider = self.fleet.providers.get(task.provider)
        if not isinstance(provider, SimProvider):
            return None
        reference = task.task_id
        if provider.has_paid(reference):
            return Ruling.POSITIVE
        fate = provider.fate(reference)
        if fate is PayoutFate.PENDING:
            return None
        if fate is None:
            quiet = self.ground.clock.micros - provider.touched.get(reference, 0)
            if provider.flying[reference] > 0 or quiet < 20 * MINUTE:
                return None
        return Ruling.NEGATIVE

    async def read_cases(self) -> None:
        """Have a person settle what came back; what core refused is seen to first."""
        for case in list(self.fleet.store.tables.cases.values()):
            open_return = case.kind is CaseKind.RETURN_AFTER_SUCCESS and (
                case.state is CaseState.OPEN
            )
            if open_return and self.ground.draw() < 0.5:
                if case.reason is not None:
                    self.fleet.core.mend(case.task_id)
                actor = self.ground.random.choice(("key:anna", "key:bert"))
                await self._settles(case.id, actor)
            elif not open_return and case.closed_at is None:
                await self._closes(case)

    async def _closes(self, case: CaseRecord) -> None:
        """Give every other case an owner, and close it; its id decides, not chance."""
        if case.id[-1] not in "01234567" or case.state is not CaseState.OPEN:
            return
        store, at = self.fleet.store, self.ground.clock.now()
        said = {"actor": "key:anna", "reason": "seen to"}
        await store.assign_case(case.id, owner="anna", **said, at=at)
        told = case_closed(
            store.tables.orders[case.queue_id],
            case_id=case.id,
            task_id=case.task_id,
            kind=case.kind,
            reason=said["reason"],
            at=at,
        )
        await store.close_case(
            case.id, actor=said["actor"], reason=said["reason"], at=at, message=told
        )
        self.ground.seen["case closed"] += 1

    async def _settles(self, case_id: str, actor: str) -> None:
        try:
            asked = await self.fleet.insist(
                lambda p: settle_return(
                    case_id,
                    reason="the bank sent it back",
                    evidence="line 17",
                    actor=actor,
                    four_eyes=self._four_eyes,
                    operator_store=self.fleet.store,
                    ports=p.ports,
                )
            )
        except (NotNow, UnknownOrder) as refusal:
            self.ground.seen[f"settlement refused: {type(refusal).__name__}"] += 1
            return
        self.ground.seen["settlement asked" if asked else "settlement proposed"] += 1
        if not asked and self.ground.draw() < 0.3:
            await self._withdraws(
                "settlement withdrawn",
                lambda p: withdraw_settlement(
                    case_id,
                    reason="misread",
                    actor=actor,
                    operator_store=self.fleet.store,
                    ports=p.ports,
                ),
            )

    async def read_letters(self) -> None:
        """Have an operator replay or discard what is dead."""
        store = self.fleet.store
        for letter_id in await store.open_dead_letters(subject=None, limit=5):
            if self.ground.draw() < 0.8:
                await self._replays(letter_id)
            else:
                await self._discards(letter_id)

    async def _replays(self, letter_id: str) -> None:
        def act(process: Process) -> object:
            return replay(
                letter_id,
                actor="key:anna",
                operator_store=self.fleet.store,
                clock=process.ports.clock,
            )

        try:
            await self.fleet.insist(act)  # type: ignore[arg-type]
        except (NotNow, UnknownOrder):
            return
        self.ground.seen["dead letter replayed"] += 1

    async def _discards(self, letter_id: str) -> None:
        try:
            await discard(
                letter_id,
                actor="key:anna",
                reason="nobody's",
                operator_store=self.fleet.store,
                clock=self.ground.clock,
            )
        except (NotNow, UnknownOrder):
            return
        self.ground.seen["dead letter discarded"] += 1
