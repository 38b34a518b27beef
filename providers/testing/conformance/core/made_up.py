"""What the kit makes up to ask core for: attempts, memberships and ends of orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fsm.domain.events import stamp
from fsm.domain.ids import new_id
from fsm.domain.money import Money
from handlers.ports.core import BalanceCall, MembershipCall
from providers.core.shapes import OutcomeNotification

NAME: Final = "conformance"
LITTLE: Final = Money(100, "EUR")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSamples:
    """Whose money and membership it is; ``order_id`` is for a core that looks it up."""

    merchant_id: str = NAME
    customer_id: str = NAME
    money: Money = LITTLE
    provider: str = NAME
    terminal_id: str | None = "t-1"
    partner: str = NAME
    card_token: str = "tok_conformance"  # noqa: S105 - a token in place of a card
    order_id: str | None = None

    def attempt(self, of: BalanceCall | None = None) -> BalanceCall:
        """Make up an attempt: of this one's order, or of a new one."""
        queue_id = of.queue_id if of else a_new_id()
        return BalanceCall(
            task_id=a_new_id(),
            queue_id=queue_id,
            order_id=self.order_id or f"{NAME}-{queue_id}",
            merchant_id=self.merchant_id,
            provider=self.provider,
            terminal_id=self.terminal_id,
            money=self.money,
        )

    def membership(self) -> MembershipCall:
        """Make up a membership for now, by a task that nobody has heard of."""
        return MembershipCall(
            task_id=a_new_id(),
            customer_id=self.customer_id,
            partner=self.partner,
            card_token=self.card_token,
            provisional=True,
        )

    def outcome(self, kind: str = "withdrawal.failed") -> OutcomeNotification:
        """Make up the end of an order."""
        call = self.attempt()
        return {
            "event_id": a_new_id(),
            "type": kind,
            "at": stamp(datetime.now(UTC)),
            "order_id": call.order_id,
            "queue_id": call.queue_id,
            "merchant_id": call.merchant_id,
            "customer_id": self.customer_id,
            "amount": self.money.amount,
            "currency": self.money.currency,
            "code": NAME,
        }


def a_new_id() -> str:
    """Make up an id as the service does."""
    return new_id(datetime.now(UTC))


def same(answers: Sequence[object]) -> bool:
    """Tell whether all of them say the same."""
    return all(each == answers[0] for each in answers)
