"""The calls of a saga: each asks a step's service once and says what it heard.

A do and an undo have a key each: whoever makes one again finds what the first has done.
Still a do is claimed as a create is, so that somebody knows that nothing was ever sent.
A payment provider is asked as a service is (``charges``): its do collects.
"""

from enum import StrEnum
from typing import Final

from fsm.charge.policy import ChargePolicy
from fsm.domain.orders import Order
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.words import as_theirs
from fsm.service.customer import refusal
from fsm.service.words import (
    NO,
    NO_ANSWER,
    OURS,
    STOPPED,
    UNCONFIGURED,
    ServiceWait,
    StepTrigger,
)
from handlers.admission import at_gate, may_repeat_now
from handlers.calling import check_awake, timed, unheard
from handlers.checkout.asked import call_of
from handlers.checkout.terms import is_charge, policy_of, service_of
from handlers.claims import Claims
from handlers.commit import Ports
from handlers.ports.services import (
    AskAnswer,
    DoAnswer,
    ServiceDone,
    ServiceNotKnown,
    ServiceNotSent,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
    ServiceUndone,
    UndoAnswer,
)

UNWANTED: Final = "not sent: nobody wants it any more"
UNASKED: Final = "it cannot be asked"
KEY_IS_OVER: Final = "not repeated: its key's time is over"
NO_TO_A_REPEAT: Final = "a no to a repeat: what became of the first it does not say"


async def call_for(order: Order, task: Task, *, ports: Ports, claims: Claims) -> Event:
    """Make the call that the task's row says is due, and return what it means.

    :raises ClaimTooOld: a do or an undo must not be sent any more by this chain.
    """
    match task.waiting_for:
        case ServiceWait.DO:
            if not claims.claims(task):
                return timed(StepTrigger.TAKEN_OVER, task)
            return await _do(order, task, ports, claims)
        case ServiceWait.RETRY:
            kept_out = _spent(task, ports) or _kept_out(order, task, ports, claims)
            return kept_out or timed(StepTrigger.RETRY_DUE, task)
        case ServiceWait.ASK:
            spent = _spent(task, ports)
            return spent or await _ask_or_repeat(order, task, ports, claims)
        case ServiceWait.LAST_ASK:
            if policy_of(task, ports).has_tried(task):
                return _given_up(task)
            return await _ask(order, task, ports)
        case ServiceWait.UNDO:
            if policy_of(task, ports).has_tried(task):
                return _given_up(task)
            return await _undo(order, task, ports, claims)
        case ServiceWait.LAST_QUESTION:
            return await _last_question(order, task, ports)
        case _:
            raise ValueError(f"no call is due for {task.waiting_for}")


def _given_up(task: Task) -> Event:
    return timed(StepTrigger.GIVEN_UP, task, code=NO_ANSWER)


def _spent(task: Task, ports: Ports) -> Event | None:
    """Return what becomes of a step that was tried long enough; None where it goes on.

    A default holds for one that nothing can undo, and where nobody has given it up.
    """
    policy, now = policy_of(task, ports), ports.clock.now()
    default = policy.default
    has_default = (StepTrigger.DEFAULTED, task.state) in ports.rules.of(task).ways
    if default and has_default and policy.defaults(task, now):
        said = timed(StepTrigger.DEFAULTED, task)
        return replace(said, result=default.result)
    return _given_up(task) if policy.is_spent(task, now) else None


async def _do(order: Order, task: Task, ports: Ports, claims: Claims) -> Event:
    """Send the do that this chain has claimed; what nobody wants is not sent."""
    service = service_of(task, ports)
    if service is None or task.cancel_requested:
        because = _absent(task) if service is None else UNWANTED
        code = UNCONFIGURED if service is None else None
        return unheard(StepTrigger.NOT_SENT, task, because, code=code)
    kept_out = _kept_out(order, task, ports, claims)
    if kept_out is not None:
        return kept_out
    try:
        check_awake(task, ports, claims)
        answer = await service.do(call_of(order, task))
    finally:
        claims.admissions.give_back(task.task_id)
    return _charged_once(event_of(answer, task), task)


def _kept_out(order: Order, task: Task, ports: Ports, claims: Claims) -> Event | None:
    """Return why a payment provider is not told now; None where it is, or a service.

    What may have arrived is asked about and not told again, where its provider is
    paused or away, or its key would not live until it came.
    """
    if not is_charge(task):
        return None
    if not task.taken:
        held, passed = StepTrigger.HELD, StepTrigger.PASSED_OVER
        given = (order, task, ports, claims.admissions)
        return at_gate(*given, held=held, passed_over=passed)
    if not _key_lives(task, ports):
        return unheard(StepTrigger.UNCLEAR, task, KEY_IS_OVER)
    shut = may_repeat_now(task, ports, claims.admissions)
    if shut is None:
        return None
    return unheard(StepTrigger.UNCLEAR, task, f"not repeated: {shut.because}")


