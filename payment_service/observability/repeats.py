"""Tells of what happens again and again a few times, and then how often it did."""

import time
from collections.abc import Hashable
from typing import Final

TOLD_AT_ONCE: Final = 20
WINDOW_SECONDS: Final = 10.0
KINDS_MAX: Final = 1_000


class Repeats:
    """Lets through the first few of a kind in each window, and counts the rest."""

    def __init__(self, *, at_once: int = TOLD_AT_ONCE) -> None:
        self._at_once = at_once
        self._seen: dict[Hashable, tuple[float, int]] = {}

    def admit(self, kind: Hashable) -> int | None:
        """Return how many of the kind were not told of since the last; None: nor this.

        Kinds are not what a sender chooses, or there would be as many.
        """
        now = time.monotonic()
        began, count = self._seen.get(kind, (now, 0))
        untold = 0
        if now - began >= WINDOW_SECONDS:
            untold = max(0, count - self._at_once)
            began, count = now, 0
        if kind not in self._seen and len(self._seen) >= KINDS_MAX:
            self._seen.clear()
        self._seen[kind] = began, count + 1
        return untold if count < self._at_once else None
