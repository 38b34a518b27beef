"""What is asked about a partner link that there is: that it is taken back."""

from starlette.requests import Request

from fsm.domain.errors import AmbiguousOrder, UnknownOrder
from fsm.domain.keys import KeyRole
from fsm.domain.orders import Order
from fsm.engine.words import Kind
from handlers.ports.reads import Reads
from payment_service.api.auth import actor_of
from payment_service.api.awaiting import Wait, waiting_time
from payment_service.api.bodies import ModelReader
from payment_service.api.deps import ApiDeps
from payment_service.api.openapi import body_of, problem
from payment_service.api.params import find, segment, trace_parent_of
from payment_service.api.responses import Json
from payment_service.api.routing import Routes
from payment_service.api.schemas import Unlinking
from payment_service.api.submitted import ANSWERS, answered

LINK = "partner link"


class PartnerLinks:
    """Links, of which an order of its own takes each back."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._wishes = ModelReader(deps.body_time_limit)

    async def unlink_card(
        self, request: Request, order_id: str, wait: Wait = None
    ) -> Json:
        """Take back a link that stands, by an order of its own.

        The linked order stays as it is.
        """
        limit = waiting_time(wait)
        wish = await self._wishes.read(request, Unlinking)
        link = await _link(self._deps.reads, order_id, request)
        submission = await self._deps.unlink(
            link,
            order_id=wish.order_id,
            reason=wish.reason,
            actor=actor_of(request),
            trace_parent=trace_parent_of(request),
        )
        return await answered(
            self._deps,
            request,
            submission,
            order_id=wish.order_id or link.order_id,
            limit=limit,
        )


async def _link(reads: Reads, asked: str, request: Request) -> Order:
    """Return the link that a path names; what else has the same id is not meant.

    :raises UnknownOrder: there is none of the caller's.
    :raises AmbiguousOrder: several merchants have one of that id.
    """
    try:
        found = await find(reads, asked, request)
    except AmbiguousOrder as several:
        links = [c for c in several.candidates if c["kind"] == Kind.PARTNER_LINK]
        if len(links) > 1:
            raise AmbiguousOrder(several.order_id, links) from None
        if not links:
            raise UnknownOrder(several.order_id, LINK) from None
        found = await find(reads, links[0]["queue_id"], request)
    if found.queue.kind is not Kind.PARTNER_LINK:
        raise UnknownOrder(segment(asked), LINK)
    return found


def routes(deps: ApiDeps) -> Routes:
    """Return the routes of links that there are."""
    add = Routes("orders", deps)
    add.post(
        "/v1/partner-links/{order_id}/unlink",
        PartnerLinks(deps).unlink_card,
        {
            **ANSWERS,
            **problem(
                409, "It is under way, links nothing, or something is in its way."
            ),
        },
        body_of("Unlinking"),
        KeyRole.UPSTREAM,
    )
    return add
