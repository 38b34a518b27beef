"""Partners are observed as providers are: measured, heard, and held back while away."""

from datetime import UTC, datetime, timedelta

import pytest

from fsm.partner.policy import LinkPolicy
from handlers.ports.controls import Control, FleetView
from handlers.ports.partners import (
    Eligible,
    MultiMatch,
    NotEligible,
    PartnerCall,
    PartnerNotSent,
    PartnerPending,
    PartnerUnclear,
    RevokeNoted,
)
from providers.config.partners import PartnerTable
from providers.health.admission import AdmissionControl
from providers.health.observed_partners import ObservedPartner, ObservedPartners
from providers.registry import ConfiguredPartners

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
CALL = PartnerCall(task_id="t-1", key="t-1:1", n=1, order={})
TABLE = PartnerTable.model_validate(
    {
        "name": "northbank",
        "base_url": "https://n.example",
        "countries": ["CA"],
        "bins": ["4510"],
        "breaker": {"min_calls": 3, "failure_rate": 0.5},
    }
)


class Clock:
    def now(self):
        return NOW

    def elapsed(self):
        return 1000.0


class Told:
    """Implements ``Partner``: answers what it is told to, and counts."""

    name = "northbank"
    policy = LinkPolicy()

    def __init__(self):
        self.answer: object = Eligible()
        self.asked = 0

    async def check_eligibility(self, call):
        return await self._said(call)

    async def check_again(self, call):
        return await self._said(call)

    async def notify_revoked(self, call):
        await self._said(call)
        return RevokeNoted()

    async def _said(self, call):
        assert call is CALL
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def control():
    return AdmissionControl({"northbank": TABLE.terms}, Clock(), replica="r-1")


@pytest.fixture
def noted():
    return []


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def partner(told, control, noted):
    def note(name, operation, outcome, seconds):
        assert seconds >= 0
        noted.append((name, operation, outcome))

    return ObservedPartner(told, control, note)


async def test_every_call_is_measured_by_what_it_came_to(partner, told, noted):
    await partner.check_eligibility(CALL)
    told.answer = PartnerUnclear(because="status 500")
    await partner.check_again(CALL)
    await partner.notify_revoked(CALL)

    assert noted == [
        ("northbank", "eligibility", "eligible"),
        ("northbank", "fallback", "unclear"),
        ("northbank", "revoke_notice", "revokenoted"),
    ]


@pytest.mark.parametrize(
    "answer",
    [Eligible(), NotEligible(code="x"), MultiMatch(), PartnerPending()],
)
async def test_a_definite_answer_is_no_failure(partner, told, control, answer):
    told.answer = answer
    for _ in range(9):
        assert await partner.check_eligibility(CALL) == answer

    assert control.states()["northbank"] == "ready"


@pytest.mark.parametrize(
    "answer",
    [PartnerUnclear(because="status 500"), PartnerNotSent(because="no connection")],
)
async def test_a_partner_that_fails_is_left_alone(partner, told, control, answer):
    told.answer = answer
    for _ in range(9):
        await partner.check_eligibility(CALL)

    held = await partner.check_eligibility(CALL)

    assert told.asked == 3
    assert control.states()["northbank"] == "open"
    assert isinstance(held, PartnerNotSent)
    assert (held.because, held.lacking) == ("its calls fail", True)
    assert held.after > timedelta(0)


async def test_what_we_lack_says_nothing_of_the_partner(partner, told):
    told.answer = PartnerNotSent(because="too many open files", lacking=True)
    for _ in range(9):
        await partner.check_eligibility(CALL)

    assert told.asked == 9


async def test_a_paused_partner_is_asked_nothing_and_told_of_revokes(
    partner, told, control
):
    pause = Control(
        provider="northbank", by="key:ann", reason="audit", at=NOW, until=None
    )
    control.heard(FleetView(beats={}, paused={"northbank": pause}))

    for check in (partner.check_eligibility, partner.check_again):
        held = await check(CALL)
        assert isinstance(held, PartnerNotSent)
        assert held.because == "paused by key:ann: audit"
        assert held.lacking
    assert told.asked == 0
    assert await partner.notify_revoked(CALL) == RevokeNoted()


async def test_a_partner_that_asks_to_be_left_alone_is(partner, told):
    told.answer = PartnerUnclear(because="status 429", after=timedelta(hours=3))

    answer = await partner.check_eligibility(CALL)
    held = await partner.check_eligibility(CALL)

    assert answer.after == TABLE.terms.silence_max
    assert told.asked == 1
    assert isinstance(held, PartnerNotSent)


async def test_a_check_that_raises_gives_its_place_back(partner, told, control):
    told.answer = RuntimeError("spoilt")
    for _ in range(TABLE.max_in_flight + 1):
        control.admit("northbank").give_back()
    with pytest.raises(RuntimeError):
        await partner.check_eligibility(CALL)

    assert control.beats()[0].in_flight == 0


def test_all_are_observed_by_their_names(told, control):
    observed = ObservedPartners(ConfiguredPartners({"northbank": told}), control)

    assert observed.names() == ["northbank"]
    partner = observed.get("northbank")
    assert partner is not None
    assert partner.name == "northbank"
    assert observed.get("other") is None
