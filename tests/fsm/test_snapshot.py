"""Waits grow within bounds, spread a little, and pictures know what is due."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.engine.backoff import Backoff, jitter
from fsm.engine.words import FINAL, IDLE, EngineWait, State
from fsm.payout.words import Waiting
from tests.fsm.orders import a_task, an_order
from tests.model.asking import NOW

seconds = st.floats(min_value=0.001, max_value=3600).map(lambda s: timedelta(seconds=s))
backoffs = st.builds(
    Backoff,
    first=seconds,
    factor=st.floats(min_value=1, max_value=10),
    longest=seconds,
)


@given(backoffs, st.integers(min_value=0, max_value=10**6))
def test_a_wait_is_never_longer_than_its_bound(backoff, tries):
    assert timedelta(0) < backoff.after(tries) <= backoff.longest


@given(backoffs, st.integers(min_value=0, max_value=200))
def test_waits_never_shrink(backoff, tries):
    assert backoff.after(tries) <= backoff.after(tries + 1)


@given(backoffs)
def test_the_first_wait_is_the_first(backoff):
    assert backoff.after(0) == min(backoff.first, backoff.longest)


@given(st.uuids().map(str), st.integers(min_value=1, max_value=10**6))
def test_waits_are_spread_by_a_tenth_at_the_most(task_id, version):
    task = a_task(task_id=task_id, version=version)

    assert 0.9 <= jitter(task) <= 1.1
    assert jitter(task) == jitter(a_task(task_id=task_id, version=version))


@pytest.mark.parametrize("state", State)
def test_final_is_what_the_contract_calls_final(state):
    names = {"SUCCEEDED", "SKIPPED", "FAILED", "CANCELLED", "REVERSED"}

    assert a_task(state=state).final is (state in FINAL) is (state.value in names)


@pytest.mark.parametrize("waiting", [*EngineWait, *Waiting])
def test_only_a_call_whose_time_has_come_is_due(waiting):
    task = a_task(waiting_for=waiting, wake_at=NOW)

    assert task.due(NOW) is (waiting not in IDLE)
    assert not task.due(NOW - timedelta(microseconds=1))
    assert not a_task(waiting_for=waiting, wake_at=None).due(NOW)


def test_a_task_that_is_not_there_is_a_mistake_of_the_caller():
    with pytest.raises(KeyError):
        an_order().task("another")
