"""The kit of services: the simulator passes it, and who breaks a promise is caught."""

import inspect

import pytest

from providers.config.services import ServiceTable
from providers.testing.conformance.services import (
    SERVICE_SCENARIOS,
    Samples,
    ServiceCandidate,
)
from providers.testing.conformance.services import stage as kit
from providers.testing.simulator import ServiceBook, SimulatedService, Simulator
from providers.testing.simulator.scripted import Playing
from tests.providers.testing.conformance.services import planted

SAMPLES = Samples(
    refused={"payment_method": {"type": "card", "token": "tok_sim:decline"}},
    pending={
        "payment_method": {"type": "card", "token": "tok_sim:silence_succeed?pace=0.3"}
    },
)
BY_NAME = {scenario.name: scenario for scenario in SERVICE_SCENARIOS}
CAUGHT_BY = {
    "NoResult": {"do-done"},
    "ForgetsItsKeys": {"do-repeated", "do-at-once", "do-lost", "undo-then-do"},
    "AnotherResultEachTime": {"do-repeated", "do-at-once", "do-lost"},
    "OnlyOneAtATime": {"do-at-once", "undo-at-once"},
    "TakesWhatItCannotRead": {"do-unreadable"},
    "UndoesEverything": {"do-apart"},
    "KnowsEverything": {"ask-unknown"},
    "SaysOnlyPending": {"ask-done", "pending-ends"},
    "ForgetsWhatItDid": {"ask-done"},
    "TellsAnotherResult": {"ask-done"},
    "UndoesNothing": {"undo-then-do", "undo-never-done", "undo-asked", "do-apart"},
    "UndoesOnce": {"undo-done", "undo-at-once"},
    "UndoesOnlyWhatItDid": {"undo-never-done"},
    "ForgetsWhatItUndid": {"undo-never-done", "undo-then-do", "undo-beside-do"},
    "AnswersLateDosFromMemory": {"undo-then-do", "do-apart"},
    "SaysDoneOfWhatIsUndone": {"undo-asked", "undo-beside-do"},
    "FinishesWhatWasUndone": {"undo-beside-do", "undo-never-done"},
    "NoCode": {"refused-code"},
    "ChangesItsMind": {"refused-code"},
    "UndoesNoRefusal": {"refused-undo"},
    "RefusesWhatTakesLong": {"pending-ends"},
    "LoadsAList": {"load-fetched"},
}
NOT_OF_A_CHECK = {
    "do-apart",
    *(name for name in BY_NAME if name.startswith("undo")),
    "refused-undo",
}


@pytest.fixture(autouse=True)
def haste(monkeypatch):
    """Ask what is undecided again soon, and not for long."""
    monkeypatch.setattr(kit, "TRIES", 4)
    monkeypatch.setattr(kit, "PAUSE_SECONDS", 0.02)


@pytest.fixture
async def serve():
    started: list[Simulator] = []

    async def start(name="payment", double=None, **keys):
        simulator = Simulator([], services=[SimulatedService(name=name)])
        if double is not None:
            playing = Playing(
                simulator.faults, simulator._script_for, simulator._now, 1.0
            )
            played = [SimulatedService(name=name)]
            simulator.services = double(played, ServiceBook(), playing)
        started.append(await simulator.start())
        base_url = simulator.base_url(name)
        table = ServiceTable.model_validate(
            {"name": name, "base_url": base_url, **keys}
        )
        return ServiceCandidate(table, SAMPLES)

    yield start
    for simulator in started:
        await simulator.stop()


@pytest.mark.parametrize("scenario", SERVICE_SCENARIOS, ids=str)
async def test_the_simulator_keeps_every_promise(serve, scenario):
    name = "items" if scenario.name == "load-fetched" else "payment"
    outcome = await (await serve(name)).play(scenario)

    assert outcome.wrong == ()
    assert outcome.not_here is None
    assert outcome.cases > 0


@pytest.mark.parametrize(
    ("adapter", "name"),
    [(adapter, name) for adapter, names in CAUGHT_BY.items() for name in sorted(names)],
)
async def test_who_breaks_a_promise_is_caught_by_its_scenario(serve, adapter, name):
    service = "items" if name == "load-fetched" else "payment"
    candidate = await serve(service, getattr(planted, adapter))

    outcome = await candidate.play(BY_NAME[name])

    assert outcome.wrong


def test_every_scenario_can_fail_and_every_planted_service_is_caught():
    doubles = {
        name
        for name, each in inspect.getmembers(planted, inspect.isclass)
        if issubclass(each, planted.Right) and each is not planted.Right
    }

    assert doubles == {*CAUGHT_BY}
    assert {name for names in CAUGHT_BY.values() for name in names} == {*BY_NAME}


async def test_a_service_without_an_undo_is_not_asked_for_one(serve):
    outcomes = await (await serve("fraud")).play_all(SERVICE_SCENARIOS)

    absent = {each.scenario.name for each in outcomes if each.not_here}
    assert absent == NOT_OF_A_CHECK | {"load-fetched"}
    assert [each.wrong for each in outcomes if each.wrong] == []


async def test_who_cannot_be_asked_is_not(serve):
    outcomes = await (await serve(asks=False)).play_all(SERVICE_SCENARIOS)

    absent = {each.scenario.name for each in outcomes if each.not_here}
    assert {"ask-unknown", "ask-done", "undo-asked", "pending-ends"} <= absent
    assert [each.wrong for each in outcomes if each.wrong] == []


async def test_without_an_order_that_is_refused_it_is_said(serve):
    candidate = await serve()
    bare = ServiceCandidate(candidate.table)

    outcome = await bare.play(BY_NAME["refused-code"])

    assert "--orders" in str(outcome.not_here)


async def test_a_service_that_is_not_there_fails(serve):
    table = (await serve()).table.model_copy(update={"base_url": "http://127.0.0.1:9"})

    outcome = await ServiceCandidate(table).play(BY_NAME["do-done"])

    assert "no connection" in outcome.wrong[0]


def test_every_scenario_has_a_name_and_a_sentence():
    assert len(BY_NAME) == len(SERVICE_SCENARIOS)
    for scenario in SERVICE_SCENARIOS:
        assert scenario.proves[0].islower()
        assert not scenario.proves.endswith(".")
