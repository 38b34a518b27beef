"""The money invariants, as predicates over our rows, core's ledger, providers' books.

Nothing here reads anything: the same functions judge a production database, a
simulation and a test. An ``Offence`` names what broke which rule; a warning is late,
not wrong. Judges S1, S2, S3, S4, S5, S6, S7, S9, L1, L2, A1, A2 of docs/promises.md.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from fsm.domain.acts import ORDER_ACTS, SERVICE, SERVICE_ACTS, STATE
from fsm.domain.audit import GENESIS, WAKE_AT, hash_of, task_of
from fsm.domain.audit_keys import AuditKeys
from fsm.domain.binding import LOADED, REQUEST
from fsm.domain.decided import Decided, Subject, decision_in
from fsm.domain.erasure import ERASED
from fsm.domain.proposals import PROPOSED_FROM_SHELL
from fsm.domain.seals import head_of
from fsm.engine.decide import ORDER_LOADED, ORDER_NOT_LOADED
from fsm.engine.rows import FIRST_LIFECYCLE
from fsm.engine.table import Otherwise
from fsm.engine.words import (
    FINAL,
    LIVE,
    EngineTrigger,
    EngineWait,
    OrderState,
    State,
    Verdict,
)
from fsm.payout.lifecycle import PROPOSALS
from fsm.payout.table import OTHERWISE, TABLE
from fsm.payout.words import Trigger, Waiting


class Invariant(StrEnum):
    """What must hold, always."""

    ONE_SUCCESS = "one_success"
    OUTCOME = "outcome"
    ONE_TURN = "one_turn"
    POSITIONS = "positions"
    VERSIONS = "versions"
    SUCCESSION = "succession"
    LEGALITY = "legality"
    CHAIN = "chain"
    PROOF = "proof"
    NOBODY_FORGOTTEN = "nobody_forgotten"
    VERDICT = "verdict"
    OVERDUE = "overdue"
    ORPHAN = "orphan"
    CORE = "core"
    PROVIDERS = "providers"
    BY_HAND = "by_hand"
    TAMPERED = "tampered"
    DECISION = "decision"
    ANCHOR = "anchor"


class Offence(NamedTuple):
    """A rule that does not hold, and for whom."""

    invariant: Invariant
    queue_id: str | None
    task_id: str | None
    what: str
    warning: bool = False


class Line(NamedTuple):
    """One line of the audit trail, as stored."""

    entity_id: str
    version: int
    queue_id: str
    source: str | None
    target: str
    trigger: str
    actor: str
    at: datetime
    trace_id: str | None
    detail: Mapping[str, object]
    key_id: str
    hash: bytes

    @property
    def task_id(self) -> str | None:
        """Return the task that it is about; None where it is the order itself."""
        return task_of(self.entity_id, self.queue_id)


class OrderRow(NamedTuple):
    """An order's own row."""

    queue_id: str
    order_id: str
    amount: int | None
    currency: str | None
    state: str
    version: int
    waiting_for: str | None
    wake_at: datetime | None
    audit_hash: bytes
    kind: str
    merchant_id: str
    customer_id: str
    destination: Mapping[str, object]
    content_hash: bytes
    signed_by: str
    signature: bytes
    metadata: Mapping[str, object]
    cancel_requested: bool
    tries: int
    created_at: datetime
    finished_at: datetime | None
    customer_message: str | None
    erased: bool = False
    """It holds just what an erasure leaves."""
    flow_version: int = 1
    exclusive_key: str | None = None
    loaded: bytes | None = None


class TaskRow(NamedTuple):
    """A task's row."""

    task_id: str
    position: int
    provider: str | None
    state: str
    version: int
    waiting_for: str | None
    wake_at: datetime | None
    verdict: str | None
    sla: str | None
    sla_at: datetime | None
    audit_hash: bytes
    returned: bool = False
    terminal_id: str | None = None
    proposed_by: str | None = None
    proposed_decision: str | None = None
    provider_reference: str | None = None
    sent_first_at: datetime | None = None
    sent_last_at: datetime | None = None
    tries: int = 0
    taken: bool = False
    cancel_requested: bool = False
    deadline_at: datetime | None = None
    code: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    lifecycle: str = FIRST_LIFECYCLE
    step: int = 0
    name: str | None = None


REQUESTED: Final = "order.requested"
NOTIFIED: Final = "core.notified"
SKEW: Final = timedelta(minutes=1)
"""How far the clocks of core and database may be apart."""

