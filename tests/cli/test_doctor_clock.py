"""A clock is wrong by what no slow answer can be blamed for."""

from datetime import timedelta

import pytest

from payment_service.cli.doctor.store import AREA, SKEW_MAX, skew

A_MOMENT = timedelta(milliseconds=1)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("way", [timedelta(), timedelta(seconds=10)])
def test_half_of_the_way_may_be_no_skew(way, sign):
    most = SKEW_MAX + way / 2

    assert skew(AREA, sign * most, way, "ours").state == "ok"
    assert skew(AREA, sign * (most + A_MOMENT), way, "ours").state == "wrong"
