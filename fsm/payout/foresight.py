"""What a plan can come to at all, whatever its provider answers and when.

An unclear create is checked at growing waits, a bounded number of times. What counts
only after a grace, or only while a key lives, may lie beyond the last check.
"""

from datetime import timedelta
from enum import Enum
from itertools import accumulate
from typing import Final

from fsm.payout.policy import AskedBy, ProviderPolicy
from fsm.payout.timers import TIMERS
from fsm.payout.words import Waiting

EARLIEST: Final = 0.9
LATEST: Final = 1.1
"""By how much a wait may be shorter or longer; see ``backoff.jitter``."""


class Chance(Enum):
    """Whether something can happen."""

    NEVER = "never"
    PERHAPS = "only if the waits turn out long"
    YES = "yes"


def checks(plan: ProviderPolicy) -> list[timedelta]:
    """Return when the checks are due, from the end of the create that was unclear."""
    return [*accumulate(_waits(plan))]


def _waits(plan: ProviderPolicy) -> list[timedelta]:
    return TIMERS[Waiting.RECHECK].waits(plan)


def absence_proves(plan: ProviderPolicy, timeout: timedelta) -> Chance:
    """Tell whether `not found` can ever prove that it did not pay.

    A call takes up to ``timeout``, so later checks come later than they are due.
    """
    if not plan.not_found_definite or plan.asked_by is AskedBy.NOTHING:
        return Chance.NEVER
    last = checks(plan)[-1]
    # Each repeat begins the grace anew; the last check comes after all of them.
    repeats = repeat_follows(plan, timeout) is not Chance.NEVER
    waits = _waits(plan)
    surely = waits[-1] if repeats else last
    if surely * EARLIEST >= plan.not_found_grace:
        return Chance.YES
    slow = last * LATEST + timeout * len(waits)
    return Chance.PERHAPS if slow >= plan.not_found_grace else Chance.NEVER


def repeat_follows(plan: ProviderPolicy, timeout: timedelta) -> Chance:
    """Tell whether `not found` can ever lead to a repeat of the create.

    The last check never does: nobody would see what the repeat came to.
    """
    if not plan.idempotent_create or plan.asked_by is AskedBy.NOTHING:
        return Chance.NEVER
    chance = Chance.NEVER
    for number, due in enumerate(checks(plan)[:-1], 1):
        slow = due * LATEST + timeout * (number + 1)
        in_time = due * EARLIEST < plan.key_lifetime
        if due * EARLIEST >= plan.not_found_grace and slow < plan.key_lifetime:
            return Chance.YES
        if slow >= plan.not_found_grace and in_time:
            chance = Chance.PERHAPS
    return chance


def repeat_asks(plan: ProviderPolicy, needs: timedelta) -> Chance:
    """Tell whether a repeat can be the question where the status cannot be asked.

    A repeat has to arrive while the key lives, and takes ``needs`` for it.
    """
    if not plan.idempotent_create or plan.asked_by is AskedBy.OURS:
        return Chance.NEVER
    first = checks(plan)[0]
    if first * LATEST + 2 * needs < plan.key_lifetime:
        return Chance.YES
    return Chance.PERHAPS if first * EARLIEST < plan.key_lifetime else Chance.NEVER
