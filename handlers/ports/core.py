"""The core service: it owns balances and memberships, and only it moves them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from fsm.domain.money import Money
from fsm.engine.records import quickly_made


class Operation(StrEnum):
    """The calls that move a balance; a return undoes a commit that came back."""

    FREEZE = "freeze"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    RETURN = "return"


class MembershipVerb(StrEnum):
    """The calls that move a membership; a grant may be for now, and is confirmed."""

    GRANT = "grant"
    CONFIRM = "confirm"
    REVOKE = "revoke"


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceCall:
    """Whose money, how much, for which attempt; the key is (task_id, operation)."""

    task_id: str
    queue_id: str
    order_id: str
    merchant_id: str
    provider: str
    terminal_id: str | None
    money: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipCall:
    """Whose card is to be a member at which partner; the key is (task_id, verb).

    ``provisional`` says of a grant that it is for now, until it is confirmed or
    revoked; of every other call it is False.
    """

    task_id: str
    customer_id: str
    partner: str
    card_token: str = field(repr=False)
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Core has done it, now or before."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Core will never do it."""

    code: str
    message: str


class Core(Protocol):
    """Core's external API (contract, section 4)."""

    async def balance(
        self, operation: Operation, call: BalanceCall
    ) -> Confirmed | Refused:
        """Move the balance.

        :raises CoreUnavailable: no definite answer; repeat the same call.
        """
        ...

    async def membership(
        self, verb: MembershipVerb, call: MembershipCall
    ) -> Confirmed | Refused:
        """Grant, confirm or revoke a membership.

        A revoke is done also where nothing was granted, after which the same task's
        grant is refused. One by a task that has granted nothing removes what there is.

        :raises CoreUnavailable: no definite answer; repeat the same call.
        """
        ...

    async def notify(self, event: Mapping[str, object]) -> None:
        """Tell core an order's outcome, keyed by ``event["event_id"]``.

        :raises CoreUnavailable: no 2xx; repeat the same call.
        """
        ...
