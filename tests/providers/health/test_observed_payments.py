"""Payment providers whose calls are observed: measured, heard, and left alone."""

from datetime import timedelta

import orjson
import pytest

from fsm.charge.policy import ChargePolicy
from fsm.domain.money import Money
from handlers.ports.payments import Charge, Charged, Refunded
from handlers.ports.services import (
    ServiceNotKnown,
    ServiceNotSent,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
)
from payment_service.playground.memory.clock import VirtualClock
from providers.health.admission import AdmissionControl
from providers.health.observed_payments import (
    ObservedPayment,
    ObservedPayments,
    heard_in_charge,
)
from providers.health.window import CreateOutcome
from providers.http.outbound import Response
from providers.rest.charges import answer_to_charge
from tests.world.keepers import terms

CHARGE = Charge(
    reference="t-1",
    key="t-1",
    money=Money(1, "EUR"),
    order_id="c-1",
    merchant_id="m-1",
    customer_id="c-9",
    payment_method={},
)


class Says:
    """A payment provider that says what it is told to."""

    name = "north"
    policy = ChargePolicy()

    def __init__(self, answer):
        self.answer = answer

    async def charge(self, _):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    charge_status = refund = charge


@pytest.fixture
def keeper():
    return AdmissionControl({"north": terms()}, VirtualClock(), replica="one")


@pytest.mark.parametrize(
    ("operation", "answer", "outcome"),
    [
        ("charge", Charged(), "charged"),
        ("charge", ServiceRefused(code="no"), "refused"),
        ("charge", ServiceNotSent(because="away"), "notsent"),
        ("charge", ServiceUnclear(because="502"), "unclear"),
        ("charge_status", ServicePending(), "pending"),
        ("charge_status", ServiceNotKnown(), "notknown"),
        ("refund", Refunded(), "refunded"),
    ],
)
async def test_every_call_is_noted_with_its_outcome(keeper, operation, answer, outcome):
    noted = []
    observed = ObservedPayment(Says(answer), keeper, lambda *said: noted.append(said))

    assert await getattr(observed, operation)(CHARGE) == answer

    ((*said, seconds),) = noted
    assert said == ["north", operation, outcome]
    assert seconds >= 0


async def test_what_raises_is_noted_as_an_error_and_counts_as_failed(keeper):
    noted = []
    observed = ObservedPayment(
        Says(OSError("broken")), keeper, lambda *said: noted.append(said)
    )

    for _ in range(3):
        with pytest.raises(OSError, match="broken"):
            await observed.charge(CHARGE)

    assert noted[0][:3] == ("north", "charge", "error")
    assert not keeper.admits("north")


@pytest.mark.parametrize(
    ("answer", "heard"),
    [
        (Charged(), CreateOutcome.TAKEN),
        (ServiceRefused(code="no"), CreateOutcome.REFUSED),
        (ServiceNotSent(because="away"), CreateOutcome.FAILED),
        (ServiceNotSent(because="no socket", lacking=True), None),
        (ServiceUnclear(because="502"), CreateOutcome.FAILED),
    ],
)
def test_what_an_answer_says_about_its_provider(answer, heard):
    assert heard_in_charge(answer) is heard


@pytest.mark.parametrize(
    ("status", "body", "heard"),
    [
        (201, {"status": "accepted"}, CreateOutcome.TAKEN),
        (409, {"status": "declined"}, CreateOutcome.REFUSED),
        (404, {}, CreateOutcome.REFUSED),
        (200, {"status": "odd"}, CreateOutcome.FAILED),
        (429, {"status": "declined"}, CreateOutcome.FAILED),
        (502, {}, CreateOutcome.FAILED),
    ],
)
def test_an_unclear_answer_is_an_outage_only_where_nobody_looked_at_it(
    status, body, heard
):
    """A provider that takes charges, and tells later, is as well as any."""
    told = Response(status=status, body=orjson.dumps(body), headers={})

    assert heard_in_charge(answer_to_charge(told, CHARGE)) is heard


@pytest.mark.parametrize("operation", ["charge", "charge_status", "refund"])
async def test_who_asks_to_be_left_alone_is(keeper, operation):
    after = timedelta(minutes=2)
    observed = ObservedPayment(Says(ServiceUnclear(because="429", after=after)), keeper)

    await getattr(observed, operation)(CHARGE)

    assert timedelta(0) < keeper.silence("north") <= after


def test_who_collects_nothing_is_not_there(keeper):
    class Nobody:
        def get(self, _):
            return None

    assert ObservedPayments(Nobody(), keeper).get("north") is None
