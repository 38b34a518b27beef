"""Unlinks a card: finds what links it now, and asks for an order that takes it back."""

from dataclasses import replace
from typing import Any, Final

from fsm.domain.erasure import is_erased
from fsm.domain.errors import InvalidRequest, NotNow
from fsm.domain.field_errors import in_body
from fsm.domain.orders import Order, Request, Submission
from fsm.engine.words import Kind, OrderState
from fsm.flows import PARTNER_UNLINK
from fsm.partner.unlinking import has_linked, unlink_id, unlink_request
from handlers.commit import Ports
from handlers.partner.standing import made_by, standing_link
from handlers.submit import submit

NOT_LINKED: Final = (
    "is not linked for this customer at this partner; a link that is still under way "
    "is cancelled instead"
)
_IN_VAIN: Final = frozenset({OrderState.FAILED, OrderState.CANCELLED})


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
        erased before it was to be unlinked; another merchant's order has linked it; the
        order that was to unlink it has not, or is about another link.
    """
    is_named = order_id is not None
    order_id = order_id or unlink_id(link)
    known = await _known(link, order_id, ports)
    if known is not None and is_erased(link):
        await _require_repeat(link, known, is_named=is_named, ports=ports)
        return Submission(status="duplicate", order_id=order_id, queue_id=known)
    done = await submit(
        _wish(link, order_id, reason),
        ports=ports,
        actor=actor,
        trace_parent=trace_parent,
    )
    if known is not None and done.queue_id == known:
        await _require_repeat(link, known, is_named=is_named, ports=ports)
    return done


def _wish(link: Order, order_id: str, reason: str) -> Request:
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
    return _about(wish, link)


async def _known(link: Order, order_id: str, ports: Ports) -> str | None:
    """Return the queue of the order of that id; None where it is to be made.

    :raises NotNow: there is none, and nothing to unlink.
    """
    key = (link.merchant_id, Kind.PARTNER_UNLINK, order_id)
    known = await ports.store.queue_of_order(*key)
    if known is not None:
        return known
    try:
        await _require_linked(link, ports)
    except NotNow:
        # A repeat of the request may have been carried out meanwhile.
        known = await ports.store.queue_of_order(*key)
        if known is None:
            raise
    return known


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
    if standing is None or made_by(link) != standing:
        raise NotNow(f"{named} links its card no more: it was unlinked")
    maker = link if standing == link.queue_id else await ports.store.load(standing)
    if maker is None or maker.merchant_id != link.merchant_id:
        raise NotNow(
            f"{named} found its card linked by another merchant's order: that link is "
            "not this merchant's to take back"
        )


async def _require_repeat(
    link: Order, known: str, *, is_named: bool, ports: Ports
) -> None:
    """Refuse to call a duplicate what does not take this link back, and never will.

    :raises NotNow: says why, and how to have it taken back.
    """
    removal = await ports.store.load(known)
    if removal is None:
        raise LookupError(f"order queue {known} is gone")
    about: Any = removal.details.get("link")
    found = None if about is None else await ports.store.load(about["queue_id"])
    if found is not None and made_by(found) != made_by(link):
        raise NotNow(
            f"order_id {removal.order_id} is about another link of this card: "
            "send a new one"
        )
    if not is_named and removal.queue.state in _IN_VAIN:
        raise NotNow(
            f"order {removal.order_id} has ended {removal.queue.state}: send an "
            "order_id of your own to have it tried again"
        )


async def completed(wish: Request, *, ports: Ports) -> Request:
    """Return a request as it came or, to unlink, with what links its card now.

    A repeat, or a conflict, is told by its content, and needs no more.

    :raises InvalidRequest: nothing of this merchant's links it.
    """
    if wish.kind is not Kind.PARTNER_UNLINK or "link" in wish.details:
        return wish
    store = ports.store
    its_key = (wish.merchant_id, wish.kind, wish.order_id)
    if await store.queue_of_order(*its_key):
        return wish
    key = wish.exclusive_key(PARTNER_UNLINK.exclusive) or ""
    standing = await standing_link(key, ports)
    link = None if standing is None else await store.load(standing)
    if link is None or link.merchant_id != wish.merchant_id:
        # A repeat of it may have been carried out meanwhile.
        if await store.queue_of_order(*its_key):
            return wish
        error = in_body(("card",), NOT_LINKED)
        raise InvalidRequest(str(error), order_id=wish.order_id, errors=[error])
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
