"""The calls of a link: each asks its partner or core once, and says what it heard.

Each has a key: whoever makes one again finds what the first has done. A grant that was
not answered is made again, or revoked where nobody wants it any more.
"""

from typing import Final

from fsm.domain.orders import Order
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.engine.words import State, as_theirs
from fsm.partner.words import CHECK, OURS, LinkTrigger, LinkWait
from handlers.calling import check_awake, timed, unheard
from handlers.claims import Claims
from handlers.commit import Ports
from handlers.partner.asked import check_of, membership_of, notice_of
from handlers.partner.terms import not_configured, partner_of
from handlers.partner.validate import validated
from handlers.ports.core import Confirmed, MembershipVerb
from handlers.ports.partners import (
    CheckAnswer,
    Eligible,
    MultiMatch,
    NotEligible,
    NoticeAnswer,
    PartnerNotSent,
    PartnerPending,
    PartnerUnclear,
    RevokeNoted,
)

T = LinkTrigger
_VERBS: Final = {
    MembershipVerb.GRANT: (T.GRANTED, T.GRANT_REFUSED),
    MembershipVerb.CONFIRM: (T.CONFIRMED, T.CONFIRM_REFUSED),
    MembershipVerb.REVOKE: (T.REVOKED, T.REVOKE_REFUSED),
}


async def call_for(order: Order, task: Task, *, ports: Ports, claims: Claims) -> Event:
    """Make the call that the task's row says is due, and return what it means.

    :raises CoreUnavailable: core gave no definite answer.
    :raises ClaimTooOld: a membership must not be moved any more by this chain.
    :raises Tampered: what there is about the card is not as the service has left it.
    """
    match task.waiting_for:
        case LinkWait.VALIDATE:
            return _ended(T.EXPIRED, task, ports) or await validated(order, task, ports)
        case LinkWait.ELIGIBILITY | LinkWait.FALLBACK:
            return _ended(T.EXPIRED, task, ports) or await _check(order, task, ports)
        case LinkWait.GRANT | LinkWait.CONFIRM | LinkWait.REVOKE as due:
            check_awake(task, ports, claims)
            return await _membership(MembershipVerb(due.value), order, task, ports)
        case LinkWait.REVOKE_NOTICE:
            ended = _ended(T.NOTICE_GIVEN_UP, task, ports)
            return ended or await _notice(order, task, ports)
        case _:
            raise ValueError(f"no call is due for {task.waiting_for}")


def _ended(trigger: LinkTrigger, task: Task, ports: Ports) -> Event | None:
    """Return that the time for what is due is over; None where it is not."""
    ends = task.deadline_at
    over = ends is not None and ports.clock.now() >= ends
    return timed(trigger, task) if over else None


async def _check(order: Order, task: Task, ports: Ports) -> Event:
    partner = partner_of(task, ports)
    if partner is None:
        return not_configured(task)
    call = check_of(order, task)
    again = task.waiting_for is LinkWait.FALLBACK
    check = partner.check_again if again else partner.check_eligibility
    return event_of(await check(call), task, call.n)


async def _notice(order: Order, task: Task, ports: Ports) -> Event:
    partner = partner_of(task, ports)
    if partner is None:
        return not_configured(task)
    return event_of(await partner.notify_revoked(notice_of(order, task)), task, 0)


async def _membership(
    verb: MembershipVerb, order: Order, task: Task, ports: Ports
) -> Event:
    """Have core move the membership; one is granted for now until it is known."""
    for_now = verb is MembershipVerb.GRANT and task.state is State.RECHECKING
    call = membership_of(order, task, provisional=for_now)
    done, refused = _VERBS[verb]
    answer = await ports.core.membership(verb, call)
    if isinstance(answer, Confirmed):
        return Event(trigger=done, actor="core")
    return Event(
        trigger=refused, actor="core", code=answer.code, message=answer.message
    )


def event_of(answer: CheckAnswer | NoticeAnswer, task: Task, n: int) -> Event:
    """Return what the answer to the n-th check means.

    A definite one does at any time, unless a later check was answered since; the rest
    means something to this version of the row alone.
    """
    match answer:
        case Eligible(reference=reference):
            event = numbered(n, Event(trigger=T.ELIGIBLE, reference=reference))
        case NotEligible(code=code, message=message):
            said = Event(
                trigger=T.NOT_ELIGIBLE, code=as_theirs(code, OURS), message=message
            )
            event = numbered(n, said)
        case MultiMatch():
            several = unheard(T.MULTI_MATCH, task, "it has several matches")
            event = numbered(n, several)
        case PartnerPending():
            event = numbered(n, unheard(T.PENDING, task, "it is still at it"))
        case RevokeNoted():
            event = Event(trigger=T.NOTIFIED, version=task.version)
        case PartnerNotSent(because=because, after=after, lacking=lacking):
            event = unheard(T.NOT_SENT, task, because, after=after, lacking=lacking)
        case PartnerUnclear(because=because, after=after):
            event = unheard(T.UNCLEAR, task, because, after=after)
    return replace(event, actor=f"provider:{task.provider}")


def numbered(n: int, event: Event) -> Event:
    """Return what answers the n-th check; its line says so, for the row has no seal."""
    return replace(event, sequence=n, detail={CHECK: n})
