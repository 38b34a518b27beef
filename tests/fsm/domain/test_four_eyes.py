"""From which amount two decide: the floor, the default, and a currency's own."""

import pytest

from fsm.domain.four_eyes import FourEyes
from fsm.domain.money import Money


@pytest.mark.parametrize(
    ("four_eyes", "euro", "yen"),
    [
        (FourEyes(), None, None),
        (FourEyes(floor=100), 100, 100),
        (FourEyes(default=50), 50, 50),
        (FourEyes(by_currency={"EUR": 30}), 30, None),
        (FourEyes(floor=100, default=50), 50, 50),
        (FourEyes(floor=100, default=200, by_currency={"EUR": 30}), 30, 100),
        (FourEyes(floor=100, default=10, by_currency={"EUR": 70}), 70, 10),
        (FourEyes(floor=100, by_currency={"EUR": 200}), 100, 100),
    ],
)
def test_what_is_set_beside_the_floor_can_only_be_stricter(four_eyes, euro, yen):
    assert (four_eyes.begins_at("EUR"), four_eyes.begins_at("JPY")) == (euro, yen)


def test_two_decide_from_the_amount_on_and_not_below():
    four_eyes = FourEyes(floor=100)

    needs = [four_eyes.needs_two(Money(amount, "EUR")) for amount in (99, 100, 101)]

    assert needs == [False, True, True]
    assert not FourEyes().needs_two(Money(2**53 - 1, "EUR"))


@pytest.mark.parametrize(
    ("four_eyes", "exists"),
    [
        (FourEyes(), False),
        (FourEyes(floor=1), True),
        (FourEyes(default=1), True),
        (FourEyes(by_currency={"JPY": 1}), True),
    ],
)
def test_it_exists_where_any_amount_takes_two(four_eyes, exists):
    assert four_eyes.exists is exists


def test_it_cannot_be_changed_from_outside():
    amounts = {"EUR": 5}
    four_eyes = FourEyes(by_currency=amounts)
    amounts["EUR"] = 10**9

    assert four_eyes.begins_at("EUR") == 5
    with pytest.raises(TypeError):
        four_eyes.by_currency["EUR"] = 10**9  # type: ignore[index]


@pytest.mark.parametrize(
    "wrong", [{"floor": 0}, {"default": -1}, {"by_currency": {"XXX": 1}}]
)
def test_what_is_no_amount_or_no_currency_is_refused(wrong):
    with pytest.raises(ValueError, match=r"at least 1|unknown"):
        FourEyes(**wrong)
