"""Writes down what is proposed without a key, where a person with one will see it.

The line is of the order's own row: a vote looks at the version of its task, so no
proposal can ever make one void.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from fsm.domain.audit import AuditLine
from fsm.domain.audit_keys import AuditKeys
from fsm.domain.errors import NotNow
from fsm.domain.messages import Message, queue_wakeup
from fsm.domain.orders import Order
from fsm.domain.proposals import (
    CANCEL,
    PROPOSED_FROM_SHELL,
    SETTLE,
    Proposal,
)
from fsm.engine.records import replace
from fsm.engine.rows import Queue
from fsm.engine.steps import QueueChange, Step
from fsm.engine.words import CaseKind, CaseState, State
from handlers.commit import TrailPorts, commit
from handlers.ports.reads import CaseRecord

PROPOSALS_MAX: Final = 20
"""Of one order: a loop in some shell must not bury the trail that people read."""


async def propose(
    order: Order,
    proposal: Proposal,
    *,
    trail: Sequence[AuditLine],
    books: TrailPorts,
    case: CaseRecord | None = None,
) -> bool:
    """Write the proposal into the order's trail; nothing else changes.

    ``trail`` is the order's so far, ``case`` what the proposal is about if it is about
    one. False: the very same stands there already, and is not written again.

    :raises NotNow: there is nothing to decide, too much has been proposed already, or
        the trail is signed and the key is not here.
    """
    before = [line for line in trail if line.trigger == PROPOSED_FROM_SHELL]

    def judge(queue: Queue, now: datetime) -> Step:
        del now
        _check(order, queue, proposal, case)
        return _remarked(queue, proposal)

    _check(order, order.queue, proposal, case)
    _check_keys(trail, books.keys)
    if any(_is_same(line, order.queue, proposal) for line in before):
        return False
    if len(before) >= PROPOSALS_MAX:
        raise NotNow(
            f"order {order.order_id} has {len(before)} proposals already: "
            "a person with a key has to decide"
        )
    await commit(order, judge, ports=books, wakeups=_wakeups)
    return True


def _check_keys(trail: Sequence[AuditLine], keys: AuditKeys) -> None:
    """Let nobody go on with a signed chain who cannot sign."""
    own = [line for line in trail if line.task_id is None]
    if own and own[-1].key_id not in keys:
        raise NotNow(
            f"the trail is signed by the key {own[-1].key_id!r}, which is not known "
            "here: set PAYMENT_AUDIT_KEYS as the service has it"
        )


def _check(
    order: Order, queue: Queue, proposal: Proposal, case: CaseRecord | None
) -> None:
    if case is not None:
        _check_case(case, proposal)
    elif proposal.decision == CANCEL:
        what, row = f"order {order.order_id}", queue
        if proposal.task_id is None:
            final, state = row.final, row.state.value
        else:
            task = queue.task(proposal.task_id)
            what = f"task {task.task_id}"
            final, state = task.final, task.state.value
        if final:
            raise NotNow(f"{what} is {state}: it is final")
    elif proposal.task_id is not None:
        task = queue.task(proposal.task_id)
        if task.state is not State.MANUAL_CHECK:
            raise NotNow(f"task {task.task_id} is {task.state}, not in MANUAL_CHECK")


def _check_case(case: CaseRecord, proposal: Proposal) -> None:
    if case.state is not CaseState.OPEN:
        raise NotNow(f"case {case.id} is {case.state}")
    if proposal.decision == SETTLE and case.kind is not CaseKind.RETURN_AFTER_SUCCESS:
        raise NotNow(f"case {case.id} is no return: settle it by hand, and close it")


def _is_same(line: AuditLine, queue: Queue, proposal: Proposal) -> bool:
    said = proposal.detail(_version(queue, proposal))
    return line.actor == proposal.actor and line.detail == said


def _version(queue: Queue, proposal: Proposal) -> int | None:
    task_id = proposal.task_id
    return None if task_id is None else queue.task(task_id).version


def _remarked(queue: Queue, proposal: Proposal) -> Step:
    """Return the step that only adds a line."""
    after = replace(queue, version=queue.version + 1)
    change = QueueChange(
        before=queue,
        after=after,
        trigger=PROPOSED_FROM_SHELL,
        actor=proposal.actor,
        detail=proposal.detail(_version(queue, proposal)),
    )
    return Step(changes=(), queue=change, announcements=(), cases=(), after=after)


def _wakeups(moved: Order, _now: datetime) -> list[Message]:
    """Ring anew for what the order waits for: the row has another version now."""
    wakeup = queue_wakeup(moved.queue)
    return [] if wakeup is None else [wakeup]
