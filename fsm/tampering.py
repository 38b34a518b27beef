"""What another hand has changed in the database, as predicates over its rows.

As in `invariants`, nothing here reads anything. A row's seal says that something in it
was changed; what can be told from its trail says what.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from fsm.domain.audit_keys import AuditKeys
from fsm.domain.binding import (
    Bound,
    Signature,
    attempt_of,
    differing,
    hash_of_loaded,
    hash_of_result,
)
from fsm.domain.cases import money_at_risk
from fsm.domain.money import Money
from fsm.domain.seals import (
    queue_is_sealed,
    task_is_sealed,
    webhook_is_signed,
)
from fsm.domain.webhook_events import WebhookEvent
from fsm.engine.flow import Rules
from fsm.engine.judged import Offence
from fsm.engine.lifecycle import Lifecycle
from fsm.engine.steps import Case
from fsm.engine.words import CaseKind, EngineTrigger, Invariant
from fsm.flows import RULES
from fsm.invariants import SKEW, Line, OrderRow, TaskRow, Trail


class CaseRow(NamedTuple):
    """A case beside the order that it is about.

    ``heard`` says that a line of its task's trail is of the time it was opened at.
    """

    kind: str
    queue_id: str
    task_id: str
    amount: int | None
    currency: str | None
    money_at_risk: int
    detail: Mapping[str, object]
    order_id: str
    of_order: tuple[str, int | None, str | None]
    heard: bool


def tampered(  # noqa: PLR0913 - what an order is judged by
    order: OrderRow,
    tasks: Sequence[TaskRow],
    trails: Mapping[str, Trail],
    keys: AuditKeys,
    *,
    as_of: datetime,
    cases: Collection[str],
    rules: Rules = RULES,
) -> Iterator[Offence]:
    """Judge one order by its seals, its signature and its trails.

    ``as_of`` is the database's time at which the rows were read, ``cases`` are the
    tasks about which there is one.
    """
    trail = trails.get(order.queue_id)
    yield from _requested_otherwise(order, tasks, trail, keys)
    for what in _own_row(order, trail, keys, as_of):
        yield Offence(Invariant.TAMPERED, order.queue_id, None, what)
    for task in tasks:
        its = trails.get(task.task_id)
        for what in (
            *_task_row(order, task, its, keys, as_of),
            *_told_otherwise(task, its, rules, cases),
        ):
            yield Offence(Invariant.TAMPERED, order.queue_id, task.task_id, what)


def _requested_otherwise(
    order: OrderRow, tasks: Sequence[TaskRow], trail: Trail | None, keys: AuditKeys
) -> Iterator[Offence]:
    """Compare what the rows say was asked for with what was."""
    if trail is None:
        return
    if trail.request is None:
        what = "its first audit line does not say what was requested"
        yield Offence(Invariant.TAMPERED, order.queue_id, None, what)
        return
    bound = Bound(
        queue_id=order.queue_id,
        kind=order.kind,
        flow_version=order.flow_version,
        exclusive_key=order.exclusive_key,
        order_id=order.order_id,
        merchant_id=order.merchant_id,
        customer_id=order.customer_id,
        amount=order.amount,
        currency=order.currency,
        content=order.content_hash.hex(),
        destination=order.destination,
        details=order.details,
        metadata=order.metadata,
        cascade=tuple(map(attempt_of, tasks)),
    )
    signature = Signature(order.signed_by, order.signature)
    erased = trail.erased and order.erased
    if trail.erased and not order.erased:
        what = "its trail says that it was erased, and its row holds something"
        yield Offence(Invariant.TAMPERED, order.queue_id, None, what)
    elif order.erased and not trail.erased:
        what = "its row is erased, and its trail does not say so"
        yield Offence(Invariant.TAMPERED, order.queue_id, None, what)
    for what in differing(trail.request, bound, signature, keys, erased=erased):
        yield Offence(Invariant.TAMPERED, order.queue_id, None, what)


def _own_row(
    order: OrderRow, trail: Trail | None, keys: AuditKeys, as_of: datetime
) -> Iterator[str]:
    """Say what is wrong with the order's own row, but for what was requested."""
    if order.signed_by in keys and not queue_is_sealed(order, order.signed_by, keys):
        yield "its row is not as its last step has left it"
    if trail is None:
        return
    if _loaded_otherwise(order, trail, keys):
        yield "what was loaded for it is not what its trail says"
    if not {order.created_at, order.finished_at} <= {*trail.times, None}:
        yield "the time of its beginning or of its end is none of its trail"
    if _slept_on(order.wake_at, trail, as_of):
        yield "what is due of it was put off, and no line of its trail says so"


def _loaded_otherwise(order: OrderRow, trail: Trail, keys: AuditKeys) -> bool:
    """Tell whether what its row holds for its steps is other than its trail says."""
    if order.loaded is None:
        return trail.loaded is not None and not trail.erased
    if order.signed_by not in keys:
        return False
    now = hash_of_loaded(order.queue_id, order.loaded, order.signed_by, keys)
    return now != trail.loaded


