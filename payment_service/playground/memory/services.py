"""The services of a saga's steps in memory: books of their own, and faults on demand.

The books are the truth: what is done there is done. A do that is repeated finds what
the first has done; after an undo, also of what was never done, it is refused.
"""

from collections import Counter
from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeVar

from fsm.service.policy import ServicePolicy
from handlers.ports.services import (
    AskAnswer,
    DoAnswer,
    Fetched,
    LoadAnswer,
    LoadCall,
    ServiceCall,
    ServiceDone,
    ServiceNotKnown,
    ServiceNotSent,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
    ServiceUndone,
    UndoAnswer,
)
from payment_service.playground.memory.effects import Effects

Answer = TypeVar("Answer")
UNHEARD: Final = "the answer was lost"
AWAY: Final = ServiceNotSent(because="connection refused")
LACKING: Final = ServiceNotSent(because="too many open files", lacking=True)


class StepFate(Enum):
    """What a service has written down of a step; KEPT is done and cannot be undone."""

    DONE = "done"
    KEPT = "done for good"
    REFUSED = "refused"
    UNDONE = "undone"
    BARRED = "undone before it was done"


STANDS: Final = frozenset({StepFate.DONE, StepFate.KEPT})


class MemoryService:
    """Implements ``handlers.ports.services.StepService``.

    ``refuses`` and ``keeps`` say no to a do, or to an undo of what is done. ``away``,
    ``lacking``, ``silent`` and ``pending`` count, by call, how many of the next ones
    never arrive, are not made for what we lack, are done and not answered, or find it
    still at work. ``late`` dos are given up unanswered, and arrive once a call that
    ``lands_after`` names was answered, twice. ``found`` is what a load finds,
    ``refuses_with`` the code of a no and ``tells`` its words for the customer.
    """

    def __init__(
        self,
        name: str,
        *,
        policy: ServicePolicy | None = None,
        effects: Effects | None = None,
    ) -> None:
        self.name = name
        self.policy = policy or ServicePolicy()
        self.refuses = False
        self.refuses_with = "refused"
        self.tells: str | None = None
        self.keeps = False
        self.away: Counter[str] = Counter()
        self.lacking: Counter[str] = Counter()
        self.silent: Counter[str] = Counter()
        self.pending = 0
        self.late = 0
        self.lands_after = "ask"
        self.result: Mapping[str, object] = {"by": name}
        self.books: dict[str, StepFate] = {}
        self.found: LoadAnswer = Fetched(content={"by": name})
        self.loads: list[LoadCall] = []
        self.calls: list[tuple[str, ServiceCall]] = []
        self.did: list[str] = []
        self._effects = effects or Effects()
        self._floating: list[ServiceCall] = []

    async def do(self, call: ServiceCall) -> DoAnswer:
        kept_away = self._kept_away("do")
        if kept_away is not None:
            return kept_away
        if self.late:
            self.late -= 1
            self._floating.append(call)
            return ServiceUnclear(because="timed out")
        answer = await self._effects.do(
            f"{self.name}.do", lambda: self._done(call), _unheard
        )
        return self._heard("do", answer)

    async def undo(self, call: ServiceCall) -> UndoAnswer:
        kept_away = self._kept_away("undo")
        if kept_away is not None:
            return kept_away
        answer = await self._effects.do(
            f"{self.name}.undo", lambda: self._undone(call), _unheard
        )
        return self._heard("undo", answer)

    async def ask(self, call: ServiceCall) -> AskAnswer:
        kept_away = self._kept_away("ask")
        if kept_away is not None:
            return kept_away
        answer = await self._effects.do(
            f"{self.name}.ask", lambda: self._asked(call), _unheard
        )
        return self._heard("ask", answer)

    async def load(self, call: LoadCall) -> LoadAnswer:
        self.loads.append(call)
        kept_away = self._kept_away("load")
        if kept_away is not None:
            return kept_away
        answer = await self._effects.do(
            f"{self.name}.load", lambda: self.found, _unheard
        )
        return self._heard("load", answer)

    def lands(self) -> None:
        """Let every do that is still on its way arrive, each of them twice."""
        floating, self._floating = self._floating, []
        for call in (*floating, *floating):
            self._done(call)

    def stands(self, task_id: str) -> bool:
        """Tell whether a step is done by the books, and not undone."""
        return self.books.get(task_id) in STANDS

    def _kept_away(self, what: str) -> ServiceNotSent | None:
        for counts, answer in ((self.away, AWAY), (self.lacking, LACKING)):
            if counts[what]:
                counts[what] -= 1
                return answer
        return None

    def _heard(self, what: str, answer: Answer) -> Answer | ServiceUnclear:
        if what == self.lands_after:
            self.lands()
        if self.silent[what]:
            self.silent[what] -= 1
            return ServiceUnclear(because=UNHEARD)
        return answer

    def _done(self, call: ServiceCall) -> DoAnswer:
        self.calls.append(("do", call))
        if call.task_id not in self.books:
            fate = StepFate.REFUSED if self.refuses else StepFate.DONE
            self.books[call.task_id] = fate
            if fate is StepFate.DONE:
                self.did.append(f"do {self.name}")
        return self._said(call)

    def _undone(self, call: ServiceCall) -> UndoAnswer:
        self.calls.append(("undo", call))
        fate = self.books.get(call.task_id)
        if fate is StepFate.DONE and self.keeps:
            fate = self.books[call.task_id] = StepFate.KEPT
        if fate is StepFate.KEPT:
            return ServiceRefused(code="too_late", message="it was handed over")
        if fate is StepFate.DONE:
            self.did.append(f"undo {self.name}")
            self.books[call.task_id] = StepFate.UNDONE
        elif fate is not StepFate.UNDONE:
            self.books[call.task_id] = StepFate.BARRED
        return ServiceUndone()

    def _asked(self, call: ServiceCall) -> AskAnswer:
        self.calls.append(("ask", call))
        if self.pending:
            self.pending -= 1
            return ServicePending()
        if call.task_id not in self.books:
            return ServiceNotKnown()
        return self._said(call)

    def _said(self, call: ServiceCall) -> ServiceDone | ServiceRefused:
        fate = self.books[call.task_id]
        if fate in STANDS:
            return ServiceDone(result=self.result)
        if fate is not StepFate.REFUSED:
            return ServiceRefused(code="undone", message=f"{self.name} says no")
        return ServiceRefused(
            code=self.refuses_with,
            message=f"{self.name} says no",
            customer_message=self.tells,
        )


def _unheard(done: bool) -> ServiceUnclear:
    return ServiceUnclear(because=f"timed out, done: {done}")


class MemoryServices:
    """Implements ``handlers.ports.services.StepServices``."""

    def __init__(self, *services: MemoryService) -> None:
        self._by_name = {service.name: service for service in services}

    def __getitem__(self, name: str) -> MemoryService:
        return self._by_name[name]

    def get(self, name: str) -> MemoryService | None:
        return self._by_name.get(name)

    def names(self) -> list[str]:
        return sorted(self._by_name)

    def every(self) -> list[MemoryService]:
        return list(self._by_name.values())

    def add(self, service: MemoryService) -> None:
        self._by_name[service.name] = service

    def drop(self, name: str) -> None:
        """Take a service out of the configuration."""
        del self._by_name[name]
