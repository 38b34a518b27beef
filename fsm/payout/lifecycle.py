"""The lifecycle of a payout attempt, whole: what the first tenant brings."""

from enum import StrEnum
from typing import Final

from fsm.engine.lifecycle import Lifecycle
from fsm.engine.rows import FIRST_LIFECYCLE
from fsm.engine.words import Invariant
from fsm.payout.due import DUE, ended
from fsm.payout.guards import GUARDS
from fsm.payout.hearing import PayoutHearing, announced
from fsm.payout.invariants import INVARIANTS
from fsm.payout.policy import ProviderPolicy
from fsm.payout.sentences import PayoutSentences
from fsm.payout.table import OTHERWISE, TABLE
from fsm.payout.timers import TIMERS
from fsm.payout.words import Trigger, Waiting

PROPOSALS: Final[frozenset[StrEnum]] = frozenset({Trigger.RETURN_PROPOSED})
# The step that commits the intent of a create is followed by the create in the same
# chain: whoever only found that intent would not know whether it had been sent.
UNBROKEN: Final[frozenset[StrEnum]] = frozenset(
    {
        Trigger.FREEZE_CONFIRMED,
        Trigger.RETRY_DUE,
        Trigger.TAKEN_OVER,
        Trigger.REPEAT_DUE,
    }
)

PAYOUT: Final[Lifecycle[ProviderPolicy]] = Lifecycle(
    name=FIRST_LIFECYCLE,
    waits=Waiting,
    triggers=Trigger,
    table=TABLE,
    otherwise=OTHERWISE,
    guards=GUARDS,
    due=DUE,
    timers=TIMERS,
    sentences=PayoutSentences(),
    hearing=PayoutHearing(),
    announced=announced,
    invariants=INVARIANTS,
    books=frozenset({Invariant.CORE, Invariant.PROVIDERS}),
    ended=ended,
    proposals=PROPOSALS,
    settling_contested=Trigger.RETURN_CONTESTED,
    unbroken=UNBROKEN,
    # Another worker took the call for lost, and weighs that.
    makes_way=Trigger.WEIGHED,
)
