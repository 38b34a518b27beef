"""What a shell without a key can do: replay, pause, propose, make the first key.

Each operation has an actor, and most a reason, which stand in the trail.
"""

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta

from fsm.domain.acts import NO_REASON
from fsm.domain.errors import UnknownOrder
from fsm.domain.keys import ApiKey
from fsm.domain.orders import Order
from fsm.domain.proposals import Proposal
from fsm.domain.roster import KeyRecord
from handlers import dead_letters as letters
from handlers.cancel import (
    order_of_task,
)
from handlers.commit import TrailPorts
from handlers.people import Admin, Environment, make_key
from handlers.ports.controls import Controls
from handlers.ports.operator_store import OperatorStore
from handlers.ports.people import People
from handlers.ports.reads import CaseRecord, Reads
from handlers.propose import propose


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellOperations:
    """What a shell may do without a key: nobody but the database is asked.

    ``providers`` are the names that can be paused.
    """

    ports: TrailPorts
    operator_store: OperatorStore
    reads: Reads
    controls: Controls
    people: People
    providers: Container[str] = ()

    async def replay(self, item_id: str, *, reason: str | None, actor: str) -> None:
        """Send a dead letter's message again.

        :raises UnknownOrder: no such dead letter.
        :raises NotNow: it has been replayed or discarded.
        """
        await letters.replay(
            item_id,
            actor=actor,
            reason=reason,
            operator_store=self.operator_store,
            clock=self.ports.clock,
        )

    async def discard(self, item_id: str, *, reason: str, actor: str) -> None:
        """Give up a dead letter.

        :raises UnknownOrder: no such dead letter.
        :raises NotNow: somebody has dealt with it before.
        """
        await letters.discard(
            item_id,
            actor=actor,
            reason=reason,
            operator_store=self.operator_store,
            clock=self.ports.clock,
        )

    async def pause(
        self, name: str, *, reason: str, lasting: timedelta | None, actor: str
    ) -> datetime | None:
        """Give a provider no new work for some time; return until when.

        ``lasting`` None: until it is resumed.

        :raises UnknownOrder: no such provider.
        """
        self._check_provider(name)
        until = None if lasting is None else self.ports.clock.now() + lasting
        await self.controls.pause(name, reason=reason, until=until, by=actor)
        return until

    async def resume(self, name: str, *, reason: str | None, actor: str) -> bool:
        """Put a provider back; False where it was not paused.

        :raises UnknownOrder: no such provider.
        """
        self._check_provider(name)
        return await self.controls.resume(name, reason=reason or NO_REASON, by=actor)

    def _check_provider(self, name: str) -> None:
        if name not in self.providers:
            raise UnknownOrder(name, "provider")

    async def make_first_key(
        self, key: ApiKey, *, by: Admin, reason: str, environment: Environment
    ) -> KeyRecord:
        """Make the key of the first admin, whom nobody can be asked about.

        :raises InvalidRequest: it would have expired before it is made.
        :raises NotNow: the name or the key is taken; or there is an admin after all.
        """
        return await make_key(
            key,
            by=by,
            reason=reason,
            environment=environment,
            people=self.people,
            first=True,
        )

    async def order_of_task(self, task_id: str) -> Order:
        """Return the order that a task is of.

        :raises UnknownOrder: no such task.
        """
        return await order_of_task(task_id, ports=self.ports)

    async def propose(
        self, order: Order, proposal: Proposal, case: CaseRecord | None = None
    ) -> bool:
        """Write a proposal into the trail; False where the same stood there before.

        :raises NotNow: there is nothing to decide, or too much is proposed already.
        """
        entries = await self.reads.events(order.queue_id)
        return await propose(
            order,
            proposal,
            trail=[entry.line for entry in entries],
            books=self.ports,
            case=case,
        )
