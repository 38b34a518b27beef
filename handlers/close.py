"""Closes a case, by two persons where the money asks for two."""

from datetime import datetime

from fsm.domain.acts import CaseTrigger
from fsm.domain.case_events import case_closed
from fsm.domain.errors import NotNow
from fsm.domain.four_eyes import FourEyes
from fsm.domain.messages import Message
from fsm.domain.money import Money
from fsm.domain.orders import Order
from fsm.domain.votes import (
    NOT_THEIR_VOTE,
    VOTED_ALREADY,
    Vote,
    require_key,
)
from fsm.engine.words import CaseState
from handlers.approval import clear_vote
from handlers.cancel import order_of_task
from handlers.commit import Ports
from handlers.ports.operator_store import OperatorStore
from handlers.ports.reads import CaseRecord


async def close_case(  # noqa: PLR0913 - what a decision is made of
    case_id: str,
    *,
    reason: str,
    actor: str,
    four_eyes: FourEyes,
    operator_store: OperatorStore,
    ports: Ports,
    person: str | None = None,
) -> Vote:
    """Close a case, or let the vote wait for a second person; the trail says both.

    It takes two where the order's amount does, or what may be lost. A vote of somebody
    else to have it settled is cleared by it: where it takes two, neither stands then.

    :raises UnknownOrder: no such case.
    :raises NotNow: it is nobody with a key; it is over, or being settled; the second
        person is the first, or has voted to settle it; or the case has just changed.
    """
    require_key(actor)
    case = await operator_store.case(case_id)
    order = await order_of_task(case.task_id, ports=ports)
    takes_two = _takes_two(case, order, four_eyes)
    cleared = await _contest_settling(
        case, order, reason=reason, actor=actor, person=person, ports=ports
    )
    if cleared and takes_two:
        return Vote.CLEARS
    at, voter = ports.clock.now(), person or actor
    first = case.close_voter if takes_two else None
    if takes_two and first is None:
        await operator_store.vote_to_close(
            case.id, voter=voter, actor=actor, reason=reason, at=at
        )
        return Vote.WAITS
    if first == voter:
        raise NotNow(VOTED_ALREADY)
    told = _told(case, order, reason, at)
    await operator_store.close_case(
        case_id, actor=actor, reason=reason, at=at, agrees_with=first, message=told
    )
    return Vote.DECIDES


def _told(case: CaseRecord, order: Order, reason: str, at: datetime) -> Message:
    """Return the event that the case is closed."""
    return case_closed(
        order,
        case_id=case.id,
        task_id=case.task_id,
        kind=case.kind,
        reason=reason,
        at=at,
    )


async def withdraw_closing(
    case_id: str,
    *,
    reason: str,
    actor: str,
    operator_store: OperatorStore,
    ports: Ports,
    person: str | None = None,
) -> None:
    """Take one's own vote to close a case back.

    :raises UnknownOrder: no such case.
    :raises NotNow: nobody has voted, or somebody else has; or the case is over.
    """
    case = await operator_store.case(case_id)
    if case.close_voter is None:
        raise NotNow(f"no vote to close case {case_id} waits for a second person")
    if case.close_voter != (person or actor):
        raise NotNow(NOT_THEIR_VOTE)
    await operator_store.clear_vote_to_close(
        case_id,
        voter=case.close_voter,
        trigger=CaseTrigger.CLOSE_WITHDRAWN,
        actor=actor,
        reason=reason,
        at=ports.clock.now(),
    )


async def contest_closing(
    case: CaseRecord,
    *,
    reason: str,
    actor: str,
    operator_store: OperatorStore,
    ports: Ports,
    person: str | None = None,
) -> bool:
    """Clear a vote to close that waits, since a second person wants otherwise.

    False: none waits.

    :raises NotNow: it is one's own; or the case has just changed.
    """
    if case.close_voter is None:
        return False
    require_key(actor)
    if case.close_voter == (person or actor):
        raise NotNow("your own vote to close it waits: withdraw that first")
    await operator_store.clear_vote_to_close(
        case.id,
        voter=case.close_voter,
        trigger=CaseTrigger.CLOSE_CONTESTED,
        actor=actor,
        reason=reason,
        at=ports.clock.now(),
    )
    return True


async def _contest_settling(
    case: CaseRecord,
    order: Order,
    *,
    reason: str,
    actor: str,
    person: str | None,
    ports: Ports,
) -> bool:
    """Clear a vote that waits to have core take this return back; False: none waits.

    :raises NotNow: it is one's own; or the task has just changed.
    """
    task = order.task(case.task_id)
    contested = ports.rules.of(task).settling_contested
    if (
        contested is None
        or case.state is not CaseState.OPEN
        or task.proposed_decision != settling(case.id)
    ):
        return False
    if task.proposed_by == (person or actor):
        raise NotNow("your own vote to settle it waits: withdraw that first")
    await clear_vote(
        order,
        task,
        trigger=contested,
        reason=reason,
        actor=actor,
        person=person,
        ports=ports,
    )
    return True


def settling(case_id: str) -> str:
    """Return the word of who wants a return settled: of this case, and of no other."""
    return f"return:{case_id}"


def _takes_two(case: CaseRecord, order: Order, four_eyes: FourEyes) -> bool:
    lost = case.money_at_risk
    at_risk = (
        lost > 0
        and case.currency is not None
        and four_eyes.needs_two(Money(lost, case.currency))
    )
    return at_risk or four_eyes.needs_two(order.money)
