"""The services of a saga's steps in memory: books of their own, and faults on demand.

The books are the truth: what is done there is done. A do that is repeated finds what
the first has done; after an undo, also of what was never done, it is refused.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

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
    ServicePending,
    ServiceRefused,
    ServiceUndone,
    UndoAnswer,
)
from payment_service.playground.memory.counterparts import ByName, MemoryCounterpart
from payment_service.playground.memory.effects import Effects


class StepFate(Enum):
    """What a service has written down of a step; KEPT is done and cannot be undone."""

    DONE = "done"
    KEPT = "done for good"
    REFUSED = "refused"
    UNDONE = "undone"
    BARRED = "undone before it was done"


STANDS: Final = frozenset({StepFate.DONE, StepFate.KEPT})


class MemoryService(MemoryCounterpart[ServiceCall]):
    """Implements ``handlers.ports.services.StepService``.

    ``refuses`` and ``keeps`` say no to a do, or to an undo of what is done. ``pending``
    counts how many of the next questions find it still at work. ``found`` is what a
    load finds, ``refuses_with`` the code of a no and ``tells`` its words for the
    customer.
    """

    def __init__(
        self,
        name: str,
        *,
        policy: ServicePolicy | None = None,
        effects: Effects | None = None,
    ) -> None:
        super().__init__(name, lands_after="ask", effects=effects)
        self.policy = policy or ServicePolicy()
        self.refuses = False
        self.refuses_with = "refused"
        self.tells: str | None = None
        self.keeps = False
        self.pending = 0
        self.result: Mapping[str, object] = {"by": name}
        self.books: dict[str, StepFate] = {}
        self.found: LoadAnswer = Fetched(content={"by": name})
        self.loads: list[LoadCall] = []
        self.calls: list[tuple[str, ServiceCall]] = []
        self.did: list[str] = []

    async def do(self, call: ServiceCall) -> DoAnswer:
        return await self._called("do", lambda: self._done(call), floats=call)

    async def undo(self, call: ServiceCall) -> UndoAnswer:
        return await self._called("undo", lambda: self._undone(call))

    async def ask(self, call: ServiceCall) -> AskAnswer:
        return await self._called("ask", lambda: self._asked(call))

    async def load(self, call: LoadCall) -> LoadAnswer:
        self.loads.append(call)
        return await self._called("load", lambda: self.found)

    def stands(self, task_id: str) -> bool:
        """Tell whether a step is done by the books, and not undone."""
        return self.books.get(task_id) in STANDS

    def _arrives(self, call: ServiceCall) -> DoAnswer:
        return self._done(call)

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


class MemoryServices(ByName[MemoryService]):
    """Implements ``handlers.ports.services.StepServices``."""
