"""What is proposed without a key: a line of the order's trail, and nobody's vote.

It moves nothing and counts for nothing, whatever name stands on it: a shell can take
any name. A person with a key finds it, looks, and decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PROPOSED_FROM_SHELL: Final = "shell.proposed"
"""The trigger of the line; it is of the order's own row, which stays as it is."""

POSITIVE: Final = "positive"
NEGATIVE: Final = "negative"
BY_HAND_POSITIVE: Final = "settled_positive"
BY_HAND_NEGATIVE: Final = "settled_negative"
CANCEL: Final = "cancel"
SETTLE: Final = "settle"
CLOSE: Final = "close"
IN_WORDS: Final[Mapping[str, str]] = {
    POSITIVE: "it has paid",
    NEGATIVE: "it has not paid",
    BY_HAND_POSITIVE: "it was settled by hand as paid",
    BY_HAND_NEGATIVE: "it was settled by hand as not paid",
    CANCEL: "to cancel it",
    SETTLE: "to have core take the returned money back",
    CLOSE: "to close its case",
}
"""What can be proposed, by the word that stands in ``detail.decision``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One proposal; ``task_id`` None is about the whole order.

    ``case_id`` and ``evidence`` are None where there are none.
    """

    decision: str
    actor: str
    reason: str
    task_id: str | None = None
    case_id: str | None = None
    evidence: str | None = None

    def detail(self, version: int | None) -> dict[str, object]:
        """Return what stands in the trail; ``version`` is the task's that was seen."""
        told = {
            "source": "shell",
            "decision": self.decision,
            "reason": self.reason,
            "task_id": self.task_id,
            "case_id": self.case_id,
            "evidence": self.evidence,
            "version": version,
        }
        return {name: value for name, value in told.items() if value is not None}
