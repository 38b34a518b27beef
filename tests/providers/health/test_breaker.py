"""The breaker opens on outages alone, and lets a few try before it closes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.health.breaker import Breaker, BreakerState
from providers.health.window import SLICES, CreateOutcome, Window
from tests.world.keepers import breaker_terms

OPEN, CLOSED, HALF = BreakerState.OPEN, BreakerState.CLOSED, BreakerState.HALF_OPEN


class Clock:
    def __init__(self):
        self.at = 1000.0

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker(breaker_terms(), clock)


def calls(breaker, heard, times=1):
    for _ in range(times):
        breaker.ended(breaker.began(), heard)


def test_it_opens_where_enough_calls_fail(breaker):
    calls(breaker, CreateOutcome.FAILED, 2)
    assert breaker.state() is CLOSED

    calls(breaker, CreateOutcome.FAILED)

    assert breaker.state() is OPEN


def test_declines_are_no_outage(breaker):
    calls(breaker, CreateOutcome.REFUSED, 100)
    calls(breaker, CreateOutcome.FAILED, 3)

    assert breaker.state() is CLOSED


def test_what_says_nothing_about_the_provider_does_not_count(breaker):
    calls(breaker, None, 100)

    assert (breaker.state(), breaker.counts().calls) == (CLOSED, 0)


def test_calls_that_hang_count_while_they_hang(breaker, clock):
    under_way = [breaker.began() for _ in range(3)]
    clock.at += 4.9
    assert breaker.state() is CLOSED

    clock.at += 0.2

    assert breaker.state() is OPEN
    for call in under_way:
        breaker.ended(call, CreateOutcome.TAKEN)
    assert breaker.state() is OPEN, "what began before it opened proves nothing now"


def test_old_failures_are_forgotten(breaker, clock):
    calls(breaker, CreateOutcome.FAILED, 2)
    clock.at += 61

    calls(breaker, CreateOutcome.FAILED, 2)

    assert breaker.state() is CLOSED


def test_a_few_try_it_and_their_success_closes_it(breaker, clock):
    calls(breaker, CreateOutcome.FAILED, 3)
    assert not breaker.may_try()
    clock.at += 30

    assert breaker.state() is HALF
    for _ in range(2):
        assert breaker.may_try()
        breaker.tries()
    assert not breaker.may_try(), "more than a few"
    for heard in (CreateOutcome.TAKEN, CreateOutcome.REFUSED):
        calls(breaker, heard)
        breaker.tried()

    assert (breaker.state(), breaker.counts().calls) == (CLOSED, 0)


@pytest.mark.parametrize("hangs", [True, False])
def test_one_that_fails_or_hangs_opens_it_again(breaker, clock, hangs):
    calls(breaker, CreateOutcome.FAILED, 3)
    clock.at += 30
    assert breaker.state() is HALF

    call = breaker.began()
    if hangs:
        clock.at += 5
    else:
        breaker.ended(call, CreateOutcome.FAILED)

    assert (breaker.state(), breaker.left()) == (OPEN, 30)
    assert breaker.failing_for() >= 30, "it has been failing since it opened first"


def test_a_late_failure_of_before_does_not_open_it_again(breaker, clock):
    late = breaker.began()
    calls(breaker, CreateOutcome.FAILED, 3)
    clock.at += 30
    assert breaker.state() is HALF

    breaker.ended(late, CreateOutcome.FAILED)

    assert breaker.state() is HALF


@given(
    st.lists(st.tuples(st.floats(0, 30), st.sampled_from(CreateOutcome)), max_size=60)
)
def test_the_window_counts_what_is_in_it_give_or_take_a_slice(told):
    clock, length = Clock(), 60.0
    window = Window(length)
    times = []
    for later, heard in told:
        clock.at += later
        window.note(heard, clock.at)
        times.append((clock.at, heard))

    counts = window.counts(clock.at)

    young = [h for at, h in times if at > clock.at - length + length / SLICES]
    all_there_may_be = [h for at, h in times if at >= clock.at - length]
    assert len(young) <= counts.calls <= len(all_there_may_be)
    assert young.count(CreateOutcome.FAILED) <= counts.failed
    assert counts.failed + counts.refused <= counts.calls
