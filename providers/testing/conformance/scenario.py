"""A scenario: a name, one sentence that says what it proves, and how it is played."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from providers.testing.conformance.harness import Stage

PATIENT: Final = timedelta(seconds=5)
IMPATIENT: Final = timedelta(milliseconds=300)
"""The time limit of a call where the counterpart is to exceed it."""

Play = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One promise of an adapter, and how it is tried."""

    name: str
    proves: str
    play: Play
    timeout: timedelta = PATIENT

    def __str__(self) -> str:
        """Return the name, as pytest shows it."""
        return self.name


class Scenes:
    """The scenarios of one module, in their order."""

    def __init__(self) -> None:
        self.all: list[Scenario] = []

    def scene(
        self, name: str, proves: str, *, timeout: timedelta = PATIENT
    ) -> Callable[[Play], Play]:
        """Make a scenario of a function."""

        def keep(play: Play) -> Play:
            made = Scenario(name=name, proves=proves, play=play, timeout=timeout)
            self.all.append(made)
            return play

        return keep
