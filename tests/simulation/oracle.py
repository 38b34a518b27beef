"""Judges a run by the books of all neighbours, and by every promise given.

Judges S2, S6, S12, L1, L3, M3, M4 of docs/promises.md at their moment or at rest, and
then all that the oracle and ``verify`` judge; a checkout by the books of its steps'
services, a partner link by core's book of members.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from fsm import invariants, reconciliation
from fsm.decided import decision_offences
from fsm.domain.acts import SERVICE
from fsm.domain.audit_keys import UNKEYED
from fsm.domain.decided import Decided, Subject
from fsm.domain.messages import Message
from fsm.domain.orders import Order
from fsm.domain.webhook_events import WebhookEventState
from fsm.engine.invariants import standing
from fsm.engine.judged import Offence
from fsm.engine.rows import Queue, Task
from fsm.engine.words import CaseKind, EngineWait
from fsm.flows import RULES
from fsm.invariants import Line, TaskRow, Trail, trail_of
from fsm.payout.words import Waiting
from fsm.reconciliation import LedgerEntry, StatementEntry
from fsm.tampering import tampered
from handlers import dead_letters as letters
from handlers.checkout.terms import is_charge
from handlers.ports.bus import Delivery
from handlers.ports.outcomes import Outcome, Park
from handlers.ports.store import StepWrite
from payment_service.playground.memory.payments import MemoryPayment
from payment_service.playground.memory.providers import ReceivedCall
from payment_service.playground.memory.services import MemoryService
from payment_service.playground.memory.tables import MemoryTables
from tests.simulation.actors import People
from tests.simulation.counterparties import SimProvider
from tests.simulation.environment import Ground
from tests.simulation.fleet import Fleet
from tests.simulation.partners import ended
from tests.simulation.payments import SimPayment
from tests.simulation.rates import HOUR
from tests.simulation.services import checkouts_of
from tests.simulation.webhook_delivery import WebhookDelivery
from tests.world import checkouts, links, oracle
from tests.world.as_rows import line_of, order_row, task_row
from tests.world.decided import decided_rows

STEPS_AN_HOUR_MAX: Final = 200
DELIVERIES_AN_HOUR_MAX: Final = 1_500


class Judge:
    """Looks at every commit as it is made, and at everything when all is at rest."""

    def __init__(
        self,
        ground: Ground,
        fleet: Fleet,
        people: People,
        webhook_delivery: WebhookDelivery,
    ) -> None:
        self.ground = ground
        self.fleet = fleet
        self.people = people
        self.webhook_delivery = webhook_delivery
        self.found: list[str] = []
        self.forgotten: set[str] = set()
        self.lost_webhook: set[tuple[str, str]] = set()
        self.promised: set[str] = set()
        self.paid: Counter[str] = Counter()
        self.steps: Counter[tuple[str, int]] = Counter()
        self.deliveries: Counter[tuple[str, int]] = Counter()

    # At every moment.

    def committed(self, order: Order, work: StepWrite) -> None:
        """L1, and what else can be told from one order's rows at any moment."""
        self.steps[order.queue_id, self.ground.clock.micros // HOUR] += 1
        for change in work.step.changes:
            if change.after.waiting_for is EngineWait.DECISION:
                self.people.asked(change.after.task_id)
        for case in work.step.cases:
            self.ground.seen[f"case {case.kind}"] += 1
            self.ground.note(f"case {case.kind}", case.task_id)
        self._look(order)

    def _look(self, order: Order) -> None:
        row, tasks = order_row(order), [task_row(t) for t in order.queue.tasks]
        self._take(standing(row, tasks, RULES))
        queue = order.queue
        if queue.final and not all(t.final for t in queue.tasks):
            self.found.append(f"{queue.queue_id} is {queue.state} with open tasks")

    def _take(self, offences: Iterable[Offence]) -> None:
        for offence in offences:
            text = f"[{offence.invariant}] {offence.queue_id} {offence.task_id}: "
            self.offend(text + offence.what)

    def offend(self, what: str) -> None:
        """Write an offence down, once, with the moment it was seen."""
        if what not in self.found:
            self.ground.note("OFFENCE", what)
            self.found.append(what)

    def paid_by(self, provider: SimProvider, reference: str) -> None:
        """S2 at every moment: money leaves once, where providers keep their word."""
        queue_id = self.fleet.store.tables.queues.get(reference)
        if queue_id is None or reference in provider.lies:
            return
        self.paid[queue_id] += 1
        if self.paid[queue_id] > 1 and not self._is_lied_to(queue_id):
            self.offend(f"order {queue_id} is paid a second time, by {reference}")

    def charged_by(self, payment: SimPayment, reference: str) -> None:
        """No two have charged for an order at any moment, unless one has refunded."""
        tables = self.fleet.store.tables
        order = tables.orders.get(tables.queues.get(reference, ""))
        if order is None:
            return
        charges = [task for task in order.queue.tasks if is_charge(task)]
        of = self.fleet.payments
        charged = [t.provider for t in charges if of[t.provider].stands(t.task_id)]
        if len(charged) > 1:
            what = f"order {order.queue_id} is charged a second time, by {payment.name}"
            self.offend(f"{what}: {charged}")

    def _is_lied_to(self, queue_id: str) -> bool:
        order = self.fleet.store.tables.orders.get(queue_id)
        return order is None or any(self.lie_about(t) for t in order.queue.tasks)

    def lie_about(self, task: Task) -> str | None:
        """Return how the task's provider broke its word, where it did."""
        provider = self.fleet.providers.get(task.provider or "")
        lies = provider.lies if isinstance(provider, SimProvider) else {}
        return lies.get(task.task_id)

    def handled(self, delivery: Delivery, outcome: Outcome) -> None:
        """M4: what is taken off its stream as dead is stored by then."""
        if isinstance(outcome, Park):
            letter_id = letters._letter_id(delivery, outcome.reason)
            if letter_id not in self.fleet.store.tables.letters and not self.forgotten:
                self.offend(f"a dead {delivery.subject} was not kept")
        queue_id = orjson.loads(delivery.body).get("queue_id")
        if queue_id is not None:
            self.deliveries[queue_id, self.ground.clock.micros // HOUR] += 1

    def posted(self, messages: Sequence[Message]) -> None:
        """Remember which events the world was promised to hear of."""
        self.promised.update(
            m.message_id for m in messages if m.subject.startswith("order.event.")
        )

    # What amnesia may excuse.

    def forgot(self, before: MemoryTables, after: MemoryTables) -> None:
        """Note which orders the database has forgotten something about."""
        for queue_id, order in before.orders.items():
            if after.orders.get(queue_id) is not order:
                self.forgotten.add(queue_id)
                self.forgotten.update(t.task_id for t in order.queue.tasks)
                self.forgotten.add(order.order_id)
        for posted in before.outbox.keys() - after.outbox.keys():
            for row in before.outbox[posted].rows:
                self.promised.discard(row.message.message_id)
        self.lost_webhook |= before.events.keys() - after.events.keys()
        for order in after.orders.values():
            for task in order.queue.tasks:
                if task.waiting_for is EngineWait.DECISION:
                    self.people.asked(task.task_id)

    def _is_excused(self, offence: str) -> bool:
        if self.forgotten.isdisjoint(NAME.findall(offence)):
            return False
        kind = next((k for k in EXCUSABLE if k in offence), None)
        if kind is not None:
            self.ground.seen[f"excused by amnesia: {kind}"] += 1
        return kind is not None

    # At rest.

    def verdict(self, *, rested: bool) -> list[str]:
        """Judge the whole run."""
        if not rested and not self._is_kept_awake_by_amnesia():
            self.offend("it does not come to rest")
        offences = [
            *self.found,
            *self._money(),
            *self._own_invariants(),
            *self._steps(),
            *self._links(),
            *(self._promises() if rested else ()),
            *self._hot_loops(),
            *self.fleet.crashes,
            *self.fleet.core.complaints,
        ]
        return [o for o in dict.fromkeys(offences) if not self._is_excused(o)]

    def _is_kept_awake_by_amnesia(self) -> bool:
        """True where all that still waits has lost what it waits for to amnesia."""
        orders = self.fleet.store.tables.orders.values()
        awake = {
            o.queue_id
            for o in orders
            if not o.queue.final or o.queue.waiting_for is not None
        }
        excused = bool(awake) and awake <= self.forgotten
        self.ground.seen["excused by amnesia: kept awake"] += excused
        return excused

    def _money(self) -> list[str]:
        providers = self._providers()
        tables = self.fleet.store.tables
        accused = {case.task_id for case in tables.cases.values()}
        paid = [line for provider in providers for line in provider.book]
        lied = {ref for p in providers for ref in p.lies if ref in accused}
        seen = oracle.Evidence(
            orders=[*tables.orders.values()],
            trail=[*tables.trail.values()],
            cases=[*tables.cases.values()],
            entries=self.fleet.core.book,
            holds=self.fleet.core.holds,
            notices=self.fleet.core.notices,
            paid=[line for line in paid if line.reference not in lied],
            asked=[line for provider in providers for line in _first_asked(provider)],
        )
        return oracle.offences(seen, at_rest=True)

    def _steps(self) -> list[str]:
        """Hold the services' own books against the checkouts: all done, or undone."""
        services, payments = self.fleet.services, self.fleet.payments
        sides: tuple[MemoryService | MemoryPayment, ...]
        sides = (*services.every(), *payments.every())
        orders = checkouts_of(self.fleet.store.tables.orders.values())
        for order in orders:
            self.ground.seen[f"checkout {order.queue.state}"] += 1
        owners = {task.task_id for order in orders for task in order.queue.tasks}
        return [
            *(
                f"checkout {order.queue_id}: {what}"
                for order in orders
                for what in checkouts.offences_at_rest(
                    order, services, payments=payments
                )
            ),
            *checkouts.balances(payments),
            *(
                f"{service.name} has done {task_id}, which is no task"
                for service in sides
                for task_id in service.books.keys() - owners
                if service.stands(task_id)
            ),
        ]

    def _links(self) -> list[str]:
        """S12: hold core's book of members against the links: granted, or revoked."""
        orders = [*self.fleet.store.tables.orders.values()]
        for order in links.links_of(orders):
            self.ground.seen[ended(order)] += 1
        asked = [what for p in self.fleet.partners.every() for what in p.wrong]
        return [*links.offences_at_rest(orders, self.fleet.core.members), *asked]

    def _providers(self) -> list[SimProvider]:
        every = self.fleet.providers.every()
        return [p for p in every if isinstance(p, SimProvider)]

    def _own_invariants(self) -> list[str]:
        """Judge as ``payment-service verify`` does."""
        tables = self.fleet.store.tables
        lines: dict[str, list[Line]] = defaultdict(list)
        for (entity_id, _), line in sorted(tables.trail.items()):
            lines[entity_id].append(line_of(line))
        entries: dict[str, list[LedgerEntry]] = defaultdict(list)
        for e in self.fleet.core.book:
            entry = LedgerEntry(e.task_id, e.operation, e.amount, e.currency, e.at)
            entries[e.task_id].append(entry)
        payouts = self._statements()
        cases = {case.task_id for case in tables.cases.values()}
        found: list[Offence] = []
        told = dict[Subject, Decided]()
        if lines[SERVICE]:
            service = trail_of(lines[SERVICE], UNKEYED)
            told |= service.decided
            found += service.offences
        for order in tables.orders.values():
            row, tasks = order_row(order), [task_row(t) for t in order.queue.tasks]
            ids = (order.queue_id, *(t.task_id for t in tasks))
            trails: dict[str, Trail] = {
                i: trail_of(lines[i], UNKEYED) for i in ids if lines[i]
            }
            for trail in trails.values():
                told |= trail.decided
            found += invariants.order_offences(row, tasks, trails)
            found += tampered(
                row,
                tasks,
                trails,
                UNKEYED,
                as_of=self.ground.clock.now(),
                cases={case.task_id for case in tables.cases.values()},
            )
            for task in tasks:
                its = entries.get(task.task_id, [])
                now = self.ground.clock.now()
                its_trail = trails.get(task.task_id)
                found += reconciliation.core_offences(
                    row, task, its, as_of=now, trail=its_trail
                )
            its_payouts = {t.task_id: payouts[t.task_id] for t in tasks}
            if any(t.task_id in cases and self._lies(t) for t in tasks):
                continue
            found += reconciliation.provider_offences(
                row,
                tasks,
                its_payouts,
                stated=self.fleet.providers.names(),
                charging=self.fleet.payments.names(),
                cases=cases,
            )
        found += decision_offences(decided_rows(tables), told)
        return [
            f"verify [{o.invariant}] {o.queue_id} {o.task_id}: {o.what}"
            for o in found
            if not o.warning
        ]

    def _lies(self, task: TaskRow) -> bool:
        provider = self.fleet.providers.get(task.provider or "")
        return isinstance(provider, SimProvider) and task.task_id in provider.lies

    def _statements(self) -> dict[str, list[StatementEntry]]:
        payouts: dict[str, list[StatementEntry]] = defaultdict(list)
        for provider in self._providers():
            for p in provider.book:
                payouts[p.reference].append(
                    StatementEntry(
                        provider.name,
                        p.reference,
                        "succeeded",
                        p.money.amount,
                        p.money.currency,
                    )
                )
        for payment in self.fleet.payments.every():
            for reference, amount in payment.collected.items():
                line = (payment.name, reference, "succeeded", amount, "EUR")
                payouts[reference].append(StatementEntry(*line))
        return payouts

    def _promises(self) -> list[str]:
        """M3, L3: what was acknowledged is not lost, and nobody waits any more."""
        tables = self.fleet.store.tables
        offences = [
            f"order {order_id} was accepted as {queue_id} and is gone"
            for order_id, queue_id in self.people.accepted.items()
            if queue_id not in tables.orders
        ]
        offences += [
            f"order {o.queue_id} is {o.queue.state}, {o.queue.waiting_for} at rest: "
            + ", ".join(f"{t.state} {t.waiting_for}" for t in o.queue.tasks)
            for o in tables.orders.values()
            if not o.queue.final or o.queue.waiting_for is not None
        ]
        offences += [
            f"the return of {task.task_id} is not settled at rest"
            for order in tables.orders.values()
            for task in order.queue.tasks
            if task.waiting_for is Waiting.RETURN
        ]
        offences += self._lost_webhook(tables)
        offences += self._lost_cancels(tables)
        offences += self._unasked_cancels(tables)
        resolved = {
            line.task_id
            for line in tables.trail.values()
            if line.trigger.startswith(("resolved.", "settled."))
        }
        offences += [
            f"the decision about {task_id} is lost"
            for task_id in self.people.decided
            if task_id not in resolved
        ]
        told = {message.message_id for message in self.fleet.bus.streams.events}
        untold = len(self.promised - told)
        if untold:
            offences.append(f"{untold} events were never published")
        offences += self._amounts_passed_over(tables)
        offences += self._needless_cases(tables)
        numbers = Counter(order.order_id for order in tables.orders.values())
        offences += [f"{n} orders are called {o}" for o, n in numbers.items() if n > 1]
        if tables.outbox:
            offences.append(f"{len(tables.outbox)} rows are left in the outbox")
        return offences

    def _lost_webhook(self, tables: MemoryTables) -> list[str]:
        offences = []
        for key in self.webhook_delivery.acknowledged:
            inbox_id = tables.events.get(key)
            if inbox_id is None:
                if key in self.lost_webhook:
                    self.ground.seen["excused by amnesia: webhook"] += 1
                    continue
                offences.append(f"the webhook {key} was acknowledged and is gone")
            elif tables.inbox[inbox_id].stored.state is WebhookEventState.WAITING:
                offences.append(f"the webhook {key} still waits at rest")
        return offences

    def _amounts_passed_over(self, tables: MemoryTables) -> list[str]:
        """S6: whoever names another amount in a webhook has a case opened about it."""
        cases = {c.task_id for c in tables.cases.values() if c.kind == MISMATCH}
        return [
            f"another amount for {reference} went by unseen"
            for key, reference in self.webhook_delivery.mismatched.items()
            if key in tables.events and reference not in cases
        ]

    def _needless_cases(self, tables: MemoryTables) -> list[str]:
        """No person is troubled with a case where everybody has kept their word."""
        blamed: dict[CaseKind, set[str]] = defaultdict(
            lambda: {ref for p in self._providers() for ref in p.lies}
        )
        blamed[MISMATCH] = {ref for p in self._providers() for ref in p.misnamed}
        renamed = {ref for p in self._providers() for ref in p.renamed}
        blamed[CaseKind.REFERENCE_MISMATCH] = renamed
        blamed[CaseKind.BALANCE_REFUSED] = self.fleet.core.refused
        return [
            f"a case {case.kind} about {case.task_id}, though nobody is to blame"
            for case in tables.cases.values()
            if case.task_id not in blamed[case.kind]
        ]

    def _lost_cancels(self, tables: MemoryTables) -> list[str]:
        rows: dict[str, Task | Queue] = {}
        for order in tables.orders.values():
            rows[order.queue_id] = order.queue
            rows.update({t.task_id: t for t in order.queue.tasks})
        return [
            f"the cancellation of {about} is lost"
            for about in sorted(self.people.cancelled)
            if about in rows and not rows[about].cancel_requested
        ]

    def _unasked_cancels(self, tables: MemoryTables) -> list[str]:
        wished = self.people.wished
        return [
            f"{row} is cancelled, and nobody asked for it"
            for order in tables.orders.values()
            for row, marked in (
                (order.queue_id, order.queue.cancel_requested),
                *((t.task_id, t.cancel_requested) for t in order.queue.tasks),
            )
            if marked and not wished & {row, order.queue_id}
        ]

    def _hot_loops(self) -> list[str]:
        return [
            f"hot loop: {most} {what} of {about} in one hour"
            for what, counted, limit in (
                ("steps", self.steps, STEPS_AN_HOUR_MAX),
                ("deliveries", self.deliveries, DELIVERIES_AN_HOUR_MAX),
            )
            for (about, _), most in counted.most_common(1)
            if most > limit
        ]


MISMATCH: Final = CaseKind.AMOUNT_MISMATCH
NAME: Final = re.compile(r"[\w-]+")
EXCUSABLE: Final = (
    "which is committed",
    # A zombie's picture of what was forgotten has the version of what came instead.
    "is not what was signed",
    "its hash is not that of what it says",
    "its money is still frozen",
    "core still holds the money",
    "and core has committed",
    "core says Hold.COMMITTED",
    "it is PENDING, and",
    # A create that was forgotten is sent again, and its answer is about the second.
    "the provider paid: True",
    "it is SKIPPED, and",
    "it is FAILED, and",
    "it is CANCELLED, and",
    "which is Hold.RELEASED",
    "core holds money for it before its turn",
    "is at rest in",
    "at rest: MANUAL_CHECK decision",
    "though nobody is to blame",
    "was told different things of",
    "core was told {",
    "and core has rolled back",
    "was accepted as",
    "belongs to no task",
    "which is no task",
    "which is no order",
    "belongs to nobody who runs",
    "is paid a second time",
    "was paid",
    "without a hold",
    "the cancellation of",
    "the decision about",
    "payouts were executed for one order",
    # A step is done for a turn, or undone by a service, that rows know nothing of.
    "is not undone",
    "is not done",
    "is done: there is no return",
    "and its service says",
    # A provider is asked anew by who has forgotten its answer, or its own question.
    "is charged a second time",
    "charged by",
    "nobody has charged",
    "is charged again, after its key",
    "is to be refunded, and is",
    "has refunded",
    "charges were executed for one order",
)


def _first_asked(provider: SimProvider) -> list[ReceivedCall]:
    """Leave out what starts nothing: repeats of a create under a key that lives."""
    if not provider.policy.idempotent_create:
        return provider.asked
    seen: set[str] = set()
    kept = []
    for asked in provider.asked:
        if asked.call != "create" or asked.reference not in seen:
            kept.append(asked)
        if asked.call == "create":
            seen.add(asked.reference)
    return kept
