"""Plays some of many near-identical cases in ``make test``; ``make every-case`` all.

What is sampled is marked ``sampled``, by which that target finds it.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

WANTED: Final = "PAYMENT_TESTS_EVERY_CASE"
"""Set to anything, no case is left out."""

Case = TypeVar("Case")


def every_case() -> bool:
    """Tell whether none is to be left out."""
    return bool(os.environ.get(WANTED))


def in_turn(cases: Iterable[Case], turn: int) -> Sequence[Case]:
    """Return the one of these whose turn it is, or all of them.

    Turns that follow one another go through them all, again and again.
    """
    known = [*cases]
    return known if every_case() else [known[turn % len(known)]]


def every_nth(cases: Iterable[Case], n: int, *, first: int = 0) -> Sequence[Case]:
    """Return each ``n``-th of these, from the one at ``first`` on; or all of them."""
    known = [*cases]
    return known if every_case() else known[first % n :: n]
