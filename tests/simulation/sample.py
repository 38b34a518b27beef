"""The seeds that ``make test`` plays: together they show all that must happen.

``python -m tests.simulation --choose 5000`` writes them anew, from so many: where what
is played has changed much, ``make test`` looks for what these miss in others.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from tests.simulation.campaign import Tally
from tests.simulation.expected import expected

PLACE: Final = Path(__file__).with_name("sample.json")
SEEDS: Final = tuple(json.loads(PLACE.read_text()))
TIMES: Final = 2
"""In how many of them a thing happens, where there are as many."""


def choose(shown: Mapping[int, Collection[str]]) -> list[int]:
    """Return few of these seeds; in them happens all that happens in any."""
    times = Counter(name for names in shown.values() for name in names)
    wanted = Counter({name: min(many, TIMES) for name, many in times.items()})
    left, found = dict(shown), list[int]()
    while wanted := +wanted:
        # Of several as good the first: the same choice every time.
        best = max(sorted(left), key=lambda seed: len({*wanted} & {*left[seed]}))
        wanted.subtract({*wanted} & {*left.pop(best)})
        found.append(best)
    return sorted(found)


def happened(total: Tally) -> set[str]:
    """Return what happened of all that must."""
    seen = total.seen + total.faults
    return {name for name in expected() if seen[name]}
