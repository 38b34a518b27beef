"""Who is let in: by pauses, maintenance, limits, and what other replicas found."""

import itertools
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from fsm.domain.rates import Rate
from handlers.ports.admission import NotAdmitted, NotAdmittedCode
from handlers.ports.controls import FleetView, Heartbeat
from handlers.ports.provider import Accepted, Declined, NotSent, Succeeded, Unclear
from handlers.ports.reads import ProviderState
from payment_service.playground.memory.clock import VirtualClock
from providers.health.admission import LEASE, WAIT_MAX, AdmissionControl
from providers.health.calendar import parse_weekly
from providers.health.observed import heard_in
from providers.health.summary import status_of
from providers.health.window import CreateOutcome
from tests.world.keepers import TIMEOUT, beats, paused, terms

SECOND = timedelta(seconds=1)
PER_SECOND = Rate(10, SECOND)


class Told:
    def __init__(self):
        self.turns = []
        self.kept = []

    def kept_out(self, provider, code):
        self.kept.append((provider, code))

    def turned(self, provider, state, because):
        self.turns.append((provider, state, because))


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def make(clock, told):
    def made(**changed):
        return AdmissionControl(
            {"acme": terms(**changed)}, clock, replica="r-1", listener=told
        )

    return made


def fail(admission_control, times=3):
    for _ in range(times):
        admission_control.ended(
            "acme", admission_control.began("acme"), CreateOutcome.FAILED
        )


def let_in(admission_control, many=100, *, waited=False):
    """Return how many of so many attempts are let in now."""
    found = [admission_control.admit("acme", waited=waited) for _ in range(many)]
    return sum(not isinstance(each, NotAdmitted) for each in found)


def test_whom_nobody_keeps_may_pass(make):
    admission_control = make()

    assert not isinstance(admission_control.admit("nobody"), NotAdmitted)
    assert not isinstance(admission_control.repeat("nobody"), NotAdmitted)
    assert not admission_control.admits("nobody")


def test_a_paused_provider_lets_nobody_in_until_it_is_resumed(make, clock, told):
    admission_control = make()
    admission_control.heard(paused("acme", at=clock.now()))

    shut = admission_control.admit("acme")

    assert isinstance(shut, NotAdmitted)
    assert (shut.code, shut.outlasts) == (NotAdmittedCode.PAUSED, True)
    assert shut.because == "paused by key:ops: they said so"
    assert isinstance(admission_control.repeat("acme"), NotAdmitted)
    assert not admission_control.admits("acme")
    admission_control.heard(FleetView())
    assert admission_control.admits("acme")
    assert let_in(admission_control, 3) == 3
    assert [state for _, state, _ in told.turns] == ["paused", "ready"]
    assert told.kept == [("acme", NotAdmittedCode.PAUSED)]


def test_a_pause_that_has_an_end_is_over_then_without_anybodys_word(make, clock):
    admission_control = make()
    admission_control.heard(
        paused("acme", at=clock.now(), until=clock.now() + 90 * SECOND)
    )
    shut = admission_control.admit("acme")
    assert isinstance(shut, NotAdmitted)
    assert shut.wait >= 90 * SECOND

    clock.advance(90 * SECOND)

    assert let_in(admission_control, 1) == 1


def test_who_waits_looks_again_sooner_after_a_short_pause_than_after_a_long_one(
    make, clock
):
    admission_control, since = make(), clock.now()
    admission_control.heard(paused("acme", at=since))
    waits = []
    for passed in (0, 60, 3600, 86400):
        clock.advance_to(since + passed * SECOND)
        waits.append(admission_control.admit("acme").wait)

    assert waits == sorted(waits)
    assert waits[0] <= 2 * SECOND
    assert waits[-1] <= WAIT_MAX + SECOND


def test_those_who_wait_come_back_one_by_one(make, clock):
    admission_control = make(release=10.0)
    admission_control.heard(paused("acme", at=clock.now()))

    waits = [admission_control.admit("acme").wait.total_seconds() for _ in range(20)]

    assert all(later - sooner >= 0.099 for sooner, later in itertools.pairwise(waits))


def test_maintenance_is_a_pause_that_is_outlasted_where_it_is_short(make, clock):
    window = parse_weekly("daily 12:00-12:10", ZoneInfo("UTC"))
    admission_control = make(maintenance=(window,), patience=timedelta(minutes=5))

    begun = admission_control.admit("acme")
    clock.advance(timedelta(minutes=6))
    nearly_over = admission_control.admit("acme")
    clock.advance(timedelta(minutes=4))

    assert (begun.code, begun.outlasts) == (NotAdmittedCode.PAUSED, True)
    assert not nearly_over.outlasts
    assert let_in(admission_control, 1) == 1


