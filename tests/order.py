"""In which order the workers of pytest-xdist run tests, so that no slow one is last.

Each worker begins with an equal share of the list, in its order, and who has done his
takes from the end of another's. What mostly waits, for processes of its own, stands
first in the shares of one half of the workers, and what computes for long first in
those of the others: the cores are never all waiting, few fleets run at a time, and
what is left at the end is short. What shares something that takes long to work out is
run by one worker, in turn.
"""

from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import pytest

CONTAINERS: Final = "containers"
WAITS: Final = ("waits", CONTAINERS)
"""Of these markers few run at a time."""
SLOW: Final = "slow"
TOGETHER: Final = "together"
"""With a name: these share what one worker works out for all of them."""
BUSY: Final = (SLOW, TOGETHER)


def dealt(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """Return the tests with the slow ones at the front of each worker's share."""
    waiting = [item for item in items if _is(item, *WAITS)]
    busy = [item for item in items if _is(item, *BUSY) and not _is(item, *WAITS)]
    first: list[list[pytest.Item]] = [[] for _ in range(workers)]
    half = (workers + 1) // 2
    for group, place in zip(_groups(waiting), cycle(range(half)), strict=False):
        first[place] += group
    groups = _together(busy)
    for group, place in zip(
        groups, cycle(range(half % workers, workers)), strict=False
    ):
        first[place] += group
    rest = iter([item for item in items if not _is(item, *BUSY, *WAITS)])
    order: list[pytest.Item] = []
    for place, own in enumerate(first):
        share = (len(items) - len(order)) // (workers - place)
        order += own
        order += islice(rest, max(0, share - len(own)))
    return [*order, *rest]


def _is(item: pytest.Item, *marks: str) -> bool:
    return any(item.get_closest_marker(mark) for mark in marks)


def _together(items: Sequence[pytest.Item]) -> list[list[pytest.Item]]:
    """Return what one worker runs in turn: those of one name, or one alone."""
    groups: dict[object, list[pytest.Item]] = {}
    for item in items:
        mark = item.get_closest_marker(TOGETHER)
        groups.setdefault(mark.args[0] if mark else item, []).append(item)
    return [*groups.values()]


def _groups(items: Sequence[pytest.Item]) -> list[list[pytest.Item]]:
    """Return what one worker runs in turn: a file, or all that share images."""
    groups: dict[Path, list[pytest.Item]] = {}
    for item in items:
        place = item.path.parent if _is(item, CONTAINERS) else item.path
        groups.setdefault(place, []).append(item)
    return [*groups.values()]