def _key_lives(task: Task, ports: Ports) -> bool:
    """True where a repeat still finds the first: this process may have slept since."""
    policy = policy_of(task, ports)
    if not isinstance(policy, ChargePolicy):
        return False
    return policy.key_lives(task.sent_first_at, ports.clock.now())


def _charged_once(heard: Event, task: Task) -> Event:
    """Return what a do means: one that may be the second is no proof by its no.

    A provider may refuse it since there is a first of that name, and that may be paid.
    A no to the first is one as long as nobody has sent another since.
    """
    if not is_charge(task) or heard.trigger is not StepTrigger.REFUSED:
        return heard
    if not task.taken:
        return replace(heard, asked_at=task.sent_last_at)
    said = f"{NO_TO_A_REPEAT}: {heard.code}"
    return unheard(StepTrigger.UNCLEAR, task, said)


async def _ask_or_repeat(
    order: Order, task: Task, ports: Ports, claims: Claims
) -> Event:
    """Ask what became of it: where it cannot be asked the do, repeated, is that."""
    service = service_of(task, ports)
    if service is None or service.policy.asks:
        return await _ask(order, task, ports)
    if task.cancel_requested:
        return unheard(StepTrigger.UNASKED, task, UNWANTED, code=NO_ANSWER)
    check_awake(task, ports, claims)
    return event_of(await service.do(call_of(order, task)), task)


async def _ask(
    order: Order,
    task: Task,
    ports: Ports,
    *,
    disputed: StepTrigger = StepTrigger.UNCLEAR,
) -> Event:
    """Ask what became of it; ``disputed`` is what a yes to something else means."""
    service = service_of(task, ports)
    if service is None:
        return unheard(StepTrigger.UNCLEAR, task, _absent(task), code=UNCONFIGURED)
    if not service.policy.asks:
        return unheard(StepTrigger.UNASKED, task, UNASKED)
    asked_at = ports.clock.now()
    answer = await service.ask(call_of(order, task))
    heard = replace(event_of(answer, task), asked_at=asked_at)
    is_disputed = isinstance(answer, ServiceUnclear) and answer.disputed
    return replace(heard, trigger=disputed) if is_disputed else heard


_LAST_WORDS: Final[dict[StrEnum, str]] = {
    StepTrigger.PENDING: STOPPED,
    StepTrigger.NOT_KNOWN: NO,
}


async def _last_question(order: Order, task: Task, ports: Ports) -> Event:
    """Ask once more what became of what a person says was never done.

    Nothing is repeated: nobody wants it any more. Where it cannot be asked, or was in
    vain as often as it may be, the no stands, and the line says how often it was.
    """
    policy = policy_of(task, ports)
    if not policy.asks or policy.has_tried(task):
        asked = task.tries
        because = f"asked {asked} times, no answer that counts" if asked else UNASKED
        said = unheard(StepTrigger.UNASKED, task, because, code=NO)
        return replace(said, detail={"asked": asked})
    # A charge of another amount is no silence: the person has to look at it again.
    heard = await _ask(order, task, ports, disputed=StepTrigger.PENDING)
    code = _LAST_WORDS.get(heard.trigger)
    return heard if code is None else replace(heard, code=code)


async def _undo(order: Order, task: Task, ports: Ports, claims: Claims) -> Event:
    service = service_of(task, ports)
    if service is None:
        return unheard(StepTrigger.UNCLEAR, task, _absent(task), code=UNCONFIGURED)
    check_awake(task, ports, claims)
    heard = event_of(await service.undo(call_of(order, task)), task)
    if heard.trigger is StepTrigger.REFUSED:
        return replace(heard, trigger=StepTrigger.UNDO_REFUSED)
    return heard


def _absent(task: Task) -> str:
    if is_charge(task):
        return f"payment provider {task.provider!r} is not configured here"
    return f"service {task.name!r} is not configured here"


def event_of(answer: DoAnswer | AskAnswer | UndoAnswer, task: Task) -> Event:
    """Return what an answer means: a definite one at any time, the rest only now."""
    actor = f"provider:{task.provider}" if is_charge(task) else f"service:{task.name}"
    match answer:
        case ServiceDone(result=result):
            return Event(trigger=StepTrigger.DONE, actor=actor, result=result)
        case ServiceUndone():
            return Event(trigger=StepTrigger.UNDONE, actor=actor)
        case ServiceRefused(code=code, message=message, customer_message=told):
            return Event(
                trigger=StepTrigger.REFUSED,
                actor=actor,
                code=as_theirs(code, OURS),
                message=message,
                customer=refusal(task.name or "", as_theirs(code, OURS), told),
            )
        case ServicePending():
            event = unheard(StepTrigger.PENDING, task, "it is still at it")
        case ServiceNotKnown():
            event = unheard(StepTrigger.NOT_KNOWN, task, "it knows no such step")
        case ServiceNotSent(because=because, after=after, lacking=lacking):
            event = unheard(
                StepTrigger.NOT_SENT, task, because, after=after, lacking=lacking
            )
        case ServiceUnclear(because=because, after=after):
            event = unheard(StepTrigger.UNCLEAR, task, because, after=after)
    return replace(event, actor=actor)
