"""A rate is kept by all replicas together, and who waits gets a time of its own."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from fsm.domain.rates import Rate
from providers.health.budget import QUEUE_SECONDS_MAX, Budget, Pacer

EVENTS = st.lists(
    st.tuples(
        st.floats(0, 2),
        st.integers(0, 2),
        st.integers(1, 30),
        st.sampled_from([None, 1, 2, 3]),
    ),
    max_size=60,
)


class Clock:
    def __init__(self):
        self.at = 0.0

    def __call__(self):
        return self.at


@given(
    EVENTS,
    st.sampled_from([Rate(20, timedelta(seconds=1)), Rate(6, timedelta(minutes=1))]),
)
def test_in_any_time_all_together_let_no_more_through_than_the_rate(events, rate):
    clock = Clock()
    budgets = [Budget(rate, clock) for _ in range(3)]
    taken = []
    for later, which, wanted, sharing in events:
        clock.at += later
        if sharing is not None:
            for n, budget in enumerate(budgets):
                budget.share(1 / sharing if n < sharing else 0.0)
        taken += [clock.at] * sum(budgets[which].take() for _ in range(wanted))

    burst = max(rate.a_second, len(budgets))
    for first, began in enumerate(taken):
        for last in range(first, len(taken)):
            most = burst + rate.a_second * (taken[last] - began)
            assert last - first + 1 <= most + 1e-6


def test_an_idle_hour_lets_no_more_through_at_once_than_one_seconds_worth():
    clock = Clock()
    budget = Budget(Rate(20, timedelta(seconds=1)), clock)
    budget.share(0.5)
    clock.at += 3600

    assert budget.is_full()
    assert sum(budget.take() for _ in range(100)) == 10


def test_one_that_was_overdrawn_lets_nothing_through_until_that_is_made_good():
    clock = Clock()
    budget = Budget(Rate(1, timedelta(seconds=1)), clock)
    budget.share(1.0)
    clock.at += 1
    budget.overdraw()
    budget.overdraw()

    assert not budget.take()
    assert budget.wait() == 2.0
    clock.at += 2.0
    assert budget.take()


def test_without_a_share_nothing_is_let_through():
    clock = Clock()
    budget = Budget(Rate(100, timedelta(seconds=1)), clock)
    clock.at += 100

    assert not budget.take()
    assert budget.wait() > 0


@given(st.lists(st.floats(0, 400), min_size=1, max_size=100), st.floats(0.1, 50))
def test_nobody_comes_too_early_or_waits_much_longer_than_the_others(afters, pace):
    clock = Clock()
    turns = Pacer(clock)

    for after in afters:
        assert (
            after - 1e-9 <= turns.next(after, pace) <= after + QUEUE_SECONDS_MAX + 1e-9
        )


def test_those_who_wait_come_one_by_one():
    clock = Clock()
    turns = Pacer(clock)
    assert not turns.are_waited_for

    times = [turns.next(1.0, 10.0) for _ in range(3)]

    assert [round(time, 6) for time in times] == [1.0, 1.1, 1.2]
    assert turns.are_waited_for
