"""The lifecycles of a partner's link, whole: a link, and the removal of one."""

from typing import Any, Final

from fsm.engine.lifecycle import Lifecycle
from fsm.partner.due import DUE, ended
from fsm.partner.guards import GUARDS
from fsm.partner.hearing import LinkHearing, announced
from fsm.partner.invariants import LINK_INVARIANTS, UNLINK_INVARIANTS
from fsm.partner.policy import LinkPolicy
from fsm.partner.sentences import LinkSentences, UnlinkSentences
from fsm.partner.table import (
    LINK_OTHERWISE,
    LINK_TABLE,
    UNLINK_OTHERWISE,
    UNLINK_TABLE,
)
from fsm.partner.timers import TIMERS
from fsm.partner.words import LINK_STEP, UNLINK_STEP, LinkTrigger, LinkWait

_SHARED: Final[dict[str, Any]] = {
    "waits": LinkWait,
    "triggers": LinkTrigger,
    "guards": GUARDS,
    "due": DUE,
    "timers": TIMERS,
    "hearing": LinkHearing(),
    "announced": announced,
    "ended": ended,
}
LINK: Final[Lifecycle[LinkPolicy]] = Lifecycle(
    name=LINK_STEP,
    table=LINK_TABLE,
    otherwise=LINK_OTHERWISE,
    sentences=LinkSentences(),
    invariants=LINK_INVARIANTS,
    **_SHARED,
)
"""A card that is to be linked: its partner is asked, and core grants a membership."""
UNLINK: Final[Lifecycle[LinkPolicy]] = Lifecycle(
    name=UNLINK_STEP,
    table=UNLINK_TABLE,
    otherwise=UNLINK_OTHERWISE,
    sentences=UnlinkSentences(),
    invariants=UNLINK_INVARIANTS,
    **_SHARED,
)
"""A link that is to be removed: core revokes its membership, its partner is told."""
