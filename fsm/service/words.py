"""The words of a step that a service does: what it waits for, what can happen to it."""

from enum import StrEnum
from typing import Final

from fsm.engine import words

NO_ANSWER: Final = "no_answer"
"""The code of a step whose service was given up without a definite answer."""
GIVEN_UP: Final = "cancelled"
"""The code of a step that somebody has given up by itself."""
DEFAULTED: Final = "default"
"""The code of a step for which a default holds."""
STANDS: Final = "stands"
"""The code of a step of which a person has found that it is done, and stays so."""
UNCONFIGURED: Final = "service_not_configured"
"""The code of a step that nobody is configured to do."""
OURS: Final = frozenset(
    {*words.OURS, NO_ANSWER, GIVEN_UP, DEFAULTED, STANDS, UNCONFIGURED}
)
"""Codes that rules go by: no service's word is taken for one of them."""


NO: Final = "resolved_negative"
"""The code of a step that was never done, as a person has found."""
STOPPED: Final = "resolution_stopped"
"""The code of a step whose service is still at it, after a person has said no."""


class ServiceWait(StrEnum):
    """What such a step waits for: the call that is due.

    Every call has a key of its own, so the same one may be made again by anybody.
    ``RETRY`` alone says that nothing was ever sent. ``LAST_ASK`` asks what became of a
    step that is not wanted any more, before it is undone, ``LAST_QUESTION`` of one that
    a person says was never done, before their no is acted on.
    """

    DO = "do"
    RETRY = "do_retry"
    ASK = "ask"
    LAST_ASK = "last_ask"
    LAST_QUESTION = "last_question"
    UNDO = "undo"


class StepTrigger(StrEnum):
    """What can happen to such a step: what its service says, or does not.

    A payment provider may be given no new work for a while: its charge is held, or
    passed over.
    """

    DONE = "service.done"
    REFUSED = "service.refused"
    PENDING = "service.pending"
    NOT_KNOWN = "service.not_known"
    NOT_SENT = "service.not_sent"
    UNCLEAR = "service.unclear"
    UNASKED = "service.unasked"
    TAKEN_OVER = "service.taken_over"
    RETRY_DUE = "service.retry_due"
    UNDONE = "service.undone"
    UNDO_REFUSED = "service.undo_refused"
    GIVEN_UP = "service.given_up"
    DEFAULTED = "service.defaulted"
    HELD = "provider.held"
    PASSED_OVER = "provider.passed_over"
