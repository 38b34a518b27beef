"""Slow tests stand first in the share of each worker, and none is lost or doubled."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.order import dealt


@dataclass(frozen=True)
class Item:
    path: Path
    n: int
    marks: frozenset[str] = frozenset()

    def get_closest_marker(self, name):
        return SimpleNamespace(args=("all",)) if name in self.marks else None


def of(file, count, *marks):
    return [Item(Path(file), n, frozenset(marks)) for n in range(count)]


ITEMS = [
    *of("api", 40),
    *of("containers/compose", 1, "containers"),
    *of("containers/image", 2, "containers"),
    *of("model", 5, "slow"),
    *of("pictures/all", 5, "together"),
    *of("pictures/some", 4, "together"),
    *of("processes/deaf", 2, "waits"),
    *of("processes/loss", 2, "slow", "waits"),
    *of("wire", 32),
]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7, 100])
def test_each_is_run_once_and_in_the_same_order_every_time(workers):
    order = dealt(ITEMS, workers)

    assert Counter(order) == Counter(ITEMS)
    assert order == dealt(ITEMS, workers)


def shares(workers):
    """Return what pytest-xdist gives to each, which is where stealing begins."""
    order, found = dealt(ITEMS, workers), []
    for left in range(workers, 0, -1):
        found.append(order[: len(order) // left])
        order = order[len(order) // left :]
    return found


def kinds(share):
    """Return what each test of a share is, without those that follow their like."""
    found = [next(iter(sorted(item.marks)), "") for item in share]
    return [kind for n, kind in enumerate(found) if n == 0 or found[n - 1] != kind]


def test_one_half_of_the_workers_begins_with_waiting_the_other_with_work():
    assert len(ITEMS) % 4
    assert [kinds(share) for share in shares(4)] == [
        ["containers", "slow", ""],
        ["waits", ""],
        ["slow", ""],
        ["slow", "together", ""],
    ]


def test_images_are_built_by_one_worker():
    first, *others = shares(4)

    assert [item.path.name for item in first[:3]] == ["compose", "image", "image"]
    assert not any("containers" in item.marks for share in others for item in share)


def test_what_is_worked_out_once_is_run_by_one_worker():
    found = [
        (n, place)
        for n, share in enumerate(shares(4))
        for place, item in enumerate(share)
        if "together" in item.marks
    ]

    assert len(found) == 9
    assert {n for n, _ in found} == {found[0][0]}
    assert [place - found[0][1] for _, place in found] == [*range(9)]
