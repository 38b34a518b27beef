"""The guards of a link's tables: what each asks of the facts of a task."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from fsm.engine.manual_check import BALLOTS
from fsm.engine.table import Facts
from fsm.engine.words import EngineWait
from fsm.partner.policy import LinkPolicy
from fsm.partner.table import LinkGuard
from fsm.partner.words import LinkWait

Asks = Callable[[Facts[LinkPolicy]], bool]


def _waits(*waits: StrEnum) -> Asks:
    return lambda facts: facts.task.waiting_for in waits


def _both(first: Asks, then: Asks) -> Asks:
    return lambda facts: first(facts) and then(facts)


def _taken(facts: Facts[LinkPolicy]) -> bool:
    return facts.task.taken


_ASKING: Final = _waits(LinkWait.ELIGIBILITY)
_CHECKING: Final = _waits(LinkWait.FALLBACK)
GUARDS: Final[dict[StrEnum, Asks]] = {
    **BALLOTS,
    LinkGuard.NO_TURN: _waits(EngineWait.TURN),
    LinkGuard.ASKING: _ASKING,
    LinkGuard.PROVISIONAL: _both(_ASKING, lambda f: f.terms.is_provisional),
    LinkGuard.GRANTING: _waits(LinkWait.GRANT),
    LinkGuard.CHECKING: _CHECKING,
    LinkGuard.CHECKING_MEMBER: _both(_CHECKING, _taken),
    LinkGuard.MEMBER: _both(_waits(LinkWait.GRANT, LinkWait.FALLBACK), _taken),
    LinkGuard.CONFIRMING: _waits(LinkWait.CONFIRM),
    LinkGuard.REVOKING: _waits(LinkWait.REVOKE),
    LinkGuard.NOTIFYING: _waits(LinkWait.REVOKE_NOTICE),
    LinkGuard.TAKEN: _taken,
}
