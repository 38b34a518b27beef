"""Maintenance hours follow the clock on the provider's wall, also when it changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.health.calendar import ends_at, parse_weekly

RIGA = ZoneInfo("Europe/Riga")
MINUTE = timedelta(minutes=1)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "now", "end"),
    [
        ("Sun 02:00-04:00", "2026-01-04T00:00", "2026-01-04T02:00"),
        ("Sun 02:00-04:00", "2026-01-03T23:59", None),
        ("Sun 02:00-04:00", "2026-01-04T02:00", None),
        ("Sun 02:00-04:00", "2026-01-05T00:30", None),
        ("Sun 23:30-00:30", "2026-01-04T22:15", "2026-01-04T22:30"),
        ("Sun 23:30-00:30", "2026-01-03T22:15", None),
        ("Mon-Fri 01:00-02:00", "2026-01-08T23:30", "2026-01-09T00:00"),
        ("Mon-Fri 01:00-02:00", "2026-01-09T23:30", None),
        ("Fri-Mon 01:00-02:00", "2026-01-11T23:30", "2026-01-12T00:00"),
        ("Tue,Thu 01:00-02:00", "2026-01-07T23:30", "2026-01-08T00:00"),
        ("daily 00:00-00:00", "2026-01-07T12:00", "2026-01-07T22:00"),
        # The clocks go forward from 03:00 to 04:00, which is 01:00 UTC.
        ("Sun 02:00-05:00", "2026-03-29T01:30", "2026-03-29T02:00"),
        ("Sun 03:15-03:45", "2026-03-29T01:20", "2026-03-29T01:45"),
        # They go back from 04:00 to 03:00: both hours are in it.
        ("Sun 03:00-03:30", "2026-10-25T00:00", "2026-10-25T01:30"),
        ("Sun 03:00-03:30", "2026-10-25T01:29", "2026-10-25T01:30"),
    ],
)
def test_it_is_on_until_its_end(text, now, end):
    found = parse_weekly(text, RIGA).until(at(now))

    assert found == (None if end is None else at(end))


@pytest.mark.parametrize(
    "text",
    ["", "Sun", "Sun 2:00-04:00", "Son 02:00-04:00", "Sun 24:00-25:00", "Sun 02:00"],
)
def test_what_is_no_window_is_refused(text):
    with pytest.raises(ValueError, match="must"):
        parse_weekly(text, RIGA)


@given(st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)))  # noqa: DTZ001 - made UTC below
def test_by_a_clock_that_is_never_changed_it_is_what_it_says(drawn):
    now = drawn.replace(tzinfo=UTC)
    on = now.weekday() == 6 and 2 <= now.hour < 4

    assert (
        parse_weekly("Sun 02:00-04:00", ZoneInfo("UTC")).until(now) is not None
    ) is on


@given(st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)))  # noqa: DTZ001 - made UTC below
def test_whenever_the_wall_shows_a_time_within_it_is_on(drawn):
    now = drawn.replace(tzinfo=UTC)
    wall = now.astimezone(RIGA)
    within = wall.weekday() == 6 and 2 <= wall.hour < 5

    until = parse_weekly("Sun 02:00-05:00", RIGA).until(now)

    assert until is not None or not within
    if until is not None:
        assert until > now


def test_of_several_the_last_end_counts():
    windows = [parse_weekly(t, RIGA) for t in ("Sun 02:00-04:00", "Sun 03:00-06:00")]

    assert ends_at(windows, at("2026-01-04T01:30")) == at("2026-01-04T04:00")
    assert ends_at([], at("2026-01-04T01:30")) is None