FINAL_STATES: Final = frozenset(state.value for state in FINAL)
_LIVE: Final = frozenset(state.value for state in LIVE)
_MOVES: Final = frozenset(
    (r.trigger.value, r.source.value, r.dest.value) for r in TABLE
)
# What contradicts is written down, and opens a case, without any move.
_REMARKS: Final = frozenset(
    (trigger.value, state.value, state.value)
    for (trigger, state), answer in OTHERWISE.items()
    if answer in {Otherwise.CONTRADICTION, Otherwise.BY_PROOF}
)
_SILENT: Final = frozenset(
    (r.trigger.value, r.source.value, r.dest.value) for r in TABLE if r.case is None
)
# Where the same line may also open none, nobody can say that one is gone.
_CASES: Final = (_REMARKS | _MOVES) - _SILENT
_TASK_LINES: Final = _MOVES | _REMARKS | {(REQUESTED, None, State.PENDING.value)}
_OVER: Final = frozenset(s.value for s in OrderState if s is not OrderState.ACTIVE)
_ORDER_LINES: Final = frozenset(
    {
        (REQUESTED, None, OrderState.ACTIVE.value),
        (ORDER_LOADED, OrderState.ACTIVE.value, OrderState.ACTIVE.value),
        (ORDER_NOT_LOADED, OrderState.ACTIVE.value, OrderState.FAILED.value),
        (EngineTrigger.CANCEL_REQUESTED.value, OrderState.ACTIVE.value, "ACTIVE"),
        (EngineTrigger.CANCEL_REQUESTED.value, OrderState.ACTIVE.value, "CANCELLED"),
        *((f"order.{s.lower()}", OrderState.ACTIVE.value, s) for s in _OVER),
        *((NOTIFIED, s, s) for s in _OVER),
        *((ERASED, s, s) for s in _OVER),
        *((PROPOSED_FROM_SHELL, s.value, s.value) for s in OrderState),
        *((act.value, s.value, s.value) for act in ORDER_ACTS for s in OrderState),
    }
)
_SERVICE_LINES: Final = frozenset(
    (act.value, source, STATE) for act in SERVICE_ACTS for source in (None, STATE)
)
_SAYS_PAID: Final = frozenset({Trigger.PAID.value, Trigger.RESOLVED_POSITIVE.value})
_FREEZES: Final = frozenset(
    {Trigger.FREEZE_CONFIRMED.value, Trigger.FREEZE_REFUSED.value}
)
_RELEASED: Final = frozenset(
    {
        Trigger.ROLLBACK_CONFIRMED.value,
        Trigger.FREEZE_REFUSED.value,
        Trigger.SETTLED_NEGATIVE.value,
    }
)
_BY_HAND: Final = frozenset(
    {Trigger.SETTLED_POSITIVE.value, Trigger.SETTLED_NEGATIVE.value}
)
_VERDICTS: Final[Mapping[str, Collection[str | None]]] = {
    State.PENDING.value: (None,),
    State.SUCCEEDED.value: (Verdict.PAID.value,),
    State.FAILED.value: (Verdict.NOT_PAID.value,),
    State.SKIPPED.value: (Verdict.NOT_PAID.value, None),
    State.CANCELLED.value: (Verdict.NOT_PAID.value, None),
}