def test_an_open_breaker_lets_nobody_in_and_then_a_few(make, clock, told):
    admission_control = make()
    fail(admission_control)
    shut = admission_control.admit("acme")
    assert (shut.code, shut.outlasts) == (NotAdmittedCode.UNAVAILABLE, False)
    assert not admission_control.admits("acme")

    clock.advance(30 * SECOND)

    probes = [admission_control.admit("acme") for _ in range(5)]
    assert sum(not isinstance(each, NotAdmitted) for each in probes) == 2
    assert not admission_control.admits("acme"), "who has a choice does not try it"
    for probe in probes[:2]:
        admission_control.ended(
            "acme", admission_control.began("acme"), CreateOutcome.TAKEN
        )
        probe.give_back()
        probe.give_back()
    assert let_in(admission_control, 10) == 10
    states = [state for _, state, _ in told.turns]
    assert states[0] == "open"
    assert states[-1] == "ready"


def test_a_place_among_the_few_is_given_back_where_nothing_was_sent(make, clock):
    admission_control = make()
    fail(admission_control)
    clock.advance(30 * SECOND)

    for _ in range(10):
        admission_control.admit("acme").give_back()

    assert let_in(admission_control) == 2


def test_an_outage_outlasts_patience_however_often_it_was_tried(make, clock):
    admission_control = make()
    fail(admission_control)
    clock.advance(30 * SECOND)
    assert not isinstance(admission_control.admit("acme"), NotAdmitted)
    fail(admission_control, 1)

    clock.advance(SECOND)

    assert admission_control.admit("acme").outlasts


def test_what_a_provider_asks_for_is_granted_within_reason(make, clock):
    admission_control = make(silence_max=timedelta(minutes=10))

    assert admission_control.back_off("acme", timedelta(days=300)) == timedelta(
        minutes=10
    )
    assert admission_control.back_off("acme", SECOND) == SECOND, (
        "a shorter wish ends no longer one"
    )
    assert admission_control.silence("acme") == timedelta(minutes=10)
    shut = admission_control.admit("acme")
    assert (shut.code, shut.outlasts) == (NotAdmittedCode.UNAVAILABLE, True)
    clock.advance(timedelta(minutes=10))
    assert admission_control.silence("acme") == timedelta(0)
    assert let_in(admission_control, 1) == 1


def test_this_process_has_only_so_many_under_way(make):
    admission_control = make(in_flight_here=5)
    places = [admission_control.admit("acme") for _ in range(5)]

    shut = admission_control.admit("acme")

    assert (shut.code, shut.outlasts) == (NotAdmittedCode.LIMITED, False)
    places[0].give_back()
    places[0].give_back()
    assert let_in(admission_control, 3) == 1


def test_without_having_heard_of_the_others_a_shared_limit_lets_nobody_in(make, clock):
    admission_control = make(rate=PER_SECOND, in_flight=100)
    clock.advance(SECOND)
    assert let_in(admission_control) == 0

    admission_control.heard(beats("r-1", joined_at=clock.now()))
    clock.advance(SECOND)
    assert let_in(admission_control, waited=True) == 10

    clock.advance(LEASE + SECOND)
    assert let_in(admission_control, waited=True) == 0, (
        "others may have its share by now"
    )


def test_where_nobody_who_waits_comes_the_rate_is_not_left_unused(make, clock):
    admission_control = make(rate=PER_SECOND)
    admission_control.heard(beats("r-1", joined_at=clock.now()))
    let_in(admission_control, 1000)
    passed = 0

    for _ in range(20):
        clock.advance(0.25 * SECOND)
        admission_control.heard(beats("r-1", joined_at=clock.now()))
        passed += let_in(admission_control, 1)

    assert passed >= 16


@pytest.mark.parametrize(
    ("replicas", "shares"), [(3, [4, 3, 3]), (12, [1] * 10 + [0, 0])]
)
def test_places_are_shared_without_rest(clock, replicas, shares):
    names = [f"r-{n:02}" for n in range(replicas)]
    known = beats(*names, joined_at=clock.now())
    admission_controls = [
        AdmissionControl({"acme": terms(in_flight=10)}, clock, replica=name)
        for name in names
    ]
    clock.advance(LEASE + TIMEOUT)

    for admission_control in admission_controls:
        admission_control.heard(known)

    assert [
        let_in(admission_control) for admission_control in admission_controls
    ] == shares


