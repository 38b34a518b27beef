"""Every promise holds wherever the engine's world comes to; wrong turns are found."""

import pytest

from fsm.engine.words import State
from tests.fsm.chores import Chore
from tests.model.checker import check
from tests.model.errands import Bugs
from tests.model.households import HOUSEHOLDS, PAIR, TURNS


@pytest.mark.parametrize("household", HOUSEHOLDS, ids=lambda each: each.name)
def test_every_promise_holds_in_every_state(household):
    verdict = check(household)

    assert verdict.broken is None, str(verdict)
    assert verdict.states > 1000, "the world is empty"


def hears(heard, taken_for):
    def hearing(task, said):
        return taken_for if said is heard and task.state is State.EXECUTING else said

    return Bugs(hears=hearing)


@pytest.mark.parametrize(
    ("bugs", "household"),
    [
        pytest.param(Bugs(no_version_check=True), PAIR, id="no version check"),
        pytest.param(Bugs(unrecorded=True), TURNS, id="asks before it records"),
        pytest.param(hears(Chore.UNCLEAR, Chore.DONE), TURNS, id="silence is a yes"),
        pytest.param(hears(Chore.UNCLEAR, Chore.REFUSED), PAIR, id="silence is a no"),
    ],
)
def test_what_carries_a_flow_out_wrongly_is_found(bugs, household):
    assert check(household, bugs).broken


def test_a_story_tells_every_step_up_to_the_broken_promise():
    told = str(check(PAIR, hears(Chore.UNCLEAR, Chore.REFUSED)))

    assert "BROKEN: " in told
    assert "1. worker A goes on with 0" in told
