"""Dates and times that are searched by: one text is one moment, wherever it is read."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from fsm.domain.moments import ZONELESS, read_moment, require_order
from payment_service.cli.errors import Usage
from payment_service.cli.orders import time_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
JANUARY = datetime(2026, 1, 31, tzinfo=UTC)
END = JANUARY.replace(hour=23, minute=59, second=59)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31", JANUARY),
        ("2026-01-31T23:59:59Z", END),
        ("2026-01-31t23:59:59z", END),
        ("2026-01-31 23:59:59Z", END),
        ("2026-02-01T01:59:59+02:00", END),
        ("2026-02-01 01:59:59 02:00", END),
        ("2026-01-31T21:59:59-02:00", END),
        ("2026-01-31T23:59:59.5Z", END + timedelta(milliseconds=500)),
        ("2h", NOW - timedelta(hours=2)),
        ("250ms", NOW - timedelta(milliseconds=250)),
    ],
)
def test_one_text_is_one_moment(text, moment):
    assert read_moment(text, NOW) == moment
    assert read_moment(text, NOW).utcoffset() == timedelta(0)
    if "-" in text:
        assert time_of("--from", text) == moment


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "yesterday", "1767225600", "2026-1-31", "31.01.2026", "2026-02-30"),
        *("2026-01-31T23:59Z", "2026-01-31T23:59:59 +02:00", "2026-01-31T25:00:00Z"),
        *(
            "0001-01-01T00:00:00+23:59",
            "\uff12\uff10\uff12\uff16-01-31",
            "-2h",
            "2w",
            "367d",
        ),
        *("2026-01-31T23:59:59+2", "2026-01-31T23:59:59UTC", "2026-01-31Z"),
    ],
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r"\bis\b|\bnot\b"):
        read_moment(text, NOW)
    with pytest.raises(Usage, match="--to"):
        time_of("--to", text)


@pytest.mark.parametrize("text", ["2026-01-31T23:59:59", "2026-01-31 23:59:59.123"])
def test_a_time_without_a_zone_is_refused_and_says_how_to_give_one(text):
    with pytest.raises(ValueError, match=re.escape(ZONELESS)):
        read_moment(text, NOW)
    with pytest.raises(Usage, match="zone"):
        time_of("--from", text)


def test_a_period_that_is_upside_down_is_refused():
    require_order(JANUARY, END)
    require_order(JANUARY, JANUARY)
    require_order(None, END)
    with pytest.raises(ValueError, match="after the end"):
        require_order(END, JANUARY)
