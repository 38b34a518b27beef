"""The create: asks a provider for a payout, once; repeated only where that may be."""

import re
from datetime import timedelta
from typing import Final

from fsm.domain.orders import Order
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.payout.sentences import QUESTION
from fsm.payout.words import Trigger
from handlers.admission import may_repeat_now
from handlers.calling import check_awake, timed
from handlers.claims import Claims, InFlight
from handlers.commit import Ports
from handlers.ports.provider import CreateAnswer, Declined, NotSent, Provider
from handlers.withdrawal.answers import event_of_create
from handlers.withdrawal.asked import payout_of
from handlers.withdrawal.terms import policy_of
from handlers.withdrawal.unheard import unasked, unconfigured

NO_REPEAT: Final = "not repeated: its key's time is over, or nobody wants it any more"
CLAIM_LOST: Final = "the worker that was to send it is gone: it may have been sent"
_OF_A_FIRST: Final = re.compile(
    "duplicate|idempoten|already|unique|(reference|key|id).{0,20}(in.use|used|taken)",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)


async def create(order: Order, task: Task, ports: Ports, claims: Claims) -> Event:
    """Send a create that this chain has claimed; see to one that it only found.

    What is found is left alone while its claimant may be sending it. After that it
    is taken over by a version of one's own, or given up for asking.

    :raises InFlight: its claimant may be sending it.
    :raises ClaimTooOld: this chain has overslept.
    """
    provider = ports.providers.get(task.provider)
    if claims.claims(task):
        if provider is None:
            return unconfigured(task)
        if task.taken and not may_repeat(task, provider, ports):
            # This process slept between taking it over and saying so.
            return unasked(task, CLAIM_LOST)
        return await _send(provider, order, task, ports, claims)
    _leave_to_claimant(task, provider, ports)
    if provider is None or not may_repeat(task, provider, ports):
        return unasked(task, CLAIM_LOST)
    shut = may_repeat_now(task, ports, claims.admissions)
    if shut is not None:
        return unasked(task, f"{CLAIM_LOST}; not repeated: {shut.because}")
    return timed(Trigger.TAKEN_OVER, task)


async def recreate(order: Order, task: Task, ports: Ports, claims: Claims) -> Event:
    """Repeat a create with its key, while that lives: it makes no second payout."""
    provider = ports.providers.get(task.provider)
    if provider is None:
        return unconfigured(task)
    if not claims.claims(task):
        _leave_to_claimant(task, provider, ports)
    if not may_repeat(task, provider, ports):
        return unasked(task, NO_REPEAT)
    shut = may_repeat_now(task, ports, claims.admissions)
    # A repeat that is the question is asked as a status would be: whatever stands.
    if shut is not None and policy_of(task, ports).can_ask(task):
        return unasked(task, f"not repeated: {shut.because}")
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
    check_awake(task, ports, claims)
    try:
        answer = await provider.create(payout_of(order, task))
    finally:
        claims.admissions.give_back(task.task_id)
    heard = event_of_create(answer, order, task)
    if task.taken and (_is_of_this_request(answer) or _names_the_first(heard)):
        # This request did nothing; one before it may have.
        return replace(heard, trigger=Trigger.UNCLEAR)
    return heard


def _is_of_this_request(answer: CreateAnswer) -> bool:
    """True where an answer tells that one request did nothing, and of no other."""
    if isinstance(answer, Declined):
        return answer.of_this_request
    return isinstance(answer, NotSent)


def _names_the_first(heard: Event) -> bool:
    """True for a repeat that is refused since there is a payout of that name already.

    What became of that one it does not say: no such refusal is a no.
    """
    said = f"{heard.code} {heard.message}"
    return heard.trigger is Trigger.DECLINED and _OF_A_FIRST.search(said) is not None


def may_repeat(task: Task, provider: Provider, ports: Ports) -> bool:
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
