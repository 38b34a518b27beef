"""What must hold about money, judged from the books of core and the providers.

Every function is pure and returns sentences, one for each offence; none is good.
Judges S1, S2, S3, S4, S5, S6, S7, S9, S11, L1, L3, A1, A2 of docs/promises.md.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fsm.domain.acts import SERVICE
from fsm.domain.audit import GENESIS, AuditLine, hash_of
from fsm.domain.audit_keys import UNKEYED
from fsm.domain.orders import Order
from fsm.domain.seals import head_of
from fsm.engine.rows import Task
from fsm.engine.words import EngineWait, State, Verdict
from fsm.payout.lifecycle import PAYOUT
from fsm.payout.words import Waiting
from handlers.ports.core import Operation
from handlers.ports.reads import CaseRecord
from payment_service.playground.memory.core import BookEntry, Hold, Notice
from payment_service.playground.memory.providers import Paid, ReceivedCall

WAITS_FOR_OTHERS: Final = frozenset({EngineWait.DECISION, Waiting.WEBHOOK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All there is to judge by; ``lied`` names providers that broke their word."""

    orders: Sequence[Order]
    trail: Sequence[AuditLine]
    cases: Sequence[CaseRecord]
    entries: Sequence[BookEntry]
    holds: Mapping[str, Hold]
    notices: Sequence[Notice]
    paid: Sequence[Paid]
    asked: Sequence[ReceivedCall]
    lied: frozenset[str] = frozenset()

    @property
    def by_hand(self) -> frozenset[str]:
        """The tasks that persons have settled after core had refused to."""
        lines = (line for line in self.trail if line.trigger.startswith("settled."))
        return frozenset(line.task_id for line in lines if line.task_id)

    def tasks(self) -> list[tuple[Order, Task]]:
        return [(order, task) for order in self.orders for task in order.queue.tasks]

    def payouts(self) -> list[tuple[Order, Task]]:
        """The tasks that pay something out: only of those core and providers know."""
        return [(o, task) for o, task in self.tasks() if task.lifecycle == PAYOUT.name]


Predicate = Callable[[Evidence], list[str]]


def money_left_once(seen: Evidence) -> list[str]:
    """S2: an order was paid at most once, where providers keep their word."""
    owners = {task.task_id: order.queue_id for order, task in seen.tasks()}
    paid = [line for line in seen.paid if line.provider not in seen.lied]
    strangers = [line.reference for line in paid if line.reference not in owners]
    counted = Counter(owners[p.reference] for p in paid if p.reference in owners)
    return [
        *(f"a payout {reference} belongs to no task" for reference in strangers),
        *(f"order {o} was paid {n} times" for o, n in counted.items() if n > 1),
    ]


def moved_once_in_core(seen: Evidence) -> list[str]:
    """S1: a task has one commit or one rollback, never both, and one return at most."""
    ends = _counted(seen, Operation.COMMIT, Operation.ROLLBACK)
    freezes = _counted(seen, Operation.FREEZE)
    commits = _counted(seen, Operation.COMMIT)
    returns = _counted(seen, Operation.RETURN)
    return [
        *(f"task {t} was returned {n} times" for t, n in returns.items() if n > 1),
        *(f"task {t} was returned uncommitted" for t in returns if t not in commits),
        *(f"task {t} ended {n} times in core" for t, n in ends.items() if n > 1),
        *(f"task {t} was frozen {n} times" for t, n in freezes.items() if n > 1),
        *(f"task {t} ended unfrozen" for t in ends if t not in freezes),
    ]


def _counted(seen: Evidence, *operations: Operation) -> Counter[str]:
    return Counter(e.task_id for e in seen.entries if e.operation in operations)


def holds_never_overlap(seen: Evidence) -> list[str]:
    """S3: an order never has two holds; a second order could pay from either."""
    order_of = {task.task_id: order.queue_id for order, task in seen.tasks()}
    held: dict[str, str] = {}
    offences = []
    for entry in sorted(seen.entries, key=lambda e: e.place):
        order_id = order_of.get(entry.task_id)
        if order_id is None:
            offences.append(f"core moved money of {entry.task_id}, which is no task")
        elif entry.operation is not Operation.FREEZE:
            held.pop(order_id, None)
        elif order_id in held:
            offences.append(f"order {order_id} had two holds at once")
        else:
            held[order_id] = entry.task_id
    return offences