@dataclass(slots=True)
class Trail:
    """What the audit trail of one order or task says, and what is wrong with it."""

    entity_id: str
    queue_id: str
    task_id: str | None
    version: int = 0
    state: str | None = None
    head: bytes = GENESIS
    entered_by: str = ""
    told_core: bool = False
    said_paid: bool = False
    turn_at: datetime | None = None
    freeze_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None
    request: Mapping[str, object] | None = None
    loaded: object = None
    erased: bool = False
    proposed: tuple[object, object] = (None, None)
    reference: object = None
    times: set[datetime] = field(default_factory=set)
    wake_at: datetime | None = None
    opens_case: bool = False
    decided: dict[Subject, Decided] = field(default_factory=dict)
    offences: list[Offence] = field(default_factory=list)

    def follow(self, line: Line) -> None:
        """Take the next line, whatever is wrong with it."""
        self.version, self.head = line.version, line.hash
        self.told_core = self.told_core or line.trigger == NOTIFIED
        if line.trigger == REQUESTED and isinstance(
            said := line.detail.get(REQUEST), Mapping
        ):
            self.request = said
        if line.trigger == ORDER_LOADED:
            self.loaded = line.detail.get(LOADED)
        self.erased = self.erased or line.trigger == ERASED
        self.times.add(line.at)
        woken = line.detail.get(WAKE_AT)
        self.wake_at = datetime.fromisoformat(woken) if isinstance(woken, str) else None
        move = (line.trigger, line.source, line.target)
        self.opens_case = self.opens_case or move in _CASES
        decision = decision_in(line)
        if decision is not None:
            self.decided[decision[0]] = decision[1]
        self._follow_columns(line)
        if line.trigger in _SAYS_PAID:
            self.said_paid = True
        elif line.trigger == EngineTrigger.TURN_CAME:
            self.turn_at = line.at
        elif line.trigger in _FREEZES and self.freeze_at is None:
            self.freeze_at = line.at
        if line.target == self.state:
            return
        self.state, self.entered_by = line.target, line.trigger
        if self.ended_at is None and line.target in FINAL_STATES:
            self.ended_at, self.ended_by = line.at, line.trigger

    def _follow_columns(self, line: Line) -> None:
        """Follow what a decision looks at: the first vote, and the reference."""
        if (line.trigger, line.source, line.target) in _REMARKS:
            return
        if self.reference is None:
            self.reference = line.detail.get("reference")
        if line.trigger in PROPOSALS:
            voter = line.detail.get("person") or line.actor
            self.proposed = (voter, line.detail.get("decision"))
        elif line.trigger != EngineTrigger.CANCEL_REQUESTED:
            self.proposed = (None, None)


def trail_of(lines: Iterable[Line], keys: AuditKeys) -> Trail:
    """Read all lines of one order or task, in the order of their versions.

    There is at least one; ``Trail.offences`` has what is wrong with them.
    """
    trail: Trail | None = None
    for line in lines:
        if trail is None:
            trail = Trail(line.entity_id, line.queue_id, line.task_id)
        trail.offences.extend(_wrong_line(trail, line, keys))
        trail.follow(line)
    if trail is None:
        raise ValueError("a trail has at least one line")
    return trail


def _wrong_line(trail: Trail, line: Line, keys: AuditKeys) -> Iterator[Offence]:
    def wrong(invariant: Invariant, what: str) -> Offence:
        return Offence(invariant, line.queue_id, line.task_id, what)

    at = f"version {line.version}"
    if line.version != trail.version + 1:
        yield wrong(Invariant.VERSIONS, f"{at} follows version {trail.version}")
    if line.source != trail.state:
        yield wrong(
            Invariant.SUCCESSION, f"{at} comes from {line.source}, not {trail.state}"
        )
    if (line.trigger, line.source, line.target) not in _legal(line):
        move = f"{line.source} → {line.target} by {line.trigger}"
        yield wrong(Invariant.LEGALITY, f"{at}: {move} is no legal move")
    if line.key_id not in keys:
        what = f"{at}: it is signed by the key {line.key_id!r}, which is not known here"
        yield wrong(Invariant.CHAIN, what)
    elif hash_of(line, trail.head, keys) != line.hash:
        yield wrong(Invariant.CHAIN, f"{at}: its hash is not that of what it says")
    if proof := _unproven(trail, line):
        yield wrong(Invariant.PROOF, f"{at}: {proof}")


def _legal(line: Line) -> Collection[tuple[str, str | None, str]]:
    if line.entity_id == SERVICE:
        return _SERVICE_LINES
    return _ORDER_LINES if line.task_id is None else _TASK_LINES


def _unproven(trail: Trail, line: Line) -> str | None:
    """Say what was done to the hold although nothing had proven it."""
    if line.trigger == Trigger.COMMIT_CONFIRMED and not trail.said_paid:
        return "committed although nobody had said that it was paid"
    if line.trigger == Trigger.ROLLBACK_CONFIRMED:
        unclear = trail.entered_by == Trigger.UNCLEAR
        if trail.state == State.NEGATIVE_EVAL and unclear:
            return "rolled back on an unclear answer"
    return None


def order_offences(
    order: OrderRow,
    tasks: Sequence[TaskRow],
    trails: Mapping[str, Trail],
) -> Iterator[Offence]:
    """Judge one order by our own rows: it, its tasks by position, their trails."""
    for trail in trails.values():
        yield from trail.offences
    yield from _differing(
        order, None, trails.get(order.queue_id), order.version, order.state
    )
    for task in tasks:
        yield from _differing(
            order, task, trails.get(task.task_id), task.version, task.state
        )
        yield from _verdict(order, task)
        yield from _forgotten(order, task)
        yield from _by_hand(order, task, trails.get(task.task_id))
    yield from _outcome(order, tasks, trails.get(order.queue_id))
    yield from _turn(order, tasks)
    yield from _next_only_on_proof(order, tasks, trails)


