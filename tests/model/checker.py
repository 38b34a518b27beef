"""Goes through every state of a world, breadth first, and tells the shortest story."""

import gc
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

STATES_MAX = 2_000_000
World = Any
"""A world's state, as its model writes it: it is hashed and compared."""


class Move(NamedTuple):
    """Something that can happen; liveness must not count on faults."""

    story: str
    world: World
    fault: bool = False


class Violation(Exception):
    """A promise is broken."""


class Model(Protocol):
    """What a world brings to be searched."""

    def first(self) -> World:
        """Return the state that it begins in."""
        ...

    def moves(self, world: World) -> Iterator[Move]:
        """Yield all that can happen next, or raise where a promise is broken."""
        ...

    def check_state(self, world: World) -> None:
        """Hold every promise that can be read off a single state."""
        ...

    def at_rest(self, world: World) -> bool:
        """True where all is done that was to be done."""
        ...

    def calm(self, world: World) -> World:
        """Return the one of many states with the same future that stands for all."""
        ...


class Setup(Protocol):
    """What there is in a world; ``bugs`` are wrong turns planted in it."""

    @property
    def name(self) -> str:
        """What the world is called."""
        ...

    def model(self, bugs: Any = None) -> Model:
        """Return the world."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a search found; ``story`` is empty where every promise held."""

    name: str
    states: int
    edges: int
    seconds: float
    broken: str | None = None
    story: tuple[str, ...] = ()

    def __str__(self) -> str:
        line = (
            f"{self.name}: {self.states} states, {self.edges} edges, "
            f"{self.seconds:.1f} s"
        )
        if self.broken is None:
            return f"{line}: every promise holds"
        steps = [f"  {n}. {step}" for n, step in enumerate(self.story, start=1)]
        return "\n".join([line, f"BROKEN: {self.broken}", *steps])


class _Search:
    def __init__(self, model: Model) -> None:
        self.model = model
        first = model.calm(model.first())
        self.numbers: dict[World, int] = {first: 0}
        self.worlds = [first]
        self.parents = array("l", [-1])
        self.sources = array("l")
        self.targets = array("l")
        self.edges = 0

    def run(self) -> tuple[str, int] | None:
        """Return what is broken and in which state; None where nothing is."""
        place = 0
        while place < len(self.worlds):
            if place > STATES_MAX:
                raise RuntimeError("the world is too large")
            world = self.worlds[place]
            try:
                self.model.check_state(world)
                for move in self.model.moves(world):
                    self.take(place, self.model.calm(move.world), move.fault)
            except Violation as violation:
                return str(violation), place
            place += 1
        stuck = self.stuck()
        if stuck is not None:
            return "no way to rest from here", stuck
        return None

    def take(self, source: int, world: World, fault: bool) -> None:
        self.edges += 1
        target = self.numbers.get(world)
        if target is None:
            target = self.numbers[world] = len(self.worlds)
            self.worlds.append(world)
            self.parents.append(source)
        if not fault:
            self.sources.append(source)
            self.targets.append(target)

    def stuck(self) -> int | None:
        """Return a nearest state from which rest is out of reach without faults."""
        into: list[list[int]] = [[] for _ in self.worlds]
        for source, target in zip(self.sources, self.targets, strict=True):
            into[target].append(source)
        alive = [n for n, world in enumerate(self.worlds) if self.model.at_rest(world)]
        seen = bytearray(len(self.worlds))
        for n in alive:
            seen[n] = 1
        while alive:
            for source in into[alive.pop()]:
                if not seen[source]:
                    seen[source] = 1
                    alive.append(source)
        found = seen.find(0)
        return None if found < 0 else found

    def story(self, place: int) -> tuple[str, ...]:
        """Walk the shortest way again, so that each worker keeps its name."""
        way = [place]
        while self.parents[way[-1]] >= 0:
            way.append(self.parents[way[-1]])
        world, steps = self.model.first(), []
        for number in reversed(way[:-1]):
            goal = self.worlds[number]
            step = next(
                m for m in self.model.moves(world) if self.model.calm(m.world) == goal
            )
            steps.append(step.story)
            world = step.world
        return tuple(steps)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Leave the garbage collector out: there are no cycles in a million tuples."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def check(setup: Setup, bugs: Any = None) -> Verdict:
    """Search the whole world of ``setup``; stop at the first broken promise."""
    began = time.perf_counter()
    search = _Search(setup.model(bugs))
    with _no_collection():
        found = search.run()
    return Verdict(
        name=setup.name,
        states=len(search.worlds),
        edges=search.edges,
        seconds=time.perf_counter() - began,
        broken=found[0] if found else None,
        story=search.story(found[1]) if found else (),
    )
