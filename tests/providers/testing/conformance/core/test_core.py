"""The kit of core: the simulated core passes it, and who breaks a promise is caught."""

import inspect
from datetime import timedelta

import pytest

from fsm.domain.money import Money
from providers.testing.conformance.core import (
    CORE_SCENARIOS,
    CoreCandidate,
    CoreSamples,
)
from providers.testing.conformance.core import stage as kit
from providers.testing.simulator.core import SimulatedCore
from providers.testing.simulator.faults import FaultKind, Faults, InjectedFault
from providers.testing.simulator.wire import reply
from tests.providers.testing.conformance.core import planted

TOKEN = "t0k3n-of-core"
BY_NAME = {scenario.name: scenario for scenario in CORE_SCENARIOS}
CAUGHT_BY = {
    "RefusesRepeats": {"freeze-repeated", "freeze-at-once", "commit-done"},
    "BooksRepeats": {"freeze-repeated", "freeze-at-once"},
    "TakesAnotherAmount": {
        "freeze-other-amount",
        "commit-other-amount",
        "rollback-other-amount",
    },
    "Says422OfAnother": {"freeze-other-amount"},
    "NeedsAHold": {"rollback-never-frozen", "rollback-before-freeze"},
    "ForgetsEarlyRollbacks": {"rollback-before-freeze"},
    "PaysWithoutHold": {"commit-never-frozen"},
    "PaysWhatWasLetGo": {"rollback-final", "rollback-beside-freeze"},
    "LetsGoWhatWasPaid": {"commit-then-rollback", "commit-beside-rollback"},
    "TakesInWhatIsHeld": {"return-never-paid"},
    "ForgetsRefusals": {"freeze-refused-stays"},
    "HoldsByOrder": {"freeze-next-attempt"},
    "LetsGoOfAll": {"freeze-apart"},
    "SaysDoneAndBooksNothing": {"rollback-done", "ledger-listed"},
    "Says201": {"freeze-done"},
    "SaysNothing": {"freeze-done", "grant-done", "rollback-of-refused"},
    "RefusesWithoutCode": {"freeze-too-much"},
    "SaysErrorUnder200": {"freeze-too-much"},
    "AnotherEcho": {"freeze-done"},
    "RefusesForeignTokens": {"token-foreign"},
    "LetsAnybodyIn": {"token-foreign"},
    "OneAtATime": {
        "freeze-at-once",
        "freeze-lost",
        "rollback-at-once",
        "commit-at-once",
        "commit-lost",
        "grant-at-once",
    },
    "KnowsItsMembers": {"freeze-odd", "notify-odd"},
    "NeedsATerminal": {"freeze-odd"},
    "RefusesWhatItCannotRead": {"freeze-unreadable"},
    "HearsOnce": {"notify-repeated"},
    "KnowsOnlyWithdrawals": {"notify-every-end"},
    "NeedsMoney": {"notify-odd"},
    "ListsNoRollbacks": {"ledger-listed", "rollback-done"},
    "ListsAnotherAmount": {"freeze-done"},
    "GoesRound": {"ledger-paged"},
    "NoTimes": {"freeze-done"},
    "GrantsOnce": {"grant-done"},
    "GrantsAfterRevokes": {"revoke-before-grant"},
    "RevokesOnlyItsOwn": {"revoke-before-grant", "revoke-by-another"},
}


@pytest.fixture(autouse=True)
def haste(monkeypatch):
    """Ask what is undecided again at once."""
    monkeypatch.setattr(kit, "PAUSE_SECONDS", 0.005)


@pytest.fixture
async def serve():
    started: list[SimulatedCore] = []

    async def start(kind=SimulatedCore, **options):
        core = kind(token=TOKEN, **options)
        started.append(await core.start())
        return core

    yield start
    for core in started:
        await core.stop()


def candidate(core, **options):
    limit = options.pop("timeout", timedelta(seconds=20))
    given = {"token": TOKEN, "timeout": limit} | options
    return CoreCandidate(base_url=core.url, **given)


def found(outcomes):
    return {each.scenario.name: each.wrong for each in outcomes if each.wrong}


async def test_the_right_core_passes_and_keeps_nothing(serve):
    core = await serve()
    checked = candidate(core)

    outcomes = await checked.play_all(CORE_SCENARIOS)

    assert found(outcomes) == {}
    assert [e.scenario.name for e in outcomes if e.not_here or e.should] == []
    assert [each.scenario.name for each in outcomes] == [*BY_NAME]
    assert checked.left == []
    assert core.holds() == {}
    assert core.book_of_members.members == {}
    assert core.check() == []
    assert len(core.entries) > 50
    assert {account.paid_out for account in core.ledger.accounts.values()} == {0}


@pytest.mark.parametrize("kind", CAUGHT_BY)
async def test_who_breaks_a_promise_is_caught_by_its_scenarios(serve, kind):
    names = CAUGHT_BY[kind]
    core = await serve(getattr(planted, kind))

    outcomes = await candidate(core).play_all([BY_NAME[name] for name in names])

    # Where nothing at all is held, the scenarios after the first are spared.
    missed = names - found(outcomes).keys() - {"rollback-of-refused"}
    assert missed == set()
    for sentences in found(outcomes).values():
        assert all(len(each) > 40 for each in sentences), sentences


