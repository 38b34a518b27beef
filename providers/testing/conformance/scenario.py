"""A scenario: a name, one sentence that says what it proves, and how it is played."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Generic, TypeAlias, TypeVar

from providers.testing.conformance.harness import Stage

PATIENT: Final = timedelta(seconds=5)
IMPATIENT: Final = timedelta(milliseconds=300)
"""The time limit of a call where the counterpart is to exceed it."""

StageT = TypeVar("StageT")


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedScenario(Generic[StageT]):
    """One promise of an adapter, and how it is tried on a stage of its kit."""

    name: str
    proves: str
    play: Callable[[StageT], Awaitable[None]]
    timeout: timedelta = PATIENT

    def __str__(self) -> str:
        """Return the name, as pytest shows it."""
        return self.name


Scenario: TypeAlias = StagedScenario[Stage]


class Scenes(Generic[StageT]):
    """The scenarios of one module, in their order."""

    def __init__(self) -> None:
        self.all: list[StagedScenario[StageT]] = []

    def scene(
        self, name: str, proves: str, *, timeout: timedelta = PATIENT
    ) -> Callable[
        [Callable[[StageT], Awaitable[None]]], Callable[[StageT], Awaitable[None]]
    ]:
        """Make a scenario of a function."""

        def keep(
            play: Callable[[StageT], Awaitable[None]],
        ) -> Callable[[StageT], Awaitable[None]]:
            made = StagedScenario(name=name, proves=proves, play=play, timeout=timeout)
            self.all.append(made)
            return play

        return keep