def creates_only_under_a_hold(seen: Evidence) -> list[str]:
    """S11: no provider is asked to pay what is not frozen at that moment."""
    frozen: dict[str, int] = {}
    ended: dict[str, int] = {}
    for entry in seen.entries:
        places = frozen if entry.operation is Operation.FREEZE else ended
        places.setdefault(entry.task_id, entry.place)
    return [
        f"{asked.provider} was asked to pay {asked.reference} without a hold"
        for asked in seen.asked
        if asked.call == "create"
        and not (
            frozen.get(asked.reference, asked.place)
            < asked.place
            < ended.get(asked.reference, asked.place + 1)
        )
    ]


def cascade_only_on_proof(seen: Evidence) -> list[str]:
    """S9: a task starts only once those before it are final and proven unpaid."""
    return [
        f"task {task.task_id} began while {before.task_id} is {before.state}"
        for order, task in seen.payouts()
        if _has_begun(task, seen.trail)
        for before in order.queue.tasks[: task.position]
        if not before.final or before.verdict is Verdict.PAID
    ]


def _has_begun(task: Task, trail: Sequence[AuditLine]) -> bool:
    begun = {State.CREATING.value, State.EXECUTING.value}
    return any(e.target in begun for e in trail if e.task_id == task.task_id)


def ledgers_agree(seen: Evidence) -> list[str]:
    """S4: final rows, core's book and the providers' books say the same."""
    paid = {p.reference for p in seen.paid if p.provider not in seen.lied}
    accused = {case.task_id for case in seen.cases}
    offences = [
        f"core moved money of {task.task_id}, which is {task.lifecycle!r}"
        for _, task in seen.tasks()
        if task.task_id in seen.holds and task.lifecycle != PAYOUT.name
    ]
    for _, task in seen.payouts():
        hold, name = seen.holds.get(task.task_id), f"task {task.task_id} {task.state}"
        committed = hold in {Hold.COMMITTED, Hold.RETURNED}
        if task.task_id in seen.by_hand:
            continue
        if task.returned != (hold is Hold.RETURNED) and not task.waiting_for:
            offences.append(f"{name}, returned {task.returned}: core says {hold}")
        if committed != (task.state is State.SUCCEEDED) and task.final:
            offences.append(f"{name}: core says {hold}")
        if task.final and hold is Hold.FROZEN:
            offences.append(f"{name}: its money is still frozen")
        if task.task_id in accused:
            continue
        if task.final and (task.task_id in paid) != (task.state is State.SUCCEEDED):
            offences.append(f"{name}: the provider paid: {task.task_id in paid}")
    return offences


def no_orphan_holds(seen: Evidence) -> list[str]:
    """S5: what is frozen belongs to a task that is still running."""
    tasks = {task.task_id: task for _, task in seen.tasks()}
    return [
        f"the hold of {task_id} belongs to nobody who runs"
        for task_id, hold in seen.holds.items()
        if hold is Hold.FROZEN and (task_id not in tasks or tasks[task_id].final)
    ]


def identity_is_kept(seen: Evidence) -> list[str]:
    """S6: every book names the amount and currency of the order."""
    money = {t.task_id: order.require_money() for order, t in seen.payouts()}
    said = [
        *((e.task_id, e.amount, e.currency) for e in seen.entries),
        *((p.reference, p.money.amount, p.money.currency) for p in seen.paid),
        *((a.reference, a.money.amount, a.money.currency) for a in seen.asked),
    ]
    return [
        f"task {task_id}: {amount} {currency} in place of {money[task_id]}"
        for task_id, amount, currency in said
        if task_id in money
        and (amount, currency) != (money[task_id].amount, money[task_id].currency)
    ]


