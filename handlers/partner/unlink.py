"""Unlinks a card: finds what links it now, and asks for an order that takes it back."""

from dataclasses import replace
from typing import Any

from fsm.domain.erasure import is_erased
from fsm.domain.errors import InvalidRequest, NotNow
from fsm.domain.orders import Order, Request, Submission
from fsm.engine.words import Kind
from fsm.flows import PARTNER_UNLINK
from fsm.partner.unlinking import has_linked, unlink_id, unlink_request
from handlers.commit import Ports
from handlers.partner.standing import made_by, standing_link
from handlers.submit import submit


async def unlink(
    link: Order,
    *,
    order_id: str | None,
    reason: str,
    actor: str,
    trace_parent: str | None,
    ports: Ports,
) -> Submission:
    """Have the card of a linked order unlinked; that order itself stays as it is.

    Without an ``order_id`` there is one unlinking for each link: whoever repeats it is
    answered ``duplicate``, for another reason too.

    :raises NotNow: the order is under way, has linked nothing, links it no more, or was
        erased before it was to be unlinked.
    """
    order_id = order_id or unlink_id(link)
    known = await ports.store.queue_of_order(
        link.merchant_id, Kind.PARTNER_UNLINK, order_id
    )
    if known is None:
        await _require_linked(link, ports)
    elif is_erased(link):
        return Submission(status="duplicate", order_id=order_id, queue_id=known)
    said: Any = link.details
    wish = unlink_request(
        order_id=order_id,
        merchant_id=link.merchant_id,
        customer_id=link.customer_id,
        partner=said["partner"],
        token=said["card"]["token"],
        reason=reason,
        metadata={},
    )
    return await submit(
        _about(wish, link), ports=ports, actor=actor, trace_parent=trace_parent
    )


async def _require_linked(link: Order, ports: Ports) -> None:
    """Refuse to unlink what does not stand.

    :raises NotNow: says why.
    """
    named = f"order {link.order_id}"
    if not link.queue.final:
        raise NotNow(f"{named} is still under way: cancel it, or wait for its end")
    if not has_linked(link):
        raise NotNow(f"{named} has linked nothing")
    if is_erased(link):
        raise NotNow(
            f"{named} was erased, and does not say any more which card it has linked: "
            "ask for the card by its token (partner.unlink.requested)"
        )
    standing = await standing_link(link.queue.exclusive_key or "", ports)
    if made_by(link) != standing:
        raise NotNow(f"{named} links its card no more: it was unlinked")


async def completed(wish: Request, *, ports: Ports) -> Request:
    """Return a request as it came or, to unlink, with what links its card now.

    A repeat, or a conflict, is told by its content, and needs no more.

    :raises InvalidRequest: nothing of this merchant's links it.
    """
    if wish.kind is not Kind.PARTNER_UNLINK or "link" in wish.details:
        return wish
    store = ports.store
    if await store.queue_of_order(wish.merchant_id, wish.kind, wish.order_id):
        return wish
    key = wish.exclusive_key(PARTNER_UNLINK.exclusive) or ""
    standing = await standing_link(key, ports)
    link = None if standing is None else await store.load(standing)
    if link is None or link.merchant_id != wish.merchant_id:
        raise InvalidRequest(
            "card: is not linked for this customer at this partner; a link that is "
            "still under way is cancelled instead",
            order_id=wish.order_id,
        )
    return _about(wish, link)


def _about(wish: Request, link: Order) -> Request:
    """Return the wish with the order that it is about, and all that it knows of it."""
    # Of an order that was erased no more is known than its sender says again.
    unknown = {"bin": "", "country": "", **_card(wish.details)}
    card = _card(link.details) or unknown
    linked = {"order_id": link.order_id, "queue_id": link.queue_id}
    return replace(wish, details={**wish.details, "card": card, "link": linked})


def _card(details: Any) -> dict[str, str]:  # noqa: ANN401 - JSON
    return {**details.get("card", {})}
