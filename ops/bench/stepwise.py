"""A worker that reads the order before each call of a checkout, and writes after each.

It is what the service is measured beside: `python -m ops.bench.stepwise run …` is the
service, but before each fetch and each step the order is read anew, as if nothing were
in hand, and what a fetch has brought is stored at once, not with all others.
"""

import sys
from collections.abc import Mapping
from typing import Final, LiteralString

import orjson

from fsm.domain.audit_keys import AuditKeys
from handlers.ports.services import (
    AskAnswer,
    DoAnswer,
    Fetched,
    LoadAnswer,
    LoadCall,
    ServiceCall,
    StepService,
    StepServices,
    UndoAnswer,
)
from payment_service.cli import main
from payment_service.storage.database import Database
from payment_service.storage.store import PostgresStore
from payment_service.wiring import service as wiring
from providers.config import Config
from providers.http.outbound import Outbound
from providers.services import build_services

TABLE: Final[LiteralString] = """
CREATE TABLE bench_fetched (queue_id uuid, name text, content bytea,
    PRIMARY KEY (queue_id, name))
"""
KEEP: Final[LiteralString] = """
INSERT INTO bench_fetched (queue_id, name, content)
VALUES (%(queue_id)s, %(name)s, %(content)s) ON CONFLICT DO NOTHING
"""
STORES: Final[list["StepwiseStore"]] = []
"""The one of this process, once it is made."""


class StepwiseStore(PostgresStore):
    """The store, with what is done too often."""

    def __init__(self, database: Database, *, keys: AuditKeys) -> None:
        super().__init__(database, keys=keys)
        self._rows = database
        STORES.append(self)

    async def read_again(self, order: Mapping[str, object]) -> None:
        """Read the order of a call as if nothing were in hand."""
        await self.load(str(order["queue_id"]))

    async def keep(self, call: LoadCall, content: Mapping[str, object]) -> None:
        """Store what one fetch has brought, in a commit of its own."""
        await self._rows.run(
            KEEP,
            {
                "queue_id": call.queue_id,
                "name": call.name,
                "content": orjson.dumps(content),
            },
        )


class StepwiseService:
    """Implements ``StepService`` around another: reads before each call."""

    def __init__(self, service: StepService) -> None:
        self._service = service
        self.name = service.name
        self.policy = service.policy

    async def do(self, call: ServiceCall) -> DoAnswer:
        """Have the step done; the engine writes after it."""
        await STORES[0].read_again(call.order)
        return await self._service.do(call)

    async def undo(self, call: ServiceCall) -> UndoAnswer:
        """Have the step undone; the engine writes after it."""
        await STORES[0].read_again(call.order)
        return await self._service.undo(call)

    async def ask(self, call: ServiceCall) -> AskAnswer:
        """Ask what became of the step; the engine writes after it."""
        await STORES[0].read_again(call.order)
        return await self._service.ask(call)

    async def load(self, call: LoadCall) -> LoadAnswer:
        """Fetch, and store what was fetched."""
        await STORES[0].read_again(call.order)
        answer = await self._service.load(call)
        if isinstance(answer, Fetched):
            await STORES[0].keep(call, answer.content)
        return answer


class StepwiseServices:
    """Implements ``StepServices`` around others."""

    def __init__(self, services: StepServices) -> None:
        self._services = services

    def get(self, name: str) -> StepService | None:
        """Return the service, which reads before each call."""
        found = self._services.get(name)
        return None if found is None else StepwiseService(found)

    def names(self) -> list[str]:
        """Return all configured names, sorted."""
        return sorted(self._services.names())


def take_over() -> None:
    """Have the service of this process read and write step by step."""

    def built(config: Config, outbound: Outbound) -> StepwiseServices:
        return StepwiseServices(build_services(config, outbound))

    vars(wiring).update(PostgresStore=StepwiseStore, build_services=built)


if __name__ == "__main__":
    take_over()
    sys.exit(main())
