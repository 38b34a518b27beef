"""When a provider is at work on itself: hours of the week, by its own clock."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAILY: Final = "daily"
DAY: Final = timedelta(days=1)
_FORM: Final = re.compile(
    r"(?P<days>[A-Za-z,-]+) (?P<begin>\d\d:\d\d)-(?P<end>\d\d:\d\d)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Weekly:
    """From ``begin`` to ``end`` on some days; an end that is earlier is the next day's.

    A time that the clocks skip or show twice makes it longer, never shorter.
    """

    days: frozenset[int]
    begin: time
    end: time
    zone: ZoneInfo

    def until(self, now: datetime) -> datetime | None:
        """Return when it is over, or None where it is not on at ``now``."""
        today = now.astimezone(self.zone).date()
        for day in (today - DAY, today):
            if day.weekday() in self.days:
                begin, end = self._on(day)
                if begin <= now < end:
                    return end
        return None

    def _on(self, day: date) -> tuple[datetime, datetime]:
        last = day if self.end > self.begin else day + DAY
        begins = self._moments(day, self.begin)
        ends = self._moments(last, self.end)
        return min(begins), max(ends)

    def _moments(self, day: date, at: time) -> tuple[datetime, datetime]:
        """Return the moment that a local time means, by both readings of it."""
        local = datetime.combine(day, at, self.zone)
        return local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def parse_weekly(text: str, zone: ZoneInfo) -> Weekly:
    """Read ``Sun 02:00-04:00``, ``Mon-Fri 23:30-00:30``, ``Sat,Sun …`` or ``daily …``.

    :raises ValueError: it is none of them.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("must be like 'Sun 02:00-04:00'")
    try:
        begin = time.fromisoformat(found["begin"])
        end = time.fromisoformat(found["end"])
    except ValueError:
        raise ValueError("must have times from 00:00 to 23:59") from None
    return Weekly(frozenset(_days(found["days"])), begin, end, zone)


def _days(text: str) -> Iterable[int]:
    if text == DAILY:
        yield from range(len(DAYS))
        return
    for part in text.split(","):
        first, _, last = part.partition("-")
        begin, end = _day(first), _day(last or first)
        yield from (
            n % len(DAYS) for n in range(begin, begin + (end - begin) % len(DAYS) + 1)
        )


def _day(name: str) -> int:
    if name not in DAYS:
        raise ValueError(f"must have days of {', '.join(DAYS)}, or daily")
    return DAYS.index(name)


def ends_at(windows: Iterable[Weekly], now: datetime) -> datetime | None:
    """Return when the last of the windows that are on is over; None where none is."""
    return max(
        (end for each in windows if (end := each.until(now)) is not None), default=None
    )
