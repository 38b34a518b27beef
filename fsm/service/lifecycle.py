"""The lifecycles of a saga's steps, whole: can be undone, a check, no return."""

from typing import Any, Final

from fsm.engine.lifecycle import Lifecycle
from fsm.service.due import DUE, ended
from fsm.service.guards import GUARDS
from fsm.service.hearing import ServiceHearing, announced
from fsm.service.invariants import INVARIANTS
from fsm.service.policy import ServicePolicy
from fsm.service.sentences import ServiceSentences
from fsm.service.table import (
    CHECK_OTHERWISE,
    CHECK_TABLE,
    PIVOT_OTHERWISE,
    PIVOT_TABLE,
    SERVICE_OTHERWISE,
    SERVICE_TABLE,
)
from fsm.service.timers import TIMERS
from fsm.service.words import ServiceWait, StepTrigger

# The step that commits the intent of a do is followed by the do in the same chain:
# whoever only found that intent would not know whether it had been sent.
_SHARED: Final[dict[str, Any]] = {
    "waits": ServiceWait,
    "triggers": StepTrigger,
    "guards": GUARDS,
    "due": DUE,
    "timers": TIMERS,
    "sentences": ServiceSentences(),
    "hearing": ServiceHearing(),
    "announced": announced,
    "invariants": INVARIANTS,
    "ended": ended,
    "unbroken": frozenset({StepTrigger.RETRY_DUE, StepTrigger.TAKEN_OVER}),
}
SERVICE: Final[Lifecycle[ServicePolicy]] = Lifecycle(
    name="service", table=SERVICE_TABLE, otherwise=SERVICE_OTHERWISE, **_SHARED
)
"""A step that can be undone: what it did, or may have done, goes with its order."""
CHECK: Final[Lifecycle[ServicePolicy]] = Lifecycle(
    name="check", table=CHECK_TABLE, otherwise=CHECK_OTHERWISE, **_SHARED
)
"""A step that leaves nothing which would have to be undone."""
PIVOT: Final[Lifecycle[ServicePolicy]] = Lifecycle(
    name="pivot", table=PIVOT_TABLE, otherwise=PIVOT_OTHERWISE, **_SHARED
)
"""The point of no return: of what nobody knows a person decides."""
LIFECYCLES: Final = {each.name: each for each in (SERVICE, CHECK, PIVOT)}
