"""The guards of a charge's table: what each asks of the facts of a task."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from fsm.charge.policy import ChargePolicy
from fsm.charge.table import ChargeGuard
from fsm.engine.table import Facts
from fsm.engine.words import Verdict
from fsm.service import guards as service
from fsm.service.table import ServiceGuard
from fsm.service.words import ServiceWait


def _key_lives(facts: Facts[ChargePolicy]) -> bool:
    return facts.terms.key_lives(facts.task.sent_first_at, facts.now)


def _may_repeat(facts: Facts[ChargePolicy]) -> bool:
    """True where it is wanted, tries are left, and a repeat finds the first.

    There have to be enough of them to find out about the repeat.
    """
    may = service.GUARDS[ServiceGuard.MAY_REPEAT](facts) and _key_lives(facts)
    return may and facts.terms.leaves_time(facts.task, facts.now)


def _is_absent(facts: Facts[ChargePolicy]) -> bool:
    """True where it was sent so long ago that its provider would know of it."""
    sent, grace = facts.task.sent_last_at, facts.terms.absent_after
    asked = facts.asked_at or facts.now
    return sent is not None and grace is not None and asked >= sent + grace


def _is_proven_never(facts: Facts[ChargePolicy]) -> bool:
    """True for a no to the last do: one to a do before it says nothing of the last.

    Whose do comes second may be refused for that, while the other one charges.
    """
    asked, sent = facts.asked_at, facts.task.sent_last_at
    late = asked is not None and sent is not None and asked < sent
    return facts.task.verdict is None and not late


def _agreed(facts: Facts[ChargePolicy]) -> bool:
    """True where its provider knows nothing of what a person says was not charged."""
    questioned = service.GUARDS[ServiceGuard.QUESTIONED](facts)
    return questioned and (facts.terms.absent_after is None or _is_absent(facts))


GUARDS: Final[dict[StrEnum, Callable[[Facts[ChargePolicy]], bool]]] = {
    **service.GUARDS,
    ChargeGuard.KEY_LIVES: lambda f: (
        f.task.waiting_for is ServiceWait.DO and _key_lives(f)
    ),
    ChargeGuard.MAY_REPEAT: _may_repeat,
    ChargeGuard.ABSENT: _is_absent,
    ChargeGuard.AGREED: _agreed,
    ChargeGuard.NEVER: _is_proven_never,
    ChargeGuard.UNPROVEN: lambda f: f.task.verdict is None,
    ChargeGuard.CHARGED: lambda f: f.task.verdict is Verdict.PAID,
}
