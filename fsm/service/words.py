"""The words of a step that a service does: what it waits for, what can happen to it."""

from enum import StrEnum


class ServiceWait(StrEnum):
    """What such a step waits for: the call that is due.

    Every call has a key of its own, so the same one may be made again by anybody.
    """

    DO = "do"
    ASK = "ask"
    UNDO = "undo"


class ServiceTrigger(StrEnum):
    """What can happen to such a step: what its service says, or does not."""

    DONE = "service.done"
    REFUSED = "service.refused"
    PENDING = "service.pending"
    NOT_KNOWN = "service.not_known"
    NOT_SENT = "service.not_sent"
    UNCLEAR = "service.unclear"
    UNDONE = "service.undone"
    UNDO_REFUSED = "service.undo_refused"
    GIVEN_UP = "service.given_up"
    DEFAULTED = "service.defaulted"