def test_every_planted_core_is_looked_for():
    bases = {planted.Right, planted.Weighing, planted.Answering}
    cores = {
        name
        for name, each in inspect.getmembers(planted, inspect.isclass)
        if issubclass(each, planted.Right) and each not in bases
    }

    assert cores == {*CAUGHT_BY}
    assert len(cores) > 15
    assert {name for names in CAUGHT_BY.values() for name in names} <= {*BY_NAME}


async def test_a_core_that_is_not_there_is_one_sentence():
    absent = CoreCandidate(base_url="http://127.0.0.1:9", token=None)

    (outcome,) = await absent.play_all(CORE_SCENARIOS)

    assert "core does not answer: no connection" in outcome.wrong[0]
    assert absent.left == []


async def test_a_core_that_hangs_is_not_waited_for_by_every_scenario(serve):
    hangs = InjectedFault(kind=FaultKind.SLOW, delay=60)
    core = await serve(faults=Faults([hangs]))

    checked = candidate(core, timeout=timedelta(milliseconds=100))
    (outcome,) = await checked.play_all(CORE_SCENARIOS)

    assert "answers within 0.1 s" in outcome.wrong[0]


class DiesOfCommits(SimulatedCore):
    """It answers until it is asked for a commit, and never again."""

    async def _balance(self, request, operation):
        if operation == "commit":
            self.faults.set(InjectedFault(kind=FaultKind.DOWN))
        return await super()._balance(request, operation)


async def test_a_core_that_falls_silent_is_left_and_its_hold_is_named(serve):
    core = await serve(DiesOfCommits)
    checked = candidate(core)

    outcomes = await checked.play_all([BY_NAME["commit-done"], *CORE_SCENARIOS])

    assert found(outcomes).keys() == {"commit-done"}
    (left,) = checked.left
    (task_id,) = core.holds()
    assert f"1.00 EUR of merchant conformance, perhaps held, task {task_id}" in left


async def test_a_core_that_is_slow_is_told_so(serve):
    slow = InjectedFault(kind=FaultKind.SLOW, operation="rollback", delay=0.6)
    core = await serve(faults=Faults([slow]))

    checked = candidate(core, timeout=timedelta(seconds=1.1))
    first, *_ = await checked.play_all([BY_NAME["answers"]])

    assert first.wrong == ()
    assert "an answer took 0.6 s" in first.should[0]


async def test_a_wrong_token_is_told_and_not_shown(serve):
    core = await serve()

    (outcome,) = await candidate(core, token="another-t0k3n").play_all(CORE_SCENARIOS)

    assert "lets nobody in with this token" in outcome.wrong[0]
    assert "another-t0k3n" not in repr(outcome)


async def test_a_wrong_base_url_is_told(serve):
    core = await serve()
    checked = CoreCandidate(base_url=f"{core.url}/api", token=TOKEN)

    (outcome,) = await checked.play_all(CORE_SCENARIOS)

    assert "core's base URL" in outcome.wrong[0]


class Spare(SimulatedCore):
    """It offers what must be there, and nothing else."""

    async def _handle(self, request):
        must = ("freeze", "commit", "rollback", "notifications")
        if request.path.endswith(must):
            return await super()._handle(request)
        return reply({"detail": "Not Found"}, status=404)


async def test_what_only_some_need_is_no_fault_and_what_stays_is_told_by_name(serve):
    core = await serve(Spare)
    checked = candidate(core)

    outcomes = await checked.play_all(CORE_SCENARIOS)

    told = {each.scenario.name: each for each in outcomes}
    assert found(outcomes) == {}
    assert checked.left == []
    assert "`verify --core`" in told["ledger-listed"].should[0]
    assert "partner links need" in str(told["grant-done"].not_here)
    assert "settled returns" in str(told["return-done"].not_here)
    paid = [line for each in outcomes for line in each.should if "paid out" in line]
    commits = [e.call.task_id for e in core.entries if e.operation == "commit"]
    assert len(paid) == len(commits) > 4
    assert all(any(task in line for line in paid) for task in commits)
    assert core.holds() == {}


async def test_what_is_held_is_whose_it_was_told_to_be(serve):
    core = await serve()
    samples = CoreSamples(
        merchant_id="m-7", money=Money(1, "JPY"), provider="acme", order_id="w-1"
    )

    outcomes = await candidate(core, samples=samples).play_all(CORE_SCENARIOS)

    assert found(outcomes) == {}
    assert {each.call.merchant_id for each in core.entries} == {"m-7"}
    assert {each.call.order_id for each in core.entries} == {"w-1"}
    assert {each.call.currency for each in core.entries} == {"JPY"}


def test_every_scenario_has_a_name_and_a_sentence():
    assert len(BY_NAME) == len(CORE_SCENARIOS)
    for scenario in CORE_SCENARIOS:
        assert scenario.proves[0].islower()
        assert not scenario.proves.endswith(".")