def trail_is_whole(seen: Evidence) -> list[str]:
    """A1, A2, S7: no version is missing, the chain holds, and it ends at the row."""
    lines: dict[str, list[AuditLine]] = defaultdict(list)
    for line in seen.trail:
        lines[line.entity_id].append(line)
    ends = [
        *(
            (t.task_id, t.version, t.state.value, head_of(t.audit_hash))
            for _, t in seen.tasks()
        ),
        *(
            (
                o.queue_id,
                o.queue.version,
                o.queue.state.value,
                head_of(o.queue.audit_hash),
            )
            for o in seen.orders
        ),
    ]
    offences = []
    for entity_id, version, state, last in ends:
        of_it = sorted(lines.pop(entity_id, []), key=lambda line: line.version)
        offences += _chain_offences(entity_id, of_it)
        end = of_it[-1] if of_it else None
        if end is None or (end.version, end.target, end.hash) != (version, state, last):
            offences.append(f"the trail of {entity_id} does not end at its row")
    offences += _chain_offences(SERVICE, lines.pop(SERVICE, []))
    return [*offences, *(f"a trail of {entity}, which is no row" for entity in lines)]


def _chain_offences(entity_id: str, lines: Sequence[AuditLine]) -> list[str]:
    offences = []
    previous, source = GENESIS, None
    for number, line in enumerate(lines, 1):
        if hash_of(line, previous, UNKEYED) != line.hash:
            offences.append(f"line {number} of {entity_id} is not what was signed")
        if line.version != number:
            offences.append(f"line {number} of {entity_id} has version {line.version}")
        if line.source != source:
            offences.append(f"line {number} of {entity_id} starts from {line.source}")
        previous, source = line.hash, line.target
    return offences


def one_case_for_each_event(seen: Evidence) -> list[str]:
    """A webhook that contradicts opens one case, however often it is handled."""
    events = Counter(
        (case.task_id, evidence["event_id"])
        for case in seen.cases
        if isinstance(evidence := case.detail.get("evidence"), Mapping)
        and "event_id" in evidence
    )
    return [f"{event} opened {n} cases" for event, n in events.items() if n > 1]


def nobody_is_forgotten(seen: Evidence) -> list[str]:
    """L1: every open order has a time, a person or a webhook that it waits for."""
    offences = []
    for order in seen.orders:
        if order.queue.final:
            continue
        waits = [
            t
            for t in order.queue.tasks
            if t.wake_at is not None or t.waiting_for in WAITS_FOR_OTHERS
        ]
        if not waits:
            offences.append(f"order {order.order_id} waits for nothing")
    return offences


def outcome_was_told(seen: Evidence) -> list[str]:
    """At rest core knows every outcome, and was never told two."""
    offences = []
    bodies: dict[object, list[Mapping[str, object]]] = defaultdict(list)
    for notice in seen.notices:
        bodies[notice.body["queue_id"]].append(notice.body)
    for order in seen.orders:
        told = bodies.pop(order.queue_id, [])
        if order.queue.final and not told:
            offences.append(f"core was never told that {order.order_id} ended")
        if any(body != told[0] for body in told):
            offences.append(f"core was told different things of {order.order_id}")
        kinds = {str(body["type"]).rpartition(".")[2].upper() for body in told}
        if kinds - {order.queue.state.value}:
            offences.append(f"core was told {kinds} of {order.order_id}")
    return [*offences, *(f"core was told of {o}, which is no order" for o in bodies)]


def only_persons_are_awaited(seen: Evidence) -> list[str]:
    """L3: at rest an order is over, or waits for a person or an endless webhook."""
    return [
        f"order {order.order_id} is at rest in {_states(order)}"
        for order in seen.orders
        if not order.queue.final
        and not any(t.waiting_for in WAITS_FOR_OTHERS for t in order.queue.tasks)
    ]


ALWAYS: Final[tuple[Predicate, ...]] = (
    money_left_once,
    moved_once_in_core,
    holds_never_overlap,
    creates_only_under_a_hold,
    cascade_only_on_proof,
    ledgers_agree,
    identity_is_kept,
    trail_is_whole,
    one_case_for_each_event,
    nobody_is_forgotten,
)
AT_REST: Final[tuple[Predicate, ...]] = (
    no_orphan_holds,
    outcome_was_told,
    only_persons_are_awaited,
)


def _states(order: Order) -> list[str]:
    return [task.state.value for task in order.queue.tasks]


def offences(seen: Evidence, *, at_rest: bool) -> list[str]:
    """Judge by every predicate; the strict ones only where nothing is under way."""
    predicates = (*ALWAYS, *AT_REST) if at_rest else ALWAYS
    return [offence for predicate in predicates for offence in predicate(seen)]
