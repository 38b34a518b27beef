import math

import pytest

from fsm.domain.rates import Rate, TokenBucket, parse_rate
from fsm.domain.text import is_reason


def test_a_reason_may_have_lines_but_no_controls():
    assert is_reason("seen at the bank\non Monday")
    assert not is_reason("\x1b[31mred")
    assert not is_reason("   ")


@pytest.mark.parametrize("text", ["", "100", "0/s", "1.5/s", "100/d", " 1/s", "-1/s"])
def test_a_bad_rate_is_refused(text):
    with pytest.raises(ValueError, match="is not a rate like"):
        parse_rate(text)


def test_a_bucket_lets_the_rate_through_and_fills_again():
    now = 0.0
    bucket = TokenBucket.full(parse_rate("2/s"), lambda: now)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    now = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now = 60.0
    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_a_bucket_that_is_overdrawn_says_how_long_it_takes():
    now = 0.0
    bucket = TokenBucket(lambda: now, a_second=2.0, most=2.0)
    bucket.overdraw()
    assert (bucket.take(), bucket.wait()) == (False, 1.0)
    now = 1.0
    assert (bucket.wait(), bucket.take(), bucket.is_full) == (0.0, True, False)
    now = 60.0
    assert bucket.is_full


def test_a_bucket_that_is_changed_keeps_what_it_got_before():
    now = 0.0
    bucket = TokenBucket(lambda: now, a_second=1.0, most=9.0)
    now = 3.0
    bucket.change(a_second=0.0, most=9.0)
    now = 60.0
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    assert bucket.wait() == math.inf


def test_rates_are_read():
    assert parse_rate("600/m") == Rate(600, parse_rate("1/m").period)
