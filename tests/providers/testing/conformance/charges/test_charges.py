"""The kit of charges: adapters of ours pass it, and whoever guesses is caught by it."""

import inspect

import pytest

from providers import registry
from providers.testing.conformance.charge_doubles.rest import RestChargeDouble
from providers.testing.conformance.charges import CHARGE_SCENARIOS, ChargeCandidate
from tests.providers.testing.conformance.charges import planted, planted_stripe
from tests.providers.testing.conformance.test_adapters import ACME, RAW

BY_NAME = {scenario.name: scenario for scenario in CHARGE_SCENARIOS}
CAUGHT_BY = {
    "TimeoutIsNo": {"charge-timeout"},
    "LostIsNotSent": {"charge-timeout", "charge-reset"},
    "NotSentIsUnclear": {"charge-not-sent"},
    "AcceptedIsCharged": {"charge-at-work"},
    "YesIsUnclear": {"charge-done"},
    "RefundedIsUnclear": {"refund-done"},
    "PendingIsNotKnown": {"charge-at-work"},
    "NotKnownIsNo": {"charge-not-known"},
    "NoHasNoCode": {"charge-declined"},
    "EveryNoIsOne": {"charge-no-beside-an-error"},
    "ErrorOfAQuestionIsAnAnswer": {"charge-errors"},
    "UnknownWordIsCharged": {"charge-unlisted-word"},
    "EmptyIsCharged": {"charge-unreadable"},
    "MoneyHidden": {"charge-other-money"},
    "AnyChargeWillDo": {"charge-other", "charge-other-money"},
    "FloatAmounts": {"charge-wire"},
    "KeyOfChance": {"charge-repeated", "charge-wire"},
    "RepeatsByItself": {"charge-errors"},
    "RefundsByTheKeyOfTheCharge": {"refund-wire"},
    "RefundsAnother": {"refund-wire"},
    "TakenIsRefunded": {"refund-no-yes"},
    "ShownIsRefunded": {"refund-no-yes"},
    "AnyAnswerRefunds": {"refund-no-yes", "refund-refused"},
    "LostIsRefunded": {"charge-timeout", "charge-reset"},
    "OtherMoneyIsRefunded": {"refund-other-money"},
    "RefusedRefundIsUnclear": {"refund-refused"},
    "Raises": {"charge-errors"},
    "ShowsWhatIsPaidWith": {"charge-secrets"},
}
STRIPE_CAUGHT_BY = {
    "WaitingIsNo": {"charge-needs-customer"},
    "CancelIsNo": {"charge-needs-customer"},
    "WaitingIsLeft": {"charge-needs-customer"},
}
COLLECTS = ACME | {"charge": {}}
TABLES = {
    "default": COLLECTS,
    "codes": COLLECTS | {"rejection_codes": ["limit", "blocked"]},
    "simulator": {"adapter": "simulator", "charge": {}},
    "stripe": RAW["stripe_intents"] | {"charge": {}},
}
NOT_HERE = {
    "default": {"charge-needs-customer"},
    "codes": {"charge-needs-customer"},
    "simulator": {"charge-needs-customer"},
    # It is asked by its own id.
    "stripe": {"charge-not-known"},
}


@pytest.mark.parametrize("name", TABLES)
async def test_adapters_of_ours_pass_every_scenario(name):
    outcomes = await ChargeCandidate(name, TABLES[name]).play_all(CHARGE_SCENARIOS)

    wrong = {each.scenario.name: each.wrong for each in outcomes if each.wrong}
    absent = {each.scenario.name for each in outcomes if each.not_here is not None}
    assert wrong == {}
    assert absent == NOT_HERE[name]


def spoilt(adapter):
    raw = COLLECTS | {"adapter": f"{planted.__name__}:{adapter}"}
    return ChargeCandidate("acme", raw, RestChargeDouble("/api", "do_not_honor"))


def classes_of(module):
    return {
        name
        for name, found in vars(module).items()
        if inspect.isclass(found) and found.__module__ == module.__name__
    }


def test_every_planted_adapter_is_caught_by_something():
    assert classes_of(planted) - {"Right"} == set(CAUGHT_BY)
    assert classes_of(planted_stripe) == set(STRIPE_CAUGHT_BY)


def test_every_scenario_catches_somebody():
    caught = set().union(*CAUGHT_BY.values(), *STRIPE_CAUGHT_BY.values())

    assert set(BY_NAME) == caught


@pytest.mark.parametrize(
    ("adapter", "name"),
    [(adapter, name) for adapter, names in CAUGHT_BY.items() for name in sorted(names)],
)
async def test_it_is_caught(adapter, name):
    outcome = await spoilt(adapter).play(BY_NAME[name])

    assert outcome.wrong


@pytest.mark.parametrize("scenario", CHARGE_SCENARIOS, ids=str)
async def test_the_right_one_passes(scenario):
    outcome = await spoilt("Right").play(scenario)

    assert outcome.wrong == ()


@pytest.mark.parametrize("adapter", STRIPE_CAUGHT_BY)
async def test_who_guesses_about_the_customer_is_caught(adapter, monkeypatch):
    planting = getattr(planted_stripe, adapter)
    monkeypatch.setitem(registry._COLLECTING, "stripe", planting)
    scenario = BY_NAME["charge-needs-customer"]

    outcome = await ChargeCandidate("stripe", TABLES["stripe"]).play(scenario)

    assert outcome.wrong
