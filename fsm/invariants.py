"""The money invariants, joined: of the audit chain, of the engine, of each lifecycle.

Nothing here reads anything: the same functions judge a production database, a
simulation and a test. An ``Offence`` names what broke which rule; a warning is late,
not wrong. Judges S1, S2, S3, S4, S5, S6, S7, S9, L1, L2, A1, A2 of docs/promises.md,
with :mod:`fsm.engine.invariants` and what every lifecycle brings.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from fsm.domain.acts import SERVICE
from fsm.domain.audit import GENESIS, WAKE_AT, hash_of, task_of
from fsm.domain.audit_keys import AuditKeys
from fsm.domain.binding import LOADED, REQUEST, RESULT
from fsm.domain.decided import Decided, Subject, decision_in
from fsm.domain.erasure import ERASED
from fsm.domain.seals import head_of
from fsm.engine.flow import Rules
from fsm.engine.invariants import REQUESTED, flow_of, no_legal_move, offences
from fsm.engine.judged import FINAL_STATES, Offence
from fsm.engine.loading import (
    ORDER_LOADED,
)
from fsm.engine.rows import FIRST_LIFECYCLE
from fsm.engine.words import Invariant
from fsm.flows import RULES
from fsm.legal_lines import SERVICE_LINES, lines_of


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
    details: Mapping[str, object] = {}


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
    result: bytes | None = None
    result_hash: str | None = None


SKEW: Final = timedelta(minutes=1)
"""How far the clocks of core and database may be apart."""


@dataclass(slots=True)
class Trail:
    """What the audit trail of one order or task says, and what is wrong with it."""

    entity_id: str
    queue_id: str
    task_id: str | None
    version: int = 0
    state: str | None = None
    head: bytes = GENESIS
    ended_at: datetime | None = None
    ended_by: str | None = None
    request: Mapping[str, object] | None = None
    loaded: object = None
    result: object = None
    erased: bool = False
    times: set[datetime] = field(default_factory=set)
    wake_at: datetime | None = None
    decided: dict[Subject, Decided] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    offences: list[Offence] = field(default_factory=list)

    def follow(self, line: Line) -> None:
        """Take the next line, whatever is wrong with it."""
        self.version, self.head = line.version, line.hash
        self.lines.append(line)
        if line.trigger == REQUESTED and isinstance(
            said := line.detail.get(REQUEST), Mapping
        ):
            self.request = said
        if line.trigger == ORDER_LOADED:
            self.loaded = line.detail.get(LOADED)
        if self.task_id is not None and RESULT in line.detail:
            self.result = line.detail[RESULT]
        self.erased = self.erased or line.trigger == ERASED
        self.times.add(line.at)
        woken = line.detail.get(WAKE_AT)
        self.wake_at = datetime.fromisoformat(woken) if isinstance(woken, str) else None
        decision = decision_in(line)
        if decision is not None:
            self.decided[decision[0]] = decision[1]
        if line.target == self.state:
            return
        self.state = line.target
        if self.ended_at is None and line.target in FINAL_STATES:
            self.ended_at, self.ended_by = line.at, line.trigger


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
    move = (line.trigger, line.source, line.target)
    if line.entity_id == SERVICE and move not in SERVICE_LINES:
        yield no_legal_move(line, None)
    if line.key_id not in keys:
        what = f"{at}: it is signed by the key {line.key_id!r}, which is not known here"
        yield wrong(Invariant.CHAIN, what)
    elif hash_of(line, trail.head, keys) != line.hash:
        yield wrong(Invariant.CHAIN, f"{at}: its hash is not that of what it says")


def order_offences(
    order: OrderRow,
    tasks: Sequence[TaskRow],
    trails: Mapping[str, Trail],
    rules: Rules = RULES,
) -> Iterator[Offence]:
    """Judge one order by our own rows: it, its tasks by position, their trails.

    What its lifecycles bring is judged too: see :mod:`fsm.engine.invariants`.
    """
    for trail in trails.values():
        yield from trail.offences
    own = trails.get(order.queue_id)
    yield from _differing(order, None, own, order.version, order.state)
    yield from _misled(order, own, rules)
    for task in tasks:
        its = trails.get(task.task_id)
        yield from _differing(order, task, its, task.version, task.state)
    yield from offences(order, tasks, trails, rules)


def _misled(order: OrderRow, trail: Trail | None, rules: Rules) -> Iterator[Offence]:
    """Find moves of an order's own row that there are not."""
    legal = lines_of(flow_of(order, rules))
    for line in trail.lines if trail else ():
        if (line.trigger, line.source, line.target) not in legal:
            yield no_legal_move(line, None)


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


def without_row(trail: Trail) -> Offence:
    """Name a trail whose order or task is gone."""
    what = f"{trail.version} audit lines, and no row"
    return Offence(Invariant.ORPHAN, trail.queue_id, trail.task_id, what)
