"""What the rows say now, as dashboards ask it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Counts over the rows: (label, …, number) each; ages in seconds."""

    tasks: Sequence[tuple[str, str, int]]
    money_at_risk: Sequence[tuple[str, str, int]]
    cases_open: Sequence[tuple[str, int]]
    cases_oldest_seconds: Sequence[tuple[str, float]]
    cases_money_at_risk: Sequence[tuple[str, str, int]]
    manual_check_oldest_seconds: float
    dlq_size: int
    parked: Sequence[tuple[str, int]] = ()
    parked_oldest_seconds: float = 0.0
    outbox_pending: int
    outbox_lag_seconds: float