def _differing(
    order: OrderRow,
    task: TaskRow | None,
    trail: Trail | None,
    version: int,
    state: str,
) -> Iterator[Offence]:
    """Compare a row with the end of its trail."""
    task_id = task.task_id if task else None
    if trail is None:
        yield Offence(
            Invariant.VERSIONS, order.queue_id, task_id, "it has no audit line"
        )
        return
    if trail.version != version:
        what = f"the row has version {version}, its trail ends at {trail.version}"
        yield Offence(Invariant.VERSIONS, order.queue_id, task_id, what)
    if trail.state != state:
        what = f"the row says {state}, its trail {trail.state}"
        yield Offence(Invariant.SUCCESSION, order.queue_id, task_id, what)
    if trail.head != head_of(task.audit_hash if task else order.audit_hash):
        what = "the row's hash is not that of its last audit line"
        yield Offence(Invariant.CHAIN, order.queue_id, task_id, what)


def _outcome(
    order: OrderRow, tasks: Sequence[TaskRow], trail: Trail | None
) -> Iterator[Offence]:
    def wrong(what: str, invariant: Invariant = Invariant.OUTCOME) -> Offence:
        return Offence(invariant, order.queue_id, None, what)

    paid = [task for task in tasks if task.state == State.SUCCEEDED]
    if len(paid) > 1:
        names = ", ".join(task.task_id for task in paid)
        yield wrong(f"{len(paid)} tasks succeeded: {names}", Invariant.ONE_SUCCESS)
    if (order.state == OrderState.COMPLETED) != (len(paid) == 1):
        yield wrong(f"it is {order.state}, and {len(paid)} of its tasks succeeded")
    if order.state == OrderState.ACTIVE:
        return
    for task in tasks:
        if task.state not in FINAL_STATES:
            yield wrong(f"it is {order.state}, and task {task.task_id} is {task.state}")
    told = trail is not None and trail.told_core
    if order.wake_at is None and not told:
        yield wrong(
            f"it is {order.state} and core was never told", Invariant.NOBODY_FORGOTTEN
        )


def _turn(order: OrderRow, tasks: Sequence[TaskRow]) -> Iterator[Offence]:
    """One task of an active order has its turn; all before it are over."""

    def wrong(invariant: Invariant, what: str) -> Offence:
        return Offence(invariant, order.queue_id, None, what)

    if [task.position for task in tasks] != list(range(len(tasks))):
        places = ", ".join(str(task.position) for task in tasks)
        yield wrong(Invariant.POSITIONS, f"its tasks have the positions {places}")
    live = [task for task in tasks if task.state in _LIVE]
    if len(live) > 1:
        names = ", ".join(task.task_id for task in live)
        yield wrong(Invariant.ONE_TURN, f"{len(live)} tasks are at work: {names}")
    if order.state != OrderState.ACTIVE:
        return
    at_turn = [
        t for t in tasks if t.state not in FINAL_STATES and not waits_for_turn(t)
    ]
    if len(at_turn) != 1:
        yield wrong(
            Invariant.ONE_TURN, f"{len(at_turn)} of its tasks have their turn, not 1"
        )
        return
    for task in tasks:
        if task.position < at_turn[0].position and task.state not in FINAL_STATES:
            what = f"task {task.task_id} was passed over while it is {task.state}"
            yield wrong(Invariant.ONE_TURN, what)


def waits_for_turn(task: TaskRow) -> bool:
    """Tell whether nothing of it may have begun."""
    return task.state == State.PENDING and task.waiting_for == EngineWait.TURN


def _verdict(order: OrderRow, task: TaskRow) -> Iterator[Offence]:
    needed = _VERDICTS.get(task.state)
    if task.waiting_for == Waiting.COMMIT:
        needed = _VERDICTS["SUCCEEDED"]
    elif task.waiting_for == Waiting.ROLLBACK:
        needed = _VERDICTS["FAILED"]
    if needed is not None and task.verdict not in needed:
        what = f"it is {task.state}, waits for {task.waiting_for}, and its verdict is "
        yield Offence(
            Invariant.VERDICT, order.queue_id, task.task_id, f"{what}{task.verdict}"
        )


