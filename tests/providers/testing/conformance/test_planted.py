"""The kit can fail: whoever guesses is caught by the scenario meant for it."""

import inspect
from dataclasses import replace

import pytest

from providers.testing.conformance.made_up_secrets import made_up
from providers.testing.conformance.runner import Candidate
from providers.testing.conformance.scenario import IMPATIENT
from providers.testing.conformance.scenarios import SCENARIOS
from tests.providers.testing.conformance import planted

CAUGHT_BY = {
    "TimeoutIsNo": {"lost-timeout", "lost-slow"},
    "LostIsNotSent": {"lost-timeout", "lost-slow", "lost-reset", "lost-half"},
    "NotSentIsUnclear": {"lost-refused"},
    "UnknownCodeIsNo": {"create-unlisted-code"},
    "UnknownWordIsNo": {"create-unlisted-word"},
    "ServerErrorIsNo": {"create-server-error", "create-no-beside-an-error"},
    "ForbiddenIsNo": {"create-not-let-in"},
    "ConflictIsNo": {"create-client-error", "create-no-beside-an-error"},
    "EmptyIsYes": {"create-unreadable"},
    "LooseJson": {"create-unreadable"},
    "FloatAmounts": {"wire-amount"},
    "RoundedAmounts": {"wire-amount"},
    "ReferenceRewritten": {"wire-reference"},
    "TwoReferences": {"wire-reference"},
    "KeyOfChance": {"wire-repeated"},
    "RepeatsByItself": {"create-server-error", "create-unlisted-word"},
    "Raises": {"create-server-error", "lost-reset"},
    "AbsentIsNo": {"status-not-found"},
    "ReturnedIsNo": {"status-returned"},
    "ErrorOfStatusIsNo": {"status-error"},
    "AnyPayoutWillDo": {"status-other-payout"},
    "MoneyHidden": {"status-other-money"},
    "AnyAnswerCancels": {"cancel-no-yes", "lost-timeout"},
    "SignatureNotChecked": {"webhook-forged", "webhook-changed", "webhook-old"},
    "OnlyTheFirstSecret": {"webhook-genuine"},
    "AgeNotChecked": {"webhook-old"},
    "HalfOfTheBodySigned": {"webhook-changed"},
    "FailedIsSucceeded": {"webhook-meaning"},
    "UnknownTypeIsFailed": {"webhook-unlisted"},
    "UnknownTypeIsDropped": {"webhook-unlisted"},
    "UnreadableMoneyIsDropped": {"webhook-unreadable-money"},
    "EventsOfAPayoutAreOne": {"webhook-events"},
    "EventsAreNeverTheSame": {"webhook-events"},
    "StrangeBodiesRaise": {"webhook-strange"},
    "ShowsItsSecrets": {"secrets-hidden"},
    "ShowsSecretsInErrors": {"create-server-error", "lost-reset"},
    "ShowsTheDestination": {"secrets-destination"},
    "FollowsRedirects": {"create-redirected"},
    "ImpatientIsNotSent": {"lost-timeout", "lost-reset"},
}
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def candidate(adapter):
    raw = {
        "adapter": f"tests.providers.testing.conformance.planted:{adapter}",
        "base_url": "https://acme.example/api",
        "headers": {"Authorization": "Bearer ${ACME_TOKEN}"},
        "idempotent_create": True,
        "webhook": {"scheme": "standard", "secrets": ["${ACME_WHSEC}"]},
    }
    if adapter == "UnknownCodeIsNo":
        raw["rejection_codes"] = ["limit", "blocked"]
    return Candidate("acme", raw)


def test_every_planted_adapter_is_caught_by_something():
    adapters = {
        name
        for name, found in vars(planted).items()
        if inspect.isclass(found) and found.__module__ == planted.__name__
    }

    assert adapters - {"Right", "NeverReturns"} == set(CAUGHT_BY)


@pytest.mark.parametrize(
    ("adapter", "name"),
    [(adapter, name) for adapter, names in CAUGHT_BY.items() for name in sorted(names)],
)
async def test_it_is_caught(adapter, name):
    outcome = await candidate(adapter).play(BY_NAME[name])

    assert outcome.wrong


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
async def test_the_right_one_passes(scenario):
    outcome = await candidate("Right").play(scenario)

    assert outcome.wrong == ()


async def test_one_that_never_returns_is_not_waited_for():
    hasty = replace(BY_NAME["create-unlisted-word"], timeout=IMPATIENT)

    outcome = await candidate("NeverReturns").play(hasty)

    assert any("long after its time limit" in problem for problem in outcome.wrong)


async def test_what_is_wrong_shows_no_secret():
    adapter = candidate("ShowsSecretsInErrors")

    outcome = await adapter.play(BY_NAME["create-server-error"])

    assert any("it shows a secret" in problem for problem in outcome.wrong)
    assert any("Bearer ***" in problem for problem in outcome.wrong)
    assert not any(made_up("ACME_TOKEN") in problem for problem in outcome.wrong)
