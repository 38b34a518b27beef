"""What people can do: one façade for the API, the command line and whoever comes next.

Each operation has an actor and a reason, which stand in the trail; where two must agree
it says how the vote counts.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from fsm.domain.acts import NO_REASON
from fsm.domain.four_eyes import FourEyes
from fsm.domain.orders import Order
from fsm.domain.votes import Vote
from handlers.cancel import (
    request_cancel_of_order,
    request_cancel_of_task,
)
from handlers.close import close_case, withdraw_closing
from handlers.commit import Ports
from handlers.erase import erase, erase_customer
from handlers.resolve import Ruling, resolve, withdraw_resolution
from handlers.shell_operations import ShellOperations
from handlers.withdrawal.returns import settle_return, withdraw_settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations(ShellOperations):
    """All that people decide, with the ports that it needs.

    ``four_eyes`` says from which amounts two must agree now.
    """

    ports: Ports
    four_eyes: Callable[[], Awaitable[FourEyes]]

    async def resolve(  # noqa: PLR0913 - what a decision is made of
        self,
        task_id: str,
        *,
        decision: str,
        reason: str,
        evidence: object,
        actor: str,
        person: str | None,
        by_hand: bool,
    ) -> Vote:
        """Record a decision about a manual check, and say how the vote counts.

        :raises UnknownOrder: no such task.
        :raises InvalidRequest: settled by hand, and without evidence.
        :raises NotNow: not in MANUAL_CHECK, another decision, or the same person again.
        """
        return await resolve(
            task_id,
            Ruling(decision),
            reason=reason,
            evidence=evidence,
            actor=actor,
            four_eyes=await self.four_eyes(),
            ports=self.ports,
            by_hand=by_hand,
            person=person,
        )

    async def withdraw_resolution(
        self, item_id: str, *, reason: str, actor: str, person: str | None
    ) -> None:
        """Take one's own first vote on a manual check back.

        :raises UnknownOrder: no such task.
        :raises NotNow: nobody has voted, or somebody else has, or it is decided.
        """
        await withdraw_resolution(
            item_id, reason=reason, actor=actor, person=person, ports=self.ports
        )

    async def cancel_task(self, task_id: str, *, reason: str, actor: str) -> None:
        """Ask for the cancellation of a task.

        :raises UnknownOrder: no such task.
        :raises NotNow: the task is final.
        """
        await request_cancel_of_task(task_id, reason, actor=actor, ports=self.ports)

    async def cancel_order(self, order: Order, *, reason: str, actor: str) -> None:
        """Ask for the cancellation of an order.

        :raises NotNow: the order is final.
        """
        await request_cancel_of_order(order, reason, actor=actor, ports=self.ports)

    async def erase_order(self, order: Order, *, reason: str, actor: str) -> bool:
        """Take what is personal out of a final order; False where that was done before.

        :raises NotNow: it is under way, or a case or a dead letter about it is open.
        """
        return await erase(
            order,
            reason=reason,
            actor=actor,
            ports=self.ports,
            operator_store=self.operator_store,
        )

    async def erase_customer(
        self, customer_id: str, *, reason: str, actor: str
    ) -> tuple[Sequence[str], Mapping[str, str]]:
        """Do so with every order of a customer; those refused are named, with why.

        Return the queue_ids of both.
        """
        erased = await erase_customer(
            customer_id,
            reason=reason,
            actor=actor,
            ports=self.ports,
            operator_store=self.operator_store,
            reads=self.reads,
        )
        return erased.done, erased.refused

    async def close_case(
        self, item_id: str, *, reason: str, actor: str, person: str | None
    ) -> Vote:
        """Close a case, and say how the vote counts.

        :raises UnknownOrder: no such case.
        :raises NotNow: it is over, being settled, or the second person is the first.
        """
        return await close_case(
            item_id,
            reason=reason,
            actor=actor,
            person=person,
            four_eyes=await self.four_eyes(),
            operator_store=self.operator_store,
            ports=self.ports,
        )

    async def withdraw_closing(
        self, item_id: str, *, reason: str, actor: str, person: str | None
    ) -> None:
        """Take one's own vote to close a case back.

        :raises UnknownOrder: no such case.
        :raises NotNow: nobody has voted, or somebody else has, or it is over.
        """
        await withdraw_closing(
            item_id,
            reason=reason,
            actor=actor,
            person=person,
            operator_store=self.operator_store,
            ports=self.ports,
        )

    async def assign_case(
        self, item_id: str, *, owner: str, reason: str | None, actor: str
    ) -> None:
        """Make somebody the owner of a case.

        :raises UnknownOrder: no such case.
        :raises NotNow: it is over.
        """
        why, at = reason or NO_REASON, self.ports.clock.now()
        await self.operator_store.assign_case(
            item_id, owner=owner, actor=actor, reason=why, at=at
        )

    async def settle_return(
        self,
        item_id: str,
        *,
        reason: str,
        evidence: object,
        actor: str,
        person: str | None,
    ) -> Vote:
        """Have core take back a payout that came back, and say how the vote counts.

        :raises UnknownOrder: no such case.
        :raises NotNow: it is no return, over, being settled, or came too late.
        """
        return await settle_return(
            item_id,
            reason=reason,
            evidence=evidence,
            actor=actor,
            four_eyes=await self.four_eyes(),
            operator_store=self.operator_store,
            ports=self.ports,
            person=person,
        )

    async def withdraw_settlement(
        self, item_id: str, *, reason: str, actor: str, person: str | None
    ) -> None:
        """Take one's own vote on a returned payout back.

        :raises UnknownOrder: no such case.
        :raises NotNow: nobody has voted, or somebody else has, or it is decided.
        """
        await withdraw_settlement(
            item_id,
            reason=reason,
            actor=actor,
            person=person,
            operator_store=self.operator_store,
            ports=self.ports,
        )
