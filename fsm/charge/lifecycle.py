"""The lifecycle of a charge, whole: one attempt to collect at a payment provider."""

from typing import Final

from fsm.charge.due import DUE, ended
from fsm.charge.guards import GUARDS
from fsm.charge.invariants import INVARIANTS
from fsm.charge.policy import ChargePolicy
from fsm.charge.sentences import ChargeSentences
from fsm.charge.table import OTHERWISE, TABLE
from fsm.engine.lifecycle import Lifecycle
from fsm.engine.words import Invariant
from fsm.service.hearing import ServiceHearing, announced
from fsm.service.timers import TIMERS
from fsm.service.words import ServiceWait, StepTrigger

CHARGE: Final[Lifecycle[ChargePolicy]] = Lifecycle(
    name="charge",
    waits=ServiceWait,
    triggers=StepTrigger,
    table=TABLE,
    otherwise=OTHERWISE,
    guards=GUARDS,
    due=DUE,
    timers=TIMERS,
    sentences=ChargeSentences(),
    hearing=ServiceHearing(),
    announced=announced,
    invariants=INVARIANTS,
    books=frozenset({Invariant.PROVIDERS}),
    ended=ended,
    unbroken=frozenset({StepTrigger.RETRY_DUE, StepTrigger.TAKEN_OVER}),
)
