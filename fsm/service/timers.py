"""Timers of a saga's step: how often a service is tried, asked, told to undo."""

from enum import StrEnum
from typing import Final

from fsm.domain.messages import RECHECK_TICK
from fsm.engine.timers import Timer
from fsm.service.policy import ServicePolicy
from fsm.service.words import ServiceWait

_TRIES: Final[Timer[ServicePolicy]] = Timer(
    subject=RECHECK_TICK,
    pace=lambda policy: policy.retry,
    tries=lambda policy: policy.attempts,
)
TIMERS: Final[dict[StrEnum, Timer[ServicePolicy]]] = dict.fromkeys(
    (
        ServiceWait.RETRY,
        ServiceWait.ASK,
        ServiceWait.LAST_ASK,
        ServiceWait.LAST_QUESTION,
        ServiceWait.UNDO,
    ),
    _TRIES,
)