def test_a_newcomer_waits_until_the_others_have_heard_and_finished(make, clock):
    admission_control = make(in_flight=10)
    known = beats("r-0", "r-1", joined_at=clock.now())
    admission_control.heard(known)
    assert let_in(admission_control) == 0

    clock.advance(LEASE + TIMEOUT)
    admission_control.heard(known)

    assert let_in(admission_control) == 5


def test_who_comes_first_queues_behind_those_who_wait(make, clock):
    admission_control = make(rate=PER_SECOND)
    admission_control.heard(beats("r-1", joined_at=clock.now()))
    clock.advance(SECOND)
    assert let_in(admission_control, 30) == 10
    clock.advance(0.5 * SECOND)

    assert let_in(admission_control, 1) == 0
    assert let_in(admission_control, 3, waited=True) == 3


def test_a_repeat_is_not_held_back_by_a_limit_but_new_ones_wait_for_it(make, clock):
    admission_control = make(rate=PER_SECOND, in_flight_here=5)
    admission_control.heard(beats("r-1", joined_at=clock.now()))
    clock.advance(SECOND)

    repeats = [admission_control.repeat("acme") for _ in range(20)]

    assert not any(isinstance(each, NotAdmitted) for each in repeats)
    assert let_in(admission_control, 1) == 0
    for each in repeats:
        each.give_back()
    assert let_in(admission_control, 1, waited=True) == 0, "the rate is overdrawn"


@pytest.mark.parametrize(
    "said",
    [
        {"state": "open", "open_until": 20, "since": -60},
        {"state": "half_open", "since": -60},
        {"silent_until": 60},
    ],
)
def test_what_another_replica_has_found_out_counts_here_too(make, clock, said):
    admission_control, now = make(), clock.now()
    times = {k: now + v * SECOND for k, v in said.items() if k != "state"}
    worse = {**said, **times}
    admission_control.heard(beats("r-0", "r-1", joined_at=now, r_0=worse))

    shut = admission_control.admit("acme")

    assert (shut.code, shut.outlasts) == (NotAdmittedCode.UNAVAILABLE, True)
    assert not admission_control.admits("acme")
    admission_control.heard(beats("r-0", "r-1", joined_at=now))
    assert let_in(admission_control, 1) == 1


def test_it_says_how_it_finds_its_providers(make, clock):
    admission_control = make()
    fail(admission_control, 2)
    admission_control.ended(
        "acme", admission_control.began("acme"), CreateOutcome.REFUSED
    )
    admission_control.began("acme")
    (calm,) = admission_control.beats()
    fail(admission_control, 3)
    clock.advance(SECOND)
    (worried,) = admission_control.beats()

    assert (calm.state, calm.calls, calm.failed, calm.refused) == ("ready", 3, 2, 1)
    assert (calm.in_flight, calm.since, calm.open_until) == (1, None, None)
    assert worried.state == "open"
    assert worried.since == clock.now() - SECOND
    assert worried.open_until == clock.now() + 29 * SECOND


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        (["ready", "ready"], ProviderState.READY),
        (["ready", "half_open"], ProviderState.HALF_OPEN),
        (["half_open", "open"], ProviderState.OPEN),
        ([], ProviderState.READY),
    ],
)
def test_the_summary_is_the_worst_of_all_replicas(clock, states, shown):
    said = [
        Heartbeat(
            provider="acme",
            replica=f"r-{n}",
            state=state,
            in_flight=2,
            calls=10,
            failed=5,
        )
        for n, state in enumerate(states)
    ]
    known = FleetView(beats={"acme": said})

    found = status_of("acme", "rest", known, maintenance=(), now=clock.now())

    assert found.state is shown
    assert found.in_flight == 2 * len(states)
    assert found.success_rate == (0.5 if states else None)


@pytest.mark.parametrize(
    ("answer", "heard"),
    [
        (Succeeded(reference=None), CreateOutcome.TAKEN),
        (Accepted(reference=None), CreateOutcome.TAKEN),
        (Declined(code="x"), CreateOutcome.REFUSED),
        (NotSent(because="connection refused"), CreateOutcome.FAILED),
        (NotSent(because="too many calls in flight", ours=True), None),
        (Unclear(because="timed out"), CreateOutcome.FAILED),
        *(
            (Unclear(because="x", evidence={"http_status": status}), heard)
            for status, heard in [
                (200, CreateOutcome.FAILED),
                (400, CreateOutcome.REFUSED),
                (409, CreateOutcome.REFUSED),
                (408, CreateOutcome.FAILED),
                (429, CreateOutcome.FAILED),
                (500, CreateOutcome.FAILED),
                (503, CreateOutcome.FAILED),
            ]
        ),
    ],
)
def test_what_an_answer_says_about_the_provider(answer, heard):
    assert heard_in(answer) is heard
