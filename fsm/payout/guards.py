"""The guards of the payout's table: what each asks of the facts of an attempt."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from fsm.engine.manual_check import BALLOTS
from fsm.engine.table import Facts
from fsm.engine.words import EngineWait, Verdict
from fsm.payout.policy import ProviderPolicy
from fsm.payout.table import Guard
from fsm.payout.words import Waiting


def _grace_is_over(facts: Facts[ProviderPolicy]) -> bool:
    sent = facts.task.sent_last_at
    asked = facts.asked_at or facts.now
    return sent is not None and asked >= sent + facts.terms.not_found_grace


def _key_lives(facts: Facts[ProviderPolicy]) -> bool:
    """True where a repeat finds the first; nothing is repeated that nobody wants."""
    sent = facts.task.sent_first_at
    return (
        facts.terms.idempotent_create
        and not facts.task.cancel_requested
        and sent is not None
        and facts.now < sent + facts.terms.key_lifetime
    )


def _may_repeat_create(facts: Facts[ProviderPolicy]) -> bool:
    return _key_lives(facts) and _checks_left(facts) and _grace_is_over(facts)


def _repeat_asks(facts: Facts[ProviderPolicy]) -> bool:
    due = _waits(facts, Waiting.RECHECK)
    return due and not _can_ask(facts) and _key_lives(facts)


def _can_ask(facts: Facts[ProviderPolicy]) -> bool:
    return facts.terms.can_ask(facts.task)


def _can_poll(facts: Facts[ProviderPolicy]) -> bool:
    return facts.terms.polls and _can_ask(facts)


def _checks_left(facts: Facts[ProviderPolicy]) -> bool:
    return facts.lacking or facts.task.tries + 1 < facts.terms.recheck_attempts


def _waits(facts: Facts[ProviderPolicy], *waiting: StrEnum) -> bool:
    return facts.task.waiting_for in waiting


def _unproven(facts: Facts[ProviderPolicy]) -> bool:
    return facts.task.verdict is None


def _cancelling_untimed(facts: Facts[ProviderPolicy]) -> bool:
    """A cancel that nobody answered may be true: no webhook need ever come."""
    task = facts.task
    timed = task.sla_at is not None or task.deadline_at is not None
    return _unproven(facts) and _waits(facts, Waiting.CANCEL) and not timed


def _returnable(facts: Facts[ProviderPolicy]) -> bool:
    """True where the provider's return came in time, and core knows nothing of it."""
    task, finality = facts.task, facts.terms.finality
    if task.returned or task.waiting_for is not None or finality is None:
        return False
    succeeded_at = task.updated_at or facts.now
    return (facts.asked_at or facts.now) <= succeeded_at + finality


def _decidable(facts: Facts[ProviderPolicy]) -> bool:
    return _waits(facts, EngineWait.DECISION)


def _core_refused(facts: Facts[ProviderPolicy]) -> bool:
    return _decidable(facts) and not _unproven(facts)


def _no_is_known(facts: Facts[ProviderPolicy]) -> bool:
    return _decidable(facts) and facts.task.verdict is Verdict.NOT_PAID


def _asking(facts: Facts[ProviderPolicy]) -> bool:
    return _waits(facts, Waiting.LAST_QUESTION)


def _asked_enough(facts: Facts[ProviderPolicy]) -> bool:
    spent = facts.task.tries >= facts.terms.recheck_attempts
    return _asking(facts) and (spent or not _can_ask(facts))


def _never_sent(facts: Facts[ProviderPolicy]) -> bool:
    return _unproven(facts) and not facts.task.taken


GUARDS: Final[dict[StrEnum, Callable[[Facts[ProviderPolicy]], bool]]] = {
    **BALLOTS,
    Guard.BEFORE_TURN: lambda f: _waits(f, EngineWait.TURN),
    Guard.FREEZE_DUE: lambda f: _waits(f, Waiting.FREEZE),
    Guard.FREEZE_UNWANTED: lambda f: (
        _waits(f, Waiting.FREEZE) and f.task.cancel_requested
    ),
    Guard.ROLLBACK_DUE: lambda f: _waits(f, Waiting.ROLLBACK),
    Guard.ROLLBACK_CANCELS: lambda f: (
        _waits(f, Waiting.ROLLBACK) and f.task.cancel_requested
    ),
    Guard.ROLLBACK_FAILS: lambda f: _waits(f, Waiting.ROLLBACK) and f.task.taken,
    Guard.UNSENT: lambda f: _waits(f, Waiting.CREATE_RETRY),
    Guard.SENDING: lambda f: _waits(f, Waiting.CREATE),
    Guard.NEVER_SENT: _never_sent,
    Guard.UNSENT_AGAIN: lambda f: (
        _never_sent(f) and _checks_left(f) and not f.task.cancel_requested
    ),
    Guard.WEIGHING: lambda f: _waits(f, Waiting.WEIGHING),
    Guard.UNPROVEN: _unproven,
    Guard.COMMIT_DUE: lambda f: (
        _waits(f, Waiting.COMMIT) and f.task.verdict is Verdict.PAID
    ),
    Guard.CANCEL_WISHED: lambda f: _unproven(f) and f.task.cancel_requested,
    Guard.AWAITED: lambda f: _unproven(f) and _waits(f, Waiting.WEBHOOK),
    Guard.POLLS: lambda f: _unproven(f) and _waits(f, Waiting.WEBHOOK) and _can_poll(f),
    Guard.POLLING: lambda f: _unproven(f) and _waits(f, Waiting.POLL),
    Guard.CANCELLING: lambda f: _unproven(f) and _waits(f, Waiting.CANCEL),
    Guard.CANCELLING_AGAIN: lambda f: (
        _unproven(f) and _waits(f, Waiting.CANCEL) and _checks_left(f)
    ),
    Guard.CANCELLING_POLLED: lambda f: _cancelling_untimed(f) and _can_poll(f),
    Guard.CANCELLING_UNTIMED: _cancelling_untimed,
    Guard.MAY_REPEAT_CREATE: _may_repeat_create,
    Guard.REPEAT_ASKS: _repeat_asks,
    Guard.ABSENCE_IS_PROOF: lambda f: f.terms.not_found_definite and _grace_is_over(f),
    Guard.CHECKS_LEFT: _checks_left,
    Guard.DECIDABLE: _decidable,
    Guard.ASKING: _asking,
    Guard.ASKED_LATE: lambda f: _asking(f) and _grace_is_over(f),
    Guard.ASKED_ENOUGH: _asked_enough,
    Guard.CORE_REFUSED: _core_refused,
    Guard.NO_IS_KNOWN: _no_is_known,
    Guard.RETURNABLE: _returnable,
    Guard.RETURN_UNPROPOSED: lambda f: _returnable(f) and f.task.proposed_by is None,
    Guard.RETURN_SETTLES: lambda f: _returnable(f) and f.terms.settles_returns,
    Guard.RETURN_DUE: lambda f: _waits(f, Waiting.RETURN),
    Guard.UNRETURNED: lambda f: not f.task.returned,
}
