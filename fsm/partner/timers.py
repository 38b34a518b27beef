"""Timers of a link: how often a partner is asked, and how long it is waited for."""

from enum import StrEnum
from typing import Final

from fsm.domain.messages import RECHECK_TICK, STATUS_TICK, STATUS_TIMEOUT
from fsm.engine.timers import Timer
from fsm.partner.policy import LinkPolicy
from fsm.partner.words import LinkWait

_TRIES: Final[Timer[LinkPolicy]] = Timer(
    subject=RECHECK_TICK,
    pace=lambda policy: policy.retry,
    lasts=lambda policy: policy.deadline,
)
TIMERS: Final[dict[StrEnum, Timer[LinkPolicy]]] = {
    LinkWait.VALIDATE: _TRIES,
    LinkWait.ELIGIBILITY: _TRIES,
    LinkWait.REVOKE_NOTICE: _TRIES,
    LinkWait.FALLBACK: Timer(
        subject=STATUS_TICK,
        last=STATUS_TIMEOUT,
        pace=lambda policy: policy.fallback,
        lasts=lambda policy: policy.deadline,
    ),
}