def _came_to_otherwise(
    order: OrderRow, task: TaskRow, trail: Trail, keys: AuditKeys
) -> bool:
    """Tell whether what a task came to is other than its trail says, or gone."""
    if trail.result is None:
        return not (task.result_hash is None and task.result is None)
    if task.result_hash != trail.result:
        return True
    if task.result is None or order.erased:
        return not (task.result is None and order.erased)
    if order.signed_by not in keys:
        return False
    now = hash_of_result(task.task_id, task.result, order.signed_by, keys)
    return now != task.result_hash


def _task_row(
    order: OrderRow,
    task: TaskRow,
    trail: Trail | None,
    keys: AuditKeys,
    as_of: datetime,
) -> Iterator[str]:
    """Say what is wrong with a task's row, its times by name."""
    if order.signed_by in keys and not task_is_sealed(task, order.signed_by, keys):
        yield "its row is not as its last step has left it"
    if trail is None:
        return
    if _came_to_otherwise(order, task, trail, keys):
        yield "what its step came to is not what its trail says"
    for name in ("sent_first_at", "sent_last_at"):
        at = getattr(task, name)
        if at is not None and at not in trail.times:
            yield f"its {name} is no time of its trail"
    if _slept_on(task.wake_at, trail, as_of):
        yield "what is due of it was put off, and no line of its trail says so"


def _told_otherwise(
    task: TaskRow, trail: Trail | None, rules: Rules, cases: Collection[str]
) -> Iterator[str]:
    """Compare votes, references and cases with what its lines come to."""
    lifecycle = rules.lifecycles.get(task.lifecycle)
    if trail is None or lifecycle is None:
        return
    told = _left_by(trail.lines, lifecycle)
    if (task.proposed_by, task.proposed_decision) not in {each.vote for each in told}:
        yield f"its first vote ({task.proposed_by}) is not that of its trail"
    if task.provider_reference not in {each.reference for each in told}:
        yield "its provider's reference is not that of its trail"
    opens = any(_move(line) in lifecycle.opening for line in trail.lines)
    if opens and task.task_id not in cases:
        yield "its trail opens a case, and there is none"


def _move(line: Line) -> tuple[str, str | None, str]:
    return line.trigger, line.source, line.target


class _Told(NamedTuple):
    """What a row has of its lines: a first vote (who, for what), theirs for it."""

    vote: tuple[object, object] = (None, None)
    reference: object = None


def _left_by(lines: Sequence[Line], lifecycle: Lifecycle[Any]) -> set[_Told]:
    """Return what a row may have: a remark leaves it, a move takes what it says.

    A line may be either: a return that core takes back, or one more that nobody can.
    """
    told = {_Told()}
    for line in lines:
        move = _move(line)
        is_remark, is_move = move in lifecycle.remarks, move in lifecycle.moves
        left = told if is_remark else set()
        if is_move or not is_remark:
            left = left | {_after(each, line, lifecycle) for each in told}
        told = left
    return told


def _after(told: _Told, line: Line, lifecycle: Lifecycle[Any]) -> _Told:
    reference = told.reference
    if reference is None:
        reference = line.detail.get("reference")
    if line.trigger in lifecycle.proposals:
        voter = line.detail.get("person") or line.actor
        return _Told((voter, line.detail.get("decision")), reference)
    stands = line.trigger == EngineTrigger.CANCEL_REQUESTED
    return _Told(told.vote if stands else (None, None), reference)


def _slept_on(wake_at: datetime | None, trail: Trail, as_of: datetime) -> bool:
    """Tell whether a row wakes later than its trail says; the sweeper only hurries."""
    if wake_at is None:
        return trail.wake_at is not None
    return wake_at != trail.wake_at and wake_at > as_of + SKEW


def forged_case(case: CaseRow) -> Iterator[Offence]:
    """Judge a case by its order, and by the line that has opened it."""
    found = []
    if (case.order_id, case.amount, case.currency) != case.of_order:
        found.append("its case is not of the order's amount, currency or id")
    elif case.kind not in set(CaseKind):
        found.append(f"there are no cases of {case.kind}")
    elif case.money_at_risk != _at_risk(case):
        found.append("the money at risk is not what its case says")
    if not case.heard and case.kind != CaseKind.TAMPERED:
        found.append(f"its case of {case.kind} was opened by no line of its trail")
    for what in found:
        yield Offence(Invariant.TAMPERED, case.queue_id, case.task_id, what)


def _at_risk(case: CaseRow) -> int:
    opened = Case(kind=CaseKind(case.kind), task_id=case.task_id, detail=case.detail)
    if case.amount is None or case.currency is None:
        return money_at_risk(opened, None)
    return money_at_risk(opened, Money(case.amount, case.currency))


def forged_webhook(webhook: WebhookEvent, keys: AuditKeys) -> Iterator[Offence]:
    """Judge a row of the inbox by the signature of who has taken it in."""
    if webhook_is_signed(webhook, keys):
        return
    what = (
        f"the webhook {webhook.event_id!r} of {webhook.provider} is none that "
        "came in so"
    )
    yield Offence(Invariant.TAMPERED, None, webhook.task_id, what)