def _forgotten(order: OrderRow, task: TaskRow) -> Iterator[Offence]:
    """What is not final has a time, a person, its turn, or a webhook to wait for."""
    if task.state in FINAL_STATES:
        settles = task.waiting_for == Waiting.RETURN and task.state == State.SUCCEEDED
        rests = (task.waiting_for is None or settles) and (
            settles is (task.wake_at is not None)
        )
        what = f"it is {task.state} and waits for {task.waiting_for}"
    elif task.waiting_for is None:
        rests, what = False, f"it is {task.state} and waits for nothing"
    elif task.waiting_for == EngineWait.DECISION:
        rests = task.state == State.MANUAL_CHECK
        what = f"it waits for a decision and is {task.state}"
    elif task.waiting_for == Waiting.LAST_QUESTION:
        rests = task.state == State.MANUAL_CHECK and task.wake_at is not None
        what = f"it waits for an answer to a person's no and is {task.state}"
    elif task.waiting_for == EngineWait.TURN:
        rests = order.state == OrderState.ACTIVE
        what = f"it waits for its turn in an order that is {order.state}"
    elif task.waiting_for == Waiting.WEBHOOK and task.sla_at is None:
        rests = task.sla in {None, "none"} or task.wake_at is not None
        what = f"it waits for a webhook without the end that sla = {task.sla} sets"
    else:
        rests = task.wake_at is not None
        what = f"it waits for {task.waiting_for} and nothing wakes it"
    if not rests:
        yield Offence(Invariant.NOBODY_FORGOTTEN, order.queue_id, task.task_id, what)


def _by_hand(order: OrderRow, task: TaskRow, trail: Trail | None) -> Iterator[Offence]:
    """Count what persons have settled in core's books, which nothing here can see."""
    if is_by_hand(trail):
        what = f"it is {task.state} by hand: core had refused its balance call"
        yield Offence(
            Invariant.BY_HAND, order.queue_id, task.task_id, what, warning=True
        )


def is_by_hand(trail: Trail | None) -> bool:
    """True for a task that persons have ended after core had refused to."""
    return trail is not None and trail.ended_by in _BY_HAND


def _next_only_on_proof(
    order: OrderRow, tasks: Sequence[TaskRow], trails: Mapping[str, Trail]
) -> Iterator[Offence]:
    """Let each attempt begin only after the hold of the one before is gone."""
    before: list[tuple[TaskRow, Trail]] = []
    for task in tasks:
        trail = trails.get(task.task_id)
        if trail is None:
            continue
        if trail.freeze_at is not None:
            for earlier, its in before:
                if what := _not_over(earlier, its, trail.freeze_at):
                    yield Offence(
                        Invariant.PROOF, order.queue_id, task.task_id, f"tried {what}"
                    )
            early = trail.turn_at is None or trail.turn_at > trail.freeze_at
            if before and early:
                yield Offence(
                    Invariant.PROOF, order.queue_id, task.task_id, "tried out of turn"
                )
        before.append((task, trail))


def _not_over(earlier: TaskRow, trail: Trail, next_at: datetime) -> str | None:
    """Say why an earlier attempt had not come to its end by then."""
    name = f"task {earlier.task_id} ({earlier.provider})"
    if trail.ended_at is None or trail.ended_at > next_at:
        return f"before {name} was over"
    never_begun = (
        trail.freeze_at is None and trail.ended_by == EngineTrigger.CANCEL_REQUESTED
    )
    if trail.ended_by not in _RELEASED and not never_begun:
        return f"after {name} had ended by {trail.ended_by}"
    return None


def overdue(
    order: OrderRow, tasks: Sequence[TaskRow], *, now: datetime, grace: timedelta
) -> Iterator[Offence]:
    """Warn of what should have gone on and has not."""
    limit = now - grace
    if order.wake_at is not None and order.wake_at < limit:
        yield _late(order, None, order.waiting_for, now - order.wake_at)
    for task in tasks:
        if task.wake_at is not None and task.wake_at < limit:
            yield _late(order, task, task.waiting_for, now - task.wake_at)


def _late(
    order: OrderRow, task: TaskRow | None, waiting: str | None, by: timedelta
) -> Offence:
    what = f"overdue by {int(by.total_seconds())} s, waiting for {waiting}"
    task_id = task.task_id if task else None
    return Offence(Invariant.OVERDUE, order.queue_id, task_id, what, warning=True)


def without_row(trail: Trail) -> Offence:
    """Name a trail whose order or task is gone."""
    what = f"{trail.version} audit lines, and no row"
    return Offence(Invariant.ORPHAN, trail.queue_id, trail.task_id, what)
