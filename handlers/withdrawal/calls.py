"""The calls: each makes one outside call at the most and says what it heard."""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Final

from fsm.domain.errors import Tampered
from fsm.domain.orders import Order
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.words import EngineWait, Source, State
from fsm.payout.sentences import QUESTION
from fsm.payout.words import Trigger, Waiting, waits_for
from handlers.claims import Claims, ClaimTooOld, InFlight
from handlers.commit import Ports
from handlers.ports.core import BalanceCall, Confirmed, Operation, Refused
from handlers.ports.provider import (
    Accepted,
    CancelAnswer,
    Cancelled,
    CreateAnswer,
    Declined,
    NotFound,
    NotSent,
    Payout,
    Provider,
    Returned,
    StatusAnswer,
    Succeeded,
    TooLate,
    Unclear,
)
from handlers.sound import NOT_AS_REQUESTED, TAMPERED, halted
from handlers.withdrawal.admission import at_gate, may_repeat_now
from handlers.withdrawal.terms import policy_of
from handlers.withdrawal.webhooks import differing

UNCONFIGURED: Final = "provider_not_configured"
NO_REPEAT: Final = "not repeated: its key's time is over, or nobody wants it any more"
ONCE_ONLY: Final = "not repeated: a second create might pay again"
UNASKED: Final = "the status cannot be asked"
_OF_A_FIRST: Final = re.compile(
    "duplicate|idempoten|already|unique|(reference|key|id).{0,20}(in.use|used|taken)",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
NO: Final = "resolved_negative"
STOPPED: Final = "resolution_stopped"
CLAIM_LOST: Final = "the worker that was to send it is gone: it may have been sent"


async def call_for(order: Order, task: Task, *, ports: Ports, claims: Claims) -> Event:
    """Make the call that the task's row says is due, and return what it means.

    :raises CoreUnavailable: core gave no definite answer.
    :raises ClaimTooOld: a create must not be sent any more by this chain.
    """
    match waits_for(task):
        case Waiting.FREEZE:
            # Asked before there is a hold: who waits for a provider ties up no money.
            kept_out = at_gate(order, task, ports, claims.admissions)
            return kept_out or await _balance(Operation.FREEZE, order, task, ports)
        case Waiting.COMMIT | Waiting.ROLLBACK | Waiting.RETURN as due:
            return await _balance(Operation(due.value), order, task, ports)
        case Waiting.CREATE:
            return await _create(order, task, ports, claims)
        case Waiting.RECREATE:
            return await _recreate(order, task, ports, claims)
        case Waiting.CREATE_RETRY:
            kept_out = at_gate(order, task, ports, claims.admissions)
            return kept_out or _timed(Trigger.RETRY_DUE, task)
        case Waiting.WEIGHING:
            return _weighed(task, ports)
        case Waiting.WEBHOOK:
            return _timed(Trigger.SLA_PASSED, task)
        case Waiting.RECHECK:
            return await _recheck(order, task, ports)
        case Waiting.POLL:
            if task.deadline_at is not None and ports.clock.now() >= task.deadline_at:
                return _timed(Trigger.DEADLINE_PASSED, task)
            return await _status(order, task, ports)
        case Waiting.CANCEL:
            return await _cancel(order, task, ports)
        case Waiting.LAST_QUESTION:
            return await _last_question(order, task, ports)
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


async def not_as_requested(order: Order, task: Task, ports: Ports) -> Tampered:
    """Open a case about an order that another request was written into."""
    return await halted(order, task, NOT_AS_REQUESTED, ports)


def _timed(trigger: Trigger, task: Task) -> Event:
    """Return what the clock says of this version of the row, and of no other."""
    return Event(trigger=trigger, source=Source.TIMER, version=task.version)


def _weighed(task: Task, ports: Ports) -> Event:
    # What wants to be left alone is left alone by the question, too.
    silence = ports.gate.silence(task.provider)
    return replace(_timed(Trigger.WEIGHED, task), after=silence)


_BALANCE: Final = {
    Operation.FREEZE: (Trigger.FREEZE_CONFIRMED, Trigger.FREEZE_REFUSED),
    Operation.COMMIT: (Trigger.COMMIT_CONFIRMED, Trigger.COMMIT_REFUSED),
    Operation.ROLLBACK: (Trigger.ROLLBACK_CONFIRMED, Trigger.ROLLBACK_REFUSED),
    Operation.RETURN: (Trigger.RETURN_CONFIRMED, Trigger.RETURN_REFUSED),
}


async def _balance(
    operation: Operation, order: Order, task: Task, ports: Ports
) -> Event:
    call = BalanceCall(
        task_id=task.task_id,
        queue_id=task.queue_id,
        order_id=order.order_id,
        merchant_id=order.merchant_id,
        provider=task.provider,
        terminal_id=task.terminal_id,
        money=order.require_money(),
    )
    confirmed, refused = _BALANCE[operation]
    match await ports.core.balance(operation, call):
        case Confirmed():
            return Event(trigger=confirmed, actor="core")
        case Refused(code=code, message=message):
            return Event(trigger=refused, actor="core", code=code, message=message)


async def _create(order: Order, task: Task, ports: Ports, claims: Claims) -> Event:
    """Send a create that this chain has claimed; see to one that it only found.

    What is found is left alone while its claimant may be sending it. After that it
    is taken over by a version of one's own, or given up for asking.
    """
    provider = ports.providers.get(task.provider)
    if claims.claims(task):
        if provider is None:
            return _unconfigured(task)
        if task.taken and not _may_repeat(task, provider, ports):
            # This process slept between taking it over and saying so.
            return _unasked(task, CLAIM_LOST)
        return await _send(provider, order, task, ports, claims)
    _leave_to_claimant(task, provider, ports)
    if provider is None or not _may_repeat(task, provider, ports):
        return _unasked(task, CLAIM_LOST)
    shut = may_repeat_now(task, ports, claims.admissions)
    if shut is not None:
        return _unasked(task, f"{CLAIM_LOST}; not repeated: {shut.because}")
    return _timed(Trigger.TAKEN_OVER, task)


async def _recreate(order: Order, task: Task, ports: Ports, claims: Claims) -> Event:
    provider = ports.providers.get(task.provider)
    if provider is None:
        return _unconfigured(task)
    if not claims.claims(task):
        _leave_to_claimant(task, provider, ports)
    if not _may_repeat(task, provider, ports):
        return _unasked(task, NO_REPEAT)
    shut = may_repeat_now(task, ports, claims.admissions)
    # A repeat that is the question is asked as a status would be: whatever stands.
    if shut is not None and policy_of(task, ports).can_ask(task):
        return _unasked(task, f"not repeated: {shut.because}")
    heard = await _send(provider, order, task, ports, claims)
    return replace(heard, detail={**heard.detail, QUESTION: "create"})


def _leave_to_claimant(task: Task, provider: Provider | None, ports: Ports) -> None:
    timeout = timedelta(0) if provider is None else provider.timeout
    entered = task.updated_at or ports.clock.now()
    until = entered + ports.limits.send_within + timeout
    left = until - ports.clock.now()
    if left > timedelta(0):
        raise InFlight(task.task_id, left)


async def _send(
    provider: Provider, order: Order, task: Task, ports: Ports, claims: Claims
) -> Event:
    """Send the create; checked last of all: that this chain did not oversleep."""
    age = ports.clock.elapsed() - claims.taken_at
    if age > ports.limits.send_within.total_seconds():
        raise ClaimTooOld(f"the picture of task {task.task_id} is {age:.1f} s old")
    try:
        answer = await provider.create(payout_of(order, task))
    finally:
        claims.admissions.give_back(task.task_id)
    heard = event_of_create(answer, order, task)
    if task.taken and (heard.trigger is Trigger.NOT_SENT or _names_the_first(heard)):
        # This request did nothing; one before it may have.
        return replace(heard, trigger=Trigger.UNCLEAR)
    return heard


def _names_the_first(heard: Event) -> bool:
    """True for a repeat that is refused since there is a payout of that name already.

    What became of that one it does not say: no such refusal is a no.
    """
    said = f"{heard.code} {heard.message}"
    return heard.trigger is Trigger.DECLINED and _OF_A_FIRST.search(said) is not None


def _tampered(task: Task) -> Event:
    return Event(
        trigger=Trigger.TAMPERED,
        code=TAMPERED,
        message=NOT_AS_REQUESTED,
        version=task.version,
    )


def _may_repeat(task: Task, provider: Provider, ports: Ports) -> bool:
    """True where a create that is sent now arrives while its key still lives.

    What somebody has given up meanwhile is not asked for once more.
    """
    plan = policy_of(task, ports)
    first = task.sent_first_at
    until = ports.limits.send_within + provider.timeout
    return (
        plan.idempotent_create
        and not task.cancel_requested
        and first is not None
        and ports.clock.now() + until < first + plan.key_lifetime
    )


def _unconfigured(task: Task) -> Event:
    """Nothing can be asked of a provider that is not configured (any more)."""
    problem = f"provider {task.provider!r} is not configured here"
    trigger = Trigger.UNCLEAR if task.taken else Trigger.NOT_SENT
    return Event(trigger=trigger, code=UNCONFIGURED, message=problem)


async def _recheck(order: Order, task: Task, ports: Ports) -> Event:
    """Ask what became of it: by its status, else by a repeat of the create."""
    provider = ports.providers.get(task.provider)
    if provider is None or policy_of(task, ports).can_ask(task):
        return await _status(order, task, ports)
    if _may_repeat(task, provider, ports):
        return _timed(Trigger.REPEAT_DUE, task)
    plan = policy_of(task, ports)
    why = NO_REPEAT if plan.idempotent_create else ONCE_ONLY
    return _unasked(task, f"{UNASKED}; {why}")


def _unasked(task: Task, because: str) -> Event:
    """Return that nothing was asked: it is about this version of the row alone."""
    return Event(trigger=Trigger.UNCLEAR, message=because, version=task.version)


async def _status(order: Order, task: Task, ports: Ports) -> Event:
    provider = ports.providers.get(task.provider)
    if provider is None:
        return _unconfigured(task)
    asked_at = ports.clock.now()
    answer = await provider.status(payout_of(order, task))
    # What was asked within the grace proves nothing, however late it is recorded.
    return replace(event_of_status(answer, order, task), asked_at=asked_at)


_LAST_WORDS: Final[dict[StrEnum, tuple[Trigger, str | None]]] = {
    Trigger.ACCEPTED: (Trigger.RESOLUTION_STOPPED, STOPPED),
    Trigger.NOT_FOUND: (Trigger.RESOLUTION_NOT_FOUND, NO),
    Trigger.NOT_SENT: (Trigger.RESOLUTION_UNANSWERED, None),
    Trigger.UNCLEAR: (Trigger.RESOLUTION_UNANSWERED, None),
}


async def _last_question(order: Order, task: Task, ports: Ports) -> Event:
    """Ask once more what became of what a person says was not paid.

    Only the status is asked: nobody wants a repeat of the create any more. A definite
    answer is that whenever it was heard; the rest is about this question alone.
    """
    plan = policy_of(task, ports)
    if not plan.can_ask(task) or task.tries >= plan.recheck_attempts:
        return _unasked_no(task)
    heard = await _status(order, task, ports)
    if heard.trigger not in _LAST_WORDS:
        return heard
    trigger, code = _LAST_WORDS[heard.trigger]
    return replace(heard, trigger=trigger, code=code, version=task.version)


def _unasked_no(task: Task) -> Event:
    """Return that the no stands, and how often it was asked in vain."""
    asked = task.tries
    because = f"asked {asked} times, no answer that counts" if asked else UNASKED
    unasked = _timed(Trigger.RESOLUTION_UNASKED, task)
    return replace(unasked, code=NO, message=because, detail={"asked": asked})


async def _cancel(order: Order, task: Task, ports: Ports) -> Event:
    provider = ports.providers.get(task.provider)
    if provider is None:
        return Event(trigger=Trigger.CANCEL_UNCLEAR, code=UNCONFIGURED)
    return event_of_cancel(await provider.cancel(payout_of(order, task)), task)


def payout_of(order: Order, task: Task) -> Payout:
    """Return the attempt as the provider's port takes it."""
    return Payout(
        reference=task.task_id,
        money=order.require_money(),
        destination=order.destination,
        terminal_id=task.terminal_id,
        provider_reference=task.provider_reference,
    )


def event_of_create(answer: CreateAnswer, order: Order, task: Task) -> Event:
    """Translate what a create was answered with; another amount proves nothing."""
    event = event_of_status(answer, order, task)
    if event.trigger is Trigger.MISMATCHED:
        return replace(event, trigger=Trigger.UNCLEAR)
    return event


def event_of_status(answer: StatusAnswer, order: Order, task: Task) -> Event:
    """Translate what a provider says about one attempt."""
    actor = f"provider:{task.provider}"
    match answer:
        case Succeeded():
            return _paid(answer, order, actor, Trigger.PAID)
        case Returned():
            told = _paid(answer, order, actor, Trigger.RETURNED)
            code = told.code or answer.code
            return replace(told, code=code, message=answer.message)
        case Accepted():
            return Event(
                trigger=Trigger.ACCEPTED,
                actor=actor,
                reference=answer.reference,
                detail={"evidence": answer.evidence},
            )
        case Declined():
            return Event(
                trigger=Trigger.DECLINED,
                actor=actor,
                code=answer.code,
                message=answer.message,
                detail={"evidence": answer.evidence},
            )
        case NotFound():
            return Event(
                trigger=Trigger.NOT_FOUND,
                actor=actor,
                code="not_found",
                detail={"evidence": answer.evidence},
            )
        case NotSent():
            return Event(
                trigger=Trigger.NOT_SENT,
                code="not_sent",
                message=answer.because,
                after=answer.after,
                lacking=answer.lacking,
            )
        case Unclear():
            return Event(
                trigger=Trigger.UNCLEAR,
                message=answer.because,
                after=answer.after,
                detail={"evidence": answer.evidence},
            )


def _paid(
    answer: Succeeded | Returned, order: Order, actor: str, trigger: Trigger
) -> Event:
    differs = differing(order, answer.amount, answer.currency)
    told = Event(
        trigger=trigger,
        actor=actor,
        reference=answer.reference,
        detail={"evidence": {**answer.evidence, **differs}},
    )
    if not differs:
        return told
    # However often it is asked: the same answer is one fact, and one case.
    said = f"{actor} {trigger} {answer.reference} {sorted(differs.items())}"
    mismatched = Trigger.MISMATCHED
    return replace(told, trigger=mismatched, code="amount_mismatch", content=said)


def event_of_cancel(answer: CancelAnswer, task: Task) -> Event:
    """Translate what became of a cancellation."""
    actor = f"provider:{task.provider}"
    match answer:
        case Cancelled():
            return Event(
                trigger=Trigger.CANCEL_CONFIRMED,
                actor=actor,
                code="cancelled",
                detail={"evidence": answer.evidence},
            )
        case TooLate():
            return Event(
                trigger=Trigger.CANCEL_TOO_LATE,
                actor=actor,
                detail={"evidence": answer.evidence},
            )
        case NotSent():
            return Event(
                trigger=Trigger.CANCEL_UNCLEAR,
                message=answer.because,
                after=answer.after,
                lacking=answer.lacking,
            )
        case Unclear():
            return Event(
                trigger=Trigger.CANCEL_UNCLEAR,
                message=answer.because,
                after=answer.after,
                detail={"evidence": answer.evidence},
            )
