"""How long a provider wants to be left alone, read from what it answered."""

from datetime import timedelta

import pytest

from handlers.ports.provider import Accepted, NotSent, Unclear
from providers.http import outbound
from providers.http.outbound import Lost, Response
from providers.retry_after import SECONDS_MAX, heeding, retry_after_asked

DATE = "Sun, 01 Mar 2026 12:00:00 GMT"
LATER = "Sun, 01 Mar 2026 12:02:30 GMT"


def answer(status, retry_after, **headers):
    return Response(
        status=status, body=b"", headers={"retry-after": retry_after, **headers}
    )


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("-1", 0),
        ("7.5", 0),
        ("soon", 0),
        ("", 0),
        ("999999999", SECONDS_MAX),
        (LATER, 150),
        ("Sun, 01 Mar 2020 12:00:00 GMT", 0),
        ("Sun, 99 Mar 2026 12:00:00 GMT", 0),
        ("Fri, 01 Jan 2999 12:00:00 GMT", SECONDS_MAX),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_it_is_read_in_seconds_or_as_a_date(told, seconds, status):
    asked = retry_after_asked(answer(status, told, date=DATE))

    assert asked == timedelta(seconds=seconds)


@pytest.mark.parametrize("status", [200, 202, 301, 500])
def test_other_answers_ask_for_nothing(status):
    assert retry_after_asked(answer(status, "7")) == timedelta(0)


def test_a_date_counts_by_our_clock_where_the_provider_shows_none():
    assert retry_after_asked(answer(503, "Sun, 01 Mar 2020 12:00:00 GMT")) == timedelta(
        0
    )
    far = retry_after_asked(answer(503, "Fri, 01 Jan 2999 12:00:00 GMT"))
    assert far == timedelta(seconds=SECONDS_MAX)


def test_only_what_proves_nothing_carries_it():
    asked = answer(429, "7")

    assert heeding(Unclear(because="x"), asked).after == timedelta(seconds=7)
    assert heeding(NotSent(because="x"), asked).after == timedelta(seconds=7)
    assert heeding(Accepted(reference=None), asked) == Accepted(reference=None)
    for nothing in (Lost("x"), outbound.RequestNotSent("x")):
        assert heeding(Unclear(because="x"), nothing) == Unclear(because="x")
