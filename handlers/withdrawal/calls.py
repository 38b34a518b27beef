"""The dispatch of a payout's calls: what its row says is due is asked for, once.

Each call stands in a module of its own: ``balance`` (freeze, commit, rollback and
return, at core), ``create``, ``status`` (polls, rechecks, last questions), ``cancel``.
"""

from fsm.domain.orders import Order
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.words import EngineWait, State
from fsm.payout.words import Trigger, Waiting, waits_for
from handlers.calling import not_as_requested, timed
from handlers.claims import Claims
from handlers.commit import Ports
from handlers.ports.core import Operation
from handlers.sound import NOT_AS_REQUESTED, TAMPERED
from handlers.withdrawal.admission import at_gate
from handlers.withdrawal.balance import balance
from handlers.withdrawal.cancel import cancel
from handlers.withdrawal.create import create, recreate
from handlers.withdrawal.status import ask_status, last_question, recheck


async def call_for(order: Order, task: Task, *, ports: Ports, claims: Claims) -> Event:
    """Make the call that the task's row says is due, and return what it means.

    :raises CoreUnavailable: core gave no definite answer.
    :raises ClaimTooOld: a create must not be sent any more by this chain.
    """
    match waits_for(task):
        case Waiting.FREEZE:
            # Asked before there is a hold: who waits for a provider ties up no money.
            kept_out = at_gate(order, task, ports, claims.admissions)
            return kept_out or await balance(Operation.FREEZE, order, task, ports)
        case Waiting.COMMIT | Waiting.ROLLBACK | Waiting.RETURN as due:
            return await balance(Operation(due.value), order, task, ports)
        case Waiting.CREATE:
            return await create(order, task, ports, claims)
        case Waiting.RECREATE:
            return await recreate(order, task, ports, claims)
        case Waiting.CREATE_RETRY:
            kept_out = at_gate(order, task, ports, claims.admissions)
            return kept_out or timed(Trigger.RETRY_DUE, task)
        case Waiting.WEIGHING:
            return _weighed(task, ports)
        case Waiting.WEBHOOK:
            return timed(Trigger.SLA_PASSED, task)
        case Waiting.RECHECK:
            return await recheck(order, task, ports)
        case Waiting.POLL:
            if task.deadline_at is not None and ports.clock.now() >= task.deadline_at:
                return timed(Trigger.DEADLINE_PASSED, task)
            return await ask_status(order, task, ports)
        case Waiting.CANCEL:
            return await cancel(order, task, ports)
        case Waiting.LAST_QUESTION:
            return await last_question(order, task, ports)
        case EngineWait() | None:
            raise ValueError(f"no call is due for {task.waiting_for}")


async def given_up(order: Order, task: Task, ports: Ports) -> Event:
    """Make no call for what is not as it was requested, and give it to a person.

    It is neither frozen nor sent, committed or given back, and not asked about either:
    an answer about another payout is no evidence.

    :raises Tampered: it ties up no money that somebody would have to decide on.
    """
    if task.state in {State.PENDING, State.SUCCEEDED}:
        raise await not_as_requested(order, task, ports)
    return _tampered(task)


def _weighed(task: Task, ports: Ports) -> Event:
    # What wants to be left alone is left alone by the question, too.
    silence = ports.gate.silence(task.provider)
    return replace(timed(Trigger.WEIGHED, task), after=silence)


def _tampered(task: Task) -> Event:
    return Event(
        trigger=Trigger.TAMPERED,
        code=TAMPERED,
        message=NOT_AS_REQUESTED,
        version=task.version,
    )
