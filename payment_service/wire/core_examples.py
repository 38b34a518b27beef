"""Examples of what core is asked and answers, as `spec core` shows them."""

from typing import Final

from fsm.domain.money import Money
from handlers.ports.core import BalanceCall, MembershipCall, Operation
from providers.core.shapes import BalanceEntries, OutcomeNotification

CALL: Final = BalanceCall(
    task_id="0195f1de-7c1e-7000-8a56-0f1e2d3c4b5a",
    queue_id="0195f1de-7c1e-7000-8a56-0f1e2d3c4b59",
    order_id="w-1001",
    merchant_id="m-1",
    provider="acme",
    terminal_id="t-1",
    money=Money(12550, "EUR"),
)
MEMBER: Final = MembershipCall(
    task_id="0195f1de-7c1e-7000-8a56-0f1e2d3c4b5b",
    customer_id="c-9",
    partner="northbank",
    card_token="tok_8f2a",  # noqa: S106 - a token in place of a card
    provisional=True,
)
OUTCOME: Final[OutcomeNotification] = {
    "event_id": "7d9f1c1e-3b7a-5c55-9d0e-2f6a1b0c9d8e",
    "type": "withdrawal.completed",
    "at": "2026-01-31T23:59:59.123Z",
    "order_id": CALL.order_id,
    "queue_id": CALL.queue_id,
    "task_id": CALL.task_id,
    "merchant_id": CALL.merchant_id,
    "customer_id": "c-9",
    "amount": CALL.money.amount,
    "currency": CALL.money.currency,
    "provider": CALL.provider,
    "terminal_id": "t-1",
    "provider_reference": "po_1001",
    "attempts": 1,
}
PAGE: Final[BalanceEntries] = {
    "entries": [
        {
            "task_id": CALL.task_id,
            "operation": Operation.FREEZE,
            "amount": CALL.money.amount,
            "currency": CALL.money.currency,
            "at": "2026-01-31T23:59:30Z",
        }
    ],
    "next_cursor": None,
}
