"""Whatever is handed to a person can be decided: no table without its votes."""

from dataclasses import replace
from enum import StrEnum
from typing import Any

import pytest

from fsm.engine.manual_check import VOTE_ROWS
from fsm.engine.words import EngineTrigger, State
from fsm.flows import RULES
from tests.fsm.chores import LIFECYCLES

WORK = LIFECYCLES["work"]
EVERY: Any = {**RULES.lifecycles, **LIFECYCLES}
NEEDED = {row.trigger for row in VOTE_ROWS} | {
    EngineTrigger.RESOLVED_POSITIVE,
    EngineTrigger.RESOLVED_NEGATIVE,
}


def without(trigger):
    return tuple(row for row in WORK.table if row.trigger is not trigger)


@pytest.mark.parametrize("trigger", sorted(NEEDED))
def test_a_manual_check_that_nobody_can_decide_is_refused(trigger):
    with pytest.raises(ValueError, match=f"'work' has a manual check.*{trigger}"):
        replace(WORK, table=without(trigger))


def test_a_table_that_asks_no_person_needs_no_votes():
    asks = {State.MANUAL_CHECK}
    table = tuple(row for row in WORK.table if not asks & {row.source, row.dest})

    assert replace(WORK, table=table).ways


def test_words_of_the_engine_are_nobody_elses():
    class Doubled(StrEnum):
        IS_SO = "resolved.positive"

    with pytest.raises(ValueError, match="says what the engine says: resolved"):
        replace(WORK, triggers=Doubled)


@pytest.mark.parametrize("name", EVERY)
def test_the_first_of_two_votes_is_kept_in_the_row_by_every_lifecycle(name):
    assert EngineTrigger.RESOLUTION_PROPOSED in EVERY[name].proposals
