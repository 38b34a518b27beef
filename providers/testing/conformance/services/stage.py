"""What a scenario of a service plays on: the real adapter, and made-up steps."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar

from fsm.domain.ids import new_id
from fsm.domain.masking import masked_prose
from fsm.domain.reading import shortened
from handlers.ports.services import (
    AskAnswer,
    DoAnswer,
    LoadCall,
    ServiceCall,
    ServiceNotSent,
    ServiceUnclear,
    UndoAnswer,
)
from providers.config import ServiceTable
from providers.config.services import CAN_BE_UNDONE
from providers.http.outbound import ConnectionLimit
from providers.services import HttpService
from providers.testing.conformance.harness import NotHere

TRIES: Final = 20
PAUSE_SECONDS: Final = 0.25
ORDER: Final[Mapping[str, object]] = {
    "merchant_id": "m-conformance",
    "customer_id": "c-conformance",
    "amount": 1250,
    "currency": "EUR",
    "payment_method": {"type": "card", "token": "tok_conformance"},
    "items": [{"sku": "sku-1", "quantity": 1, "unit_amount": 1250}],
    "delivery": {"country": "LV", "postcode": "LV-1010"},
    "fees": [],
    "metadata": {},
    "loaded": {},
    "results": {},
}

Answer = TypeVar("Answer")
UNDECIDED: Final = (ServiceNotSent, ServiceUnclear)


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Orders of one's own: one that is taken, one that is refused, one that takes long.

    Each is laid over the order that the kit makes up; None: there is none to try.
    """

    taken: Mapping[str, object] = field(default_factory=dict)
    refused: Mapping[str, object] | None = None
    pending: Mapping[str, object] | None = None


@dataclass(slots=True, kw_only=True)
class ServiceStage:
    """One scenario's service and findings; each step that it makes up is a new one."""

    table: ServiceTable
    service: HttpService
    hasty: HttpService
    lane: ConnectionLimit
    samples: Samples
    cases: int = 0
    wrong: list[str] = field(default_factory=list)

    def needs(self, *, undo: bool = False, asks: bool = False) -> None:
        """Leave a scenario that has no meaning for this service.

        :raises NotHere: says why.
        """
        name = self.table.name
        if not self.table.is_step:
            raise NotHere(f"{name} does no step")
        if undo and name not in CAN_BE_UNDONE:
            raise NotHere(f"{name} has no undo")
        if asks and not self.table.asks:
            raise NotHere("its table says asks = false")

    @property
    def can_be_undone(self) -> bool:
        """True for a step that has an undo."""
        return self.table.name in CAN_BE_UNDONE

    def sample(self, name: str) -> Mapping[str, object]:
        """Return an order that was given for this.

        :raises NotHere: none was.
        """
        found: Mapping[str, object] | None = getattr(self.samples, name)
        if found is None:
            raise NotHere(f"no order to try it with: see --orders, {name}")
        return found

    def step(self, order: Mapping[str, object] | None = None) -> ServiceCall:
        """Make up a step of an order, which nobody has asked for before."""
        own = self.samples.taken if order is None else order
        ids = {name: self._new() for name in ("order_id", "queue_id", "task_id")}
        task_id = ids["task_id"]
        made = {**ORDER, **own, **ids}
        return ServiceCall(step=self.table.name, task_id=task_id, order=made)

    def fetch(self) -> LoadCall:
        """Make up a fetch of what an order needs."""
        queue_id = self._new()
        order = {**ORDER, **self.samples.taken, "queue_id": queue_id}
        return LoadCall(name=self.table.name, queue_id=queue_id, order=order)

    def must(self, holds: object, otherwise: str) -> None:
        """Note what is wrong where something does not hold."""
        self.cases += 1
        if not holds:
            self.wrong.append(shortened(masked_prose(otherwise)))

    def be(self, answer: object, kinds: type | tuple[type, ...], case: str) -> None:
        """Note an answer that is of no such kind."""
        known = kinds if isinstance(kinds, tuple) else (kinds,)
        wanted = " or ".join(kind.__name__.removeprefix("Service") for kind in known)
        told = repr(answer).removeprefix("Service")
        self.must(isinstance(answer, known), f"{case}: {told}, must be {wanted}")

    async def do(self, call: ServiceCall) -> DoAnswer:
        """Have it done; what is undecided is asked for again, under the same key."""
        return await self._decided(lambda: self.service.do(call))

    async def undo(self, call: ServiceCall) -> UndoAnswer:
        """Have it undone; as :meth:`do`."""
        return await self._decided(lambda: self.service.undo(call))

    async def ask(self, call: ServiceCall) -> AskAnswer:
        """Ask what became of it; as :meth:`do`."""
        return await self._decided(lambda: self.service.ask(call))

    async def _decided(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        for _ in range(TRIES):
            answer = await call()
            if not isinstance(answer, UNDECIDED):
                break
            await asyncio.sleep(PAUSE_SECONDS)
        return answer

    def _new(self) -> str:
        return new_id(datetime.now(UTC))


def same(answers: Iterable[object]) -> bool:
    """Tell whether all of them say the same."""
    found = list(answers)
    return all(each == found[0] for each in found)
