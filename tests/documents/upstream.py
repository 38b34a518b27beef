"""An upstream system on a client that was generated from the OpenAPI document.

It is written as its developer would: by the names that the generator has made. mypy
reads it beside the client, so a name that changes is found without running it.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

from payment_service_client import AuthenticatedClient
from payment_service_client.api.orders import (
    cancel_order,
    create_checkout,
    create_partner_link,
    create_withdrawal,
    get_order,
    list_order_events,
    list_orders,
)
from payment_service_client.models import (
    CancelRequest,
    CardToLink,
    CascadeEntry,
    CheckoutFee,
    CheckoutItem,
    CheckoutRequest,
    CheckoutRequestDelivery,
    Destination,
    ExplainedOrder,
    OrderKind,
    OrderPage,
    OrderResult,
    OrderState,
    PartnerLinkRequest,
    PaymentMethod,
    Problem,
    Submission,
    SubmissionStatus,
    TaskState,
    WaitingFor,
    WithdrawalRequest,
)

Paid = Callable[[UUID], Awaitable[None]]


def withdrawal(order_id: str, *, script: str, amount: int = 12550) -> WithdrawalRequest:
    """Return a request for a payout that the simulated providers play by a script."""
    return WithdrawalRequest(
        order_id=order_id,
        merchant_id="m-1",
        customer_id="c-9",
        amount=amount,
        currency="EUR",
        destination=Destination(type_="card", token=f"tok_sim:{script}#{order_id}"),
        cascade=[CascadeEntry(provider="acme"), CascadeEntry(provider="zeta")],
    )


async def accepted(client: AuthenticatedClient, body: WithdrawalRequest) -> UUID:
    """Ask for a payout; return our id of the order."""
    answer = await create_withdrawal.asyncio(client=client, body=body)
    assert isinstance(answer, Submission), answer
    assert answer.status is SubmissionStatus.ACCEPTED
    assert isinstance(answer.queue_id, UUID)
    return answer.queue_id


async def shown(
    client: AuthenticatedClient, order: str, wait: str = "0s"
) -> ExplainedOrder:
    """Return an order as it is, or once it is final."""
    answer = await get_order.asyncio(order, client=client, wait=wait)
    assert isinstance(answer, ExplainedOrder), answer
    return answer


async def waiting(client: AuthenticatedClient, order: str) -> UUID:
    """Look until the provider's webhook is waited for; return the attempt."""
    while True:
        found = await shown(client, order)
        assert found.state is OrderState.ACTIVE
        for task in found.tasks:
            if task.waiting_for is WaitingFor.WEBHOOK:
                assert task.state is TaskState.EXECUTING
                assert isinstance(task.wake_at, datetime)
                return task.task_id


async def a_withdrawal(client: AuthenticatedClient, paid: Paid) -> None:
    """Ask, see it wait, and hear that it was paid; ask again, and it is the same."""
    body = withdrawal("w-1", script="accept_silence")
    queue_id = await accepted(client, body)
    await paid(await waiting(client, "w-1"))
    ended = await shown(client, "w-1", wait="50s")
    assert (ended.state, ended.queue_id) == (OrderState.COMPLETED, queue_id)
    assert ended.finished_at is not None
    assert ended.finished_at.tzinfo == UTC
    assert ended.tasks[0].provider == "acme"
    again = await create_withdrawal.asyncio_detailed(client=client, body=body)
    assert (again.status_code, type(again.parsed)) == (200, Submission)
    trail = await list_order_events.asyncio("w-1", client=client)
    assert trail is not None
    assert not isinstance(trail, Problem)
    assert trail.events[-1].to == "COMPLETED"


async def a_checkout(client: AuthenticatedClient) -> None:
    """Buy something, and wait for it in the same call."""
    answer = await create_checkout.asyncio(
        client=client,
        wait="50s",
        body=CheckoutRequest(
            order_id="c-1",
            merchant_id="m-1",
            customer_id="c-9",
            amount=1250,
            currency="EUR",
            payment_method=PaymentMethod(type_="card", token="tok_sim:succeed"),
            items=[CheckoutItem(sku="sku-1", quantity=2, unit_amount=600)],
            delivery=CheckoutRequestDelivery.from_dict({"country": "LV"}),
            fees=[CheckoutFee(code="delivery", amount=50)],
        ),
    )
    assert isinstance(answer, Submission), answer
    assert answer.order
    assert answer.order.state is OrderState.COMPLETED
    assert [t.name for t in answer.order.tasks][:2] == ["fraud", "payment"]


async def a_link(client: AuthenticatedClient) -> None:
    """Link a card at a partner."""
    answer = await create_partner_link.asyncio(
        client=client,
        wait="50s",
        body=PartnerLinkRequest(
            order_id="l-1",
            merchant_id="m-1",
            customer_id="c-9",
            partner="northbank",
            card=CardToLink(token="tok_sim:succeed#l-1", bin_="451012", country="CA"),
        ),
    )
    assert isinstance(answer, Submission), answer
    assert answer.order
    assert answer.order.result is OrderResult.LINKED
    assert answer.order.amount is None


async def a_refusal(client: AuthenticatedClient) -> None:
    """Find by pointer what is wrong with a body, and by name what with a parameter."""
    body = withdrawal("w-2", script="succeed", amount=0)
    body.cascade.append(CascadeEntry(provider="nobody"))
    answer = await create_withdrawal.asyncio(client=client, body=body)
    assert isinstance(answer, Problem)
    assert (answer.status, answer.order_id) == (422, "w-2")
    assert answer.errors
    found = {error.pointer: error.detail for error in answer.errors}
    assert found.keys() == {"/amount", "/cascade/2/provider"}
    assert found["/amount"].startswith("must be an integer")
    refused = await get_order.asyncio("w-1", client=client, wait="soon")
    assert isinstance(refused, Problem)
    assert refused.errors
    assert [error.parameter for error in refused.errors] == ["wait"]


async def a_cancellation(client: AuthenticatedClient) -> None:
    """Give an order up that its provider still waits with."""
    await accepted(client, withdrawal("w-3", script="cancel_ok"))
    await waiting(client, "w-3")
    why = CancelRequest(reason="the customer changed their mind")
    asked = await cancel_order.asyncio_detailed("w-3", client=client, body=why)
    assert asked.status_code == 202
    ended = await shown(client, "w-3", wait="50s")
    assert ended.state is OrderState.CANCELLED
    late = await cancel_order.asyncio("w-3", client=client, body=why)
    assert isinstance(late, Problem)
    assert late.status == 409


async def a_day(url: str, key: str, paid: Paid) -> list[str]:
    """Do all of it; return the orders of withdrawals, newest first."""
    async with AuthenticatedClient(base_url=url, token=key, timeout=None) as client:
        await a_withdrawal(client, paid)
        await a_checkout(client)
        await a_link(client)
        await a_refusal(client)
        await a_cancellation(client)
        page = await list_orders.asyncio(
            client=client, kind=OrderKind.WITHDRAWAL, state=OrderState.CANCELLED
        )
        assert isinstance(page, OrderPage), page
        return [order.order_id for order in page.orders]
