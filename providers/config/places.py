"""Names a place inside somebody's JSON: a dotted path, or a JSON pointer (RFC 6901)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fsm.domain.errors import InvalidRequest
from fsm.domain.odd import Odd

DEPTH_MAX: Final = 16

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,5}", re.ASCII)
# What other languages of paths mean something by, and this one would take for a name.
_FOREIGN: Final = re.compile(r"[\[\]*$@?()'\"|\s\x00-\x1f/~]|^-\d|^$")
_NO_INDEX: Final = re.compile(r"0[0-9]+|[1-9][0-9]{6,}", re.ASCII)
_BAD_ESCAPE: Final = re.compile(r"~(?![01])")


@dataclass(frozen=True, slots=True)
class Place:
    """The steps from the whole value down to one inside it."""

    steps: tuple[str, ...]

    def look(self, value: object) -> object | None:
        """Return what is there; None where nothing is, or a null."""
        for step in self.steps:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and _INDEX.fullmatch(step):
                value = value[int(step)] if int(step) < len(value) else None
            elif isinstance(value, Odd):
                # What stands in something that is not clear is not clear itself.
                return value
            else:
                return None
        return value

    def is_null(self, value: object) -> bool:
        """True where a null stands there, which is something else than nothing."""
        holder = Place(self.steps[:-1]).look(value)
        name = self.steps[-1]
        return isinstance(holder, dict) and name in holder and holder[name] is None

    def __str__(self) -> str:
        """Return it as a JSON pointer."""
        steps = (s.replace("~", "~0").replace("/", "~1") for s in self.steps)
        return "".join(f"/{step}" for step in steps)


def first_of(places: Iterable[Place], value: object) -> object | None:
    """Return what is at the first of these places where something is."""
    found = (place.look(value) for place in places)
    return next((each for each in found if each is not None), None)


def require_clear(places: Iterable[Place | None], value: object) -> None:
    """Require that nothing odd stands where something is to be read.

    :raises InvalidRequest: names the first place, and nothing of what stands there.
    """
    for place in places:
        odd = None if place is None else place.look(value)
        if isinstance(odd, Odd):
            raise InvalidRequest(f"{place} {odd.problem}")


WHOLE: Final = Place(())
"""The whole value: what the empty JSON pointer names."""


def parse_place(text: str) -> Place:
    """Read ``data.items.0.id`` or ``/data/items/0/id``.

    :raises ValueError: it is neither.
    """
    pointer = text.startswith("/")
    steps = text[1:].split("/") if pointer else text.split(".")
    if len(steps) > DEPTH_MAX or not all(steps):
        raise ValueError("must be a path like data.status, or a JSON pointer")
    if any(_NO_INDEX.fullmatch(step) or (pointer and step == "-") for step in steps):
        raise ValueError("must count in a list from 0, by digits without zeros before")
    if not pointer:
        if any(_FOREIGN.search(step) for step in steps):
            how = "data.items.0.id, or a JSON pointer where a name has one"
            raise ValueError(f"must have no [ ] * $ @ ? / ~ or space: {how}")
        return Place(tuple(steps))
    if _BAD_ESCAPE.search(text):
        raise ValueError("must have no ~ but in ~0 and ~1")
    return Place(tuple(s.replace("~1", "/").replace("~0", "~") for s in steps))
