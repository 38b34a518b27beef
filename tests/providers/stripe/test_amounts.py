"""Amounts in Stripe's units, after docs.stripe.com/currencies."""

import pytest

from fsm.domain.money import Money
from fsm.domain.reading import UnreadableField
from providers.stripe.amounts import NotPayable, ours, theirs


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (1000, "USD", 1000),
        (500, "JPY", 500),
        (500, "XOF", 500),
        (5, "ISK", 500),
        (5, "UGX", 500),
        (1500, "MGA", 15),
        (5120, "KWD", 5120),
        (1000, "HUF", 1000),
        (80000, "TWD", 80000),
    ],
)
@pytest.mark.parametrize("makes", ["payout", "payment_intent"])
def test_an_amount_goes_there_and_back(makes, amount, currency, written):
    assert theirs(Money(amount, currency), makes) == written
    assert ours(written, currency) == amount


@pytest.mark.parametrize(
    ("amount", "currency"),
    [(1045, "HUF"), (80045, "TWD"), (5124, "KWD"), (1501, "MGA"), (1000, "IQD")],
)
def test_what_stripe_cannot_pay_out_exactly_is_not_payable(amount, currency):
    with pytest.raises(NotPayable):
        theirs(Money(amount, currency), "payout")


@pytest.mark.parametrize("currency", ["HUF", "TWD"])
def test_whole_units_are_for_payouts_alone(currency):
    assert theirs(Money(1045, currency), "payment_intent") == 1045


@pytest.mark.parametrize("currency", ["ISK", "UGX"])
def test_a_fraction_where_there_is_none_cannot_be_read(currency):
    with pytest.raises(UnreadableField):
        ours(501, currency)
