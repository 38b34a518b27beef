"""The status of a payout, asked of its provider: polls, rechecks, last questions."""

from enum import StrEnum
from typing import Final

from fsm.domain.orders import Order
from fsm.engine.records import replace
from fsm.engine.rows import Task
from fsm.engine.steps import Event
from fsm.payout.words import Trigger
from handlers.calling import timed
from handlers.commit import Ports
from handlers.withdrawal.answers import event_of_status
from handlers.withdrawal.asked import payout_of
from handlers.withdrawal.create import NO_REPEAT, may_repeat
from handlers.withdrawal.terms import policy_of
from handlers.withdrawal.unheard import unasked, unconfigured

UNASKED: Final = "the status cannot be asked"
ONCE_ONLY: Final = "not repeated: a second create might pay again"
NO: Final = "resolved_negative"
STOPPED: Final = "resolution_stopped"


async def recheck(order: Order, task: Task, ports: Ports) -> Event:
    """Ask what became of it: by its status, else by a repeat of the create."""
    provider = ports.providers.get(task.provider)
    if provider is None or policy_of(task, ports).can_ask(task):
        return await ask_status(order, task, ports)
    if may_repeat(task, provider, ports):
        return timed(Trigger.REPEAT_DUE, task)
    plan = policy_of(task, ports)
    why = NO_REPEAT if plan.idempotent_create else ONCE_ONLY
    return unasked(task, f"{UNASKED}; {why}")


async def ask_status(order: Order, task: Task, ports: Ports) -> Event:
    """Ask the provider for the status, and return what it means."""
    provider = ports.providers.get(task.provider)
    if provider is None:
        return unconfigured(task)
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


async def last_question(order: Order, task: Task, ports: Ports) -> Event:
    """Ask once more what became of what a person says was not paid.

    Only the status is asked: nobody wants a repeat of the create any more. A definite
    answer is that whenever it was heard; the rest is about this question alone.
    """
    plan = policy_of(task, ports)
    if not plan.can_ask(task) or task.tries >= plan.recheck_attempts:
        return _unasked_no(task)
    heard = await ask_status(order, task, ports)
    if heard.trigger not in _LAST_WORDS:
        return heard
    trigger, code = _LAST_WORDS[heard.trigger]
    return replace(heard, trigger=trigger, code=code, version=task.version)


def _unasked_no(task: Task) -> Event:
    """Return that the no stands, and how often it was asked in vain."""
    asked = task.tries
    because = f"asked {asked} times, no answer that counts" if asked else UNASKED
    stands = timed(Trigger.RESOLUTION_UNASKED, task)
    return replace(stands, code=NO, message=because, detail={"asked": asked})
