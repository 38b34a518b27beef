"""Counterparts in memory: who is called by a saga, and what goes wrong on the way."""

from collections import Counter
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from handlers.ports.services import ServiceNotSent, ServiceUnclear
from payment_service.playground.memory.effects import Effects

Answer = TypeVar("Answer")
Call = TypeVar("Call")
UNHEARD: Final = "the answer was lost"
AWAY: Final = ServiceNotSent(because="connection refused")
LACKING: Final = ServiceNotSent(because="too many open files", lacking=True)


class MemoryCounterpart(Generic[Call]):
    """What services and payment providers in memory share: how a call goes wrong.

    ``away``, ``lacking`` and ``silent`` count, by call, how many of the next ones never
    arrive, are not made for what we lack, or are done and not answered. Of the calls
    that do something ``lost`` ones are given up unanswered and never arrive; ``late``
    ones do once a call that ``lands_after`` names was answered, twice.
    """

    def __init__(self, name: str, *, lands_after: str, effects: Effects | None) -> None:
        self.name = name
        self.away: Counter[str] = Counter()
        self.lacking: Counter[str] = Counter()
        self.silent: Counter[str] = Counter()
        self.late = 0
        self.lost = 0
        self.lands_after = lands_after
        self._effects = effects or Effects()
        self._floating: list[Call] = []

    def lands(self) -> None:
        """Let every call that is still on its way arrive, each of them twice."""
        floating, self._floating = self._floating, []
        for call in (*floating, *floating):
            self._arrives(call)

    def _arrives(self, call: Call) -> object:
        raise NotImplementedError

    async def _called(
        self, what: str, act: Callable[[], Answer], *, floats: Call | None = None
    ) -> Answer | ServiceNotSent | ServiceUnclear:
        """Let a call arrive, or go wrong; one that ``floats`` may arrive later."""
        for counts, answer in ((self.away, AWAY), (self.lacking, LACKING)):
            if counts[what]:
                counts[what] -= 1
                return answer
        if floats is not None and self._is_given_up(floats):
            return ServiceUnclear(because="timed out")
        heard: Answer | ServiceUnclear = await self._effects.do(
            f"{self.name}.{what}", act, _unheard
        )
        if what == self.lands_after:
            self.lands()
        if self.silent[what]:
            self.silent[what] -= 1
            return ServiceUnclear(because=UNHEARD)
        return heard

    def _is_given_up(self, call: Call) -> bool:
        if self.lost:
            self.lost -= 1
            return True
        if self.late:
            self.late -= 1
            self._floating.append(call)
            return True
        return False


def _unheard(done: bool) -> ServiceUnclear:
    return ServiceUnclear(because=f"timed out, done: {done}")


class _Named(Protocol):
    name: str


Party = TypeVar("Party", bound=_Named)


class ByName(Generic[Party]):
    """Counterparts as they are configured: by their names."""

    def __init__(self, *parties: Party) -> None:
        self._by_name = {party.name: party for party in parties}

    def __getitem__(self, name: str) -> Party:
        return self._by_name[name]

    def get(self, name: str) -> Party | None:
        return self._by_name.get(name)

    def names(self) -> list[str]:
        return sorted(self._by_name)

    def every(self) -> list[Party]:
        return list(self._by_name.values())

    def add(self, party: Party) -> None:
        self._by_name[party.name] = party

    def drop(self, name: str) -> None:
        """Take one out of the configuration."""
        del self._by_name[name]
