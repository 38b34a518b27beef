"""Timers of a payout: how often and how long a provider is waited for and asked."""

from enum import StrEnum
from typing import Final

from fsm.domain.messages import (
    RECHECK_TICK,
    STATUS_TICK,
    STATUS_TIMEOUT,
    TASK_CANCEL,
    WEBHOOK_TIMEOUT,
)
from fsm.engine.timers import Timer
from fsm.payout.policy import ProviderPolicy
from fsm.payout.words import Waiting

RECHECKS: Final[Timer[ProviderPolicy]] = Timer(
    subject=RECHECK_TICK,
    pace=lambda policy: policy.recheck,
    tries=lambda policy: policy.recheck_attempts,
)
TIMERS: Final[dict[StrEnum, Timer[ProviderPolicy]]] = {
    Waiting.CREATE_RETRY: RECHECKS,
    Waiting.RECHECK: RECHECKS,
    Waiting.LAST_QUESTION: RECHECKS,
    Waiting.WEBHOOK: Timer(
        subject=WEBHOOK_TIMEOUT, lasts=lambda policy: policy.sla, open_ended=True
    ),
    Waiting.POLL: Timer(
        subject=STATUS_TICK,
        last=STATUS_TIMEOUT,
        pace=lambda policy: policy.poll,
        lasts=lambda policy: policy.poll_deadline,
    ),
    Waiting.CANCEL: Timer(subject=TASK_CANCEL, pace=lambda policy: policy.recheck),
}
