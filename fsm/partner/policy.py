"""The policy of a partner: whose cards it takes, and how long it may take to say so."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from fsm.engine.backoff import Backoff

_RETRY: Final = Backoff(
    first=timedelta(milliseconds=500), factor=2.0, longest=timedelta(seconds=30)
)
_FALLBACK: Final = Backoff(
    first=timedelta(hours=6), factor=2.0, longest=timedelta(hours=24)
)


class OnMultiMatch(StrEnum):
    """What becomes of a card that has several matches at its partner.

    Either it is a member from now on, until that is confirmed or revoked; or it is
    held until the partner knows.
    """

    PROVISIONAL = "provisional"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPolicy:
    """How a partner may be treated (contract, section 5, ``[partners.NAME]``).

    ``countries`` are ISO codes and ``bins`` prefixes of digits, or ranges of them as
    ``"451400-451499"``; where there are none, all are covered. An unanswered check is
    repeated by ``retry``, and after ``attempts`` of it as seldom as ``fallback`` has
    it. ``deadline`` ends both: counted from the first check, and anew from the first
    answer that a card has several matches.
    """

    countries: tuple[str, ...] = ()
    bins: tuple[str, ...] = ()
    multi_match: OnMultiMatch = OnMultiMatch.HOLD
    retry: Backoff = _RETRY
    attempts: int = 10
    fallback: Backoff = _FALLBACK
    deadline: timedelta = timedelta(days=5)

    @property
    def is_provisional(self) -> bool:
        """Tell whether a card of several matches is a member until it is known."""
        return self.multi_match is OnMultiMatch.PROVISIONAL

    def covers_country(self, country: str) -> bool:
        """Tell whether cards of a country can be linked."""
        return not self.countries or country in self.countries

    def covers_bin(self, number: str) -> bool:
        """Tell whether cards that begin with these digits can be linked."""
        return not self.bins or any(_is_within(number, each) for each in self.bins)

    def pause(self, tries: int) -> tuple[Backoff, int]:
        """Return by which waits, and the how-manieth of them, it is tried again."""
        if tries < self.attempts:
            return self.retry, tries
        return self.fallback, tries - self.attempts


def _is_within(number: str, each: str) -> bool:
    low, _, high = each.partition("-")
    return len(number) >= len(low) and low <= number[: len(low)] <= (high or low)
