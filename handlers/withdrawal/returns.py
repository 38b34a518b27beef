"""Settles the case of a payout that came back: core takes the money back in."""

from fsm.domain.durations import format_duration
from fsm.domain.errors import NotNow
from fsm.domain.four_eyes import FourEyes
from fsm.domain.messages import step_wakeup
from fsm.domain.orders import Order
from fsm.domain.votes import Vote
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.words import CaseKind, CaseState, State
from fsm.payout.lifecycle import PAYOUT
from fsm.payout.policy import ProviderPolicy
from fsm.payout.words import Trigger, Waiting
from handlers.approval import approve, event_by_person, withdraw_vote
from handlers.cancel import order_of_task
from handlers.close import contest_closing, settling
from handlers.commit import Ports
from handlers.ports.operator_store import OperatorStore
from handlers.ports.reads import CaseRecord
from handlers.withdrawal.terms import policy_of


async def settle_return(  # noqa: PLR0913 - what a decision is made of
    case_id: str,
    *,
    reason: str,
    evidence: object,
    actor: str,
    four_eyes: FourEyes,
    operator_store: OperatorStore,
    ports: Ports,
    person: str | None = None,
) -> Vote:
    """Have core take a returned payout back, once as many agree as it takes.

    The wish is committed to the task's row, and the call is due from then on: it is
    made, repeated and recorded as every other. What core says moves the case on.

    :raises UnknownOrder: no such case.
    :raises NotNow: it is about something else, or over, or being settled; the return
        came after the provider's finality; the second person is the first; or
        nothing has opened it that we have written.

    A vote of somebody else to close the case is cleared by it: neither stands then.
    """
    case, order, task = await _open_return(case_id, operator_store, ports)
    _check_returnable(task, case, policy_of(task, ports))
    await _check_opened(case, operator_store, ports)
    if await contest_closing(
        case,
        reason=reason,
        actor=actor,
        person=person,
        operator_store=operator_store,
        ports=ports,
    ):
        return Vote.CLEARS
    event = replace(
        event_by_person(
            Trigger.RETURN_REQUESTED,
            reason=reason,
            actor=actor,
            person=person,
            evidence=evidence,
            case_id=case_id,
        ),
        # Of this case: who has agreed to another one has not agreed to this.
        decision=settling(case_id),
        # It counts by when the provider told, not by when a person got to it.
        asked_at=case.opened_at,
    )
    return await approve(
        order,
        task,
        event,
        proposal=Trigger.RETURN_PROPOSED,
        contest=Trigger.RETURN_CONTESTED,
        needs_two=four_eyes.needs_two(order.money),
        wakeup=step_wakeup,
        ports=ports,
    )


async def withdraw_settlement(
    case_id: str,
    *,
    reason: str,
    actor: str,
    operator_store: OperatorStore,
    ports: Ports,
    person: str | None = None,
) -> None:
    """Take one's own vote on a return back, as long as no second person has agreed.

    :raises UnknownOrder: no such case.
    :raises NotNow: nobody has voted, or somebody else has; or it is over.
    """
    _, order, task = await _open_return(case_id, operator_store, ports)
    await withdraw_vote(
        order,
        task,
        trigger=Trigger.RETURN_WITHDRAWN,
        reason=reason,
        actor=actor,
        person=person,
        ports=ports,
    )


async def _open_return(
    case_id: str, operator_store: OperatorStore, ports: Ports
) -> tuple[CaseRecord, Order, Task]:
    case = await operator_store.case(case_id)
    if case.kind is not CaseKind.RETURN_AFTER_SUCCESS:
        raise NotNow(f"case {case_id} is no return: settle it by hand, and close it")
    if case.state is not CaseState.OPEN:
        raise NotNow(f"case {case_id} is {case.state}")
    order = await order_of_task(case.task_id, ports=ports)
    task = order.task(case.task_id)
    if task.lifecycle != PAYOUT.name:
        raise NotNow(f"task {task.task_id} is no payout: nothing of it is settled")
    return case, order, task


async def _check_opened(
    case: CaseRecord, operator_store: OperatorStore, ports: Ports
) -> None:
    """Refuse a case that another hand has put there: nobody has sent money back.

    The audit line by which the payout came back is of the time of its case, and signed.
    """
    opening = await operator_store.opening_of(case)
    if opening is None or not opening.holds(ports.keys):
        raise NotNow(
            f"no audit line has opened case {case.id}: it is not ours, and nothing is "
            "settled; `verify` says what else was changed"
        )


def _check_returnable(task: Task, case: CaseRecord, plan: ProviderPolicy) -> None:
    if task.state is not State.SUCCEEDED or task.returned:
        raise NotNow(f"core has nothing to take back for task {task.task_id}")
    if task.waiting_for is Waiting.RETURN:
        raise NotNow(f"core is being asked already about task {task.task_id}")
    if plan.finality is None:
        raise NotNow(f"provider {task.provider} has no finality: nothing is settled")
    succeeded_at = task.updated_at or case.opened_at
    if case.opened_at > succeeded_at + plan.finality:
        limit = format_duration(plan.finality)
        raise NotNow(f"it came back later than {limit} after its success")
