"""Finds card numbers in texts, whatever separates the digits and whoever writes them.

A card number is 12 to 19 digits that an issuer could have given out and whose check
digit holds: of any script, and with anything but letters between them. Ids, times and
addresses of the forms that we and the standards write are none, whatever their digits.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from typing import Final

DIGITS_MIN: Final = 12
DIGITS_MAX: Final = 19
Span = tuple[int, int]

_RUN: Final = re.compile(rf"[0-9](?:[^0-9A-Za-z]{{0,5}}[0-9]){{{DIGITS_MIN - 1},}}")
_NUMBER: Final = re.compile(rf"[0-9](?:[^0-9A-Za-z]?[0-9]){{{DIGITS_MIN - 1},}}")
_GROUP: Final = re.compile(r"[0-9]+")
# Clocks count in 10, 13, 16 and 19 digits that begin with 1; issuers use 15 there.
_ISSUED: Final = re.compile(
    r"[3-6][0-9]{11,18}|2[2-7][0-9]{14,17}|8[12][0-9]{14,17}|9792[0-9]{12}|1[0-9]{14}"
)
_NO_CARD: Final = re.compile(
    r"""(?<![0-9A-Za-z])(?:
        [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}        # a UUID
      | [0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}                # traceparent
      | (?=[0-9]*[a-f])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})   # trace ids, hashes
      | (?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]
        (?:[ Tt][0-2][0-9]:[0-5][0-9](?::[0-6][0-9](?:[.,][0-9]{1,9})?)?)?     # a time
      | (?<![0-9][^0-9A-Za-z])(?<![0-9][^0-9A-Za-z]{2})(?<![0-9][^0-9A-Za-z]{3})
        (?:[12]?[0-9]{1,2}\.){3}[12]?[0-9]{1,2}(?::[0-9]{1,5})?
        (?![^0-9A-Za-z]{1,3}[0-9])                     # an address, not amid digits
    )(?![0-9A-Za-z])""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def cards_in(text: str) -> list[Span]:
    """Return where card numbers stand, from first digit to last; in order."""
    if len(text) < DIGITS_MIN:
        return []
    plain = _plainly(text)
    if _RUN.search(plain) is None:
        return []
    runs = _RUN.finditer(_without_others(plain))
    return [span for run in runs for span in _within(run)]


def holds_card(text: str) -> bool:
    """True where a card number stands anywhere in the text."""
    return bool(cards_in(text))


def numbers_in(text: str) -> list[Span]:
    """Return where numbers stand that are long enough for any card or account."""
    if len(text) < DIGITS_MIN:
        return []
    plain = _plainly(text)
    if _NUMBER.search(plain) is None:
        return []
    return [run.span() for run in _NUMBER.finditer(_without_others(plain))]


def _within(run: re.Match[str]) -> Iterator[Span]:
    """Give the parts of a run of digits that are card numbers, joined where they meet.

    Groups are never cut: what is written in one piece is one number.
    """
    groups = [found.span() for found in _GROUP.finditer(run[0])]
    digits = "".join(_GROUP.findall(run[0]))
    at = [0, *accumulate(end - start for start, end in groups)]
    holds = _CheckDigits(digits)
    first, last = 0, -1  # the groups of the card under way
    for i in range(len(groups)):
        if last >= 0 and i > last:
            yield run.start() + groups[first][0], run.start() + groups[last][1]
            last = -1
        for j in range(i, len(groups)):
            length = at[j + 1] - at[i]
            if length > DIGITS_MAX:
                break
            if length < DIGITS_MIN or not holds(at[i], at[j + 1]):
                continue
            if _ISSUED.fullmatch(digits, at[i], at[j + 1]):
                first, last = (i, j) if last < 0 else (first, max(last, j))
    if last >= 0:
        yield run.start() + groups[first][0], run.start() + groups[last][1]


class _CheckDigits:
    """Whether the check digit of a part of many digits holds, without a loop each."""

    def __init__(self, digits: str) -> None:
        values = [int(digit) for digit in digits]
        self._sums = [
            [0, *accumulate(v if n % 2 == odd else _DOUBLED[v] for n, v in pairs)]
            for odd in (0, 1)
            for pairs in (enumerate(values),)
        ]

    def __call__(self, start: int, end: int) -> bool:
        sums = self._sums[(end - 1) % 2]  # the last digit counts as it is
        return (sums[end] - sums[start]) % 10 == 0


def _without_others(plain: str) -> str:
    return _NO_CARD.sub(lambda found: "x" * len(found[0]), plain)


def _plainly(text: str) -> str:
    """Return as many signs, in ASCII."""
    return text if text.isascii() else "".join(map(_plain, text))


@lru_cache(maxsize=4096)
def _plain(sign: str) -> str:
    """Return an ASCII digit for a digit of any script, a letter for letters."""
    value = unicodedata.numeric(sign, -1)
    if value in range(10):
        return str(int(value))
    return "x" if sign.isalpha() else " " if sign > "\x7f" else sign
