"""The guards of a saga step's tables: what each asks of the facts of a task."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from fsm.engine.manual_check import BALLOTS
from fsm.engine.table import Facts
from fsm.engine.words import EngineWait
from fsm.service.policy import ServicePolicy
from fsm.service.table import ServiceGuard
from fsm.service.words import STANDS, ServiceWait


def _waits(facts: Facts[ServicePolicy], wait: StrEnum) -> bool:
    return facts.task.waiting_for is wait


def _first_do(facts: Facts[ServicePolicy]) -> bool:
    return _waits(facts, ServiceWait.DO) and not facts.task.taken


def _may_repeat(facts: Facts[ServicePolicy]) -> bool:
    """True where what nobody knows of may be done: it is wanted, and tries are left."""
    left = facts.task.tries + 1 < facts.terms.attempts
    wanted = not facts.task.cancel_requested
    return _waits(facts, ServiceWait.ASK) and wanted and left


GUARDS: Final[dict[StrEnum, Callable[[Facts[ServicePolicy]], bool]]] = {
    **BALLOTS,
    ServiceGuard.UNSENT: lambda f: _waits(f, ServiceWait.RETRY),
    ServiceGuard.DOING: lambda f: _waits(f, ServiceWait.DO),
    ServiceGuard.FIRST_DO: _first_do,
    ServiceGuard.FIRST_UNWANTED: lambda f: _first_do(f) and f.task.cancel_requested,
    ServiceGuard.LAST_ASKING: lambda f: _waits(f, ServiceWait.LAST_ASK),
    ServiceGuard.ASKING: lambda f: _waits(f, ServiceWait.ASK),
    ServiceGuard.MAY_REPEAT: _may_repeat,
    ServiceGuard.LOOSE: lambda f: f.task.code != STANDS,
    ServiceGuard.DECIDABLE: lambda f: _waits(f, EngineWait.DECISION),
    ServiceGuard.QUESTIONED: lambda f: _waits(f, ServiceWait.LAST_QUESTION),
}
