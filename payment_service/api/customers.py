"""Customers over HTTP: all that one has here is erased."""

from starlette.requests import Request

from fsm.domain.errors import InvalidRequest
from fsm.domain.keys import KeyRole
from payment_service.api.auth import actor_of
from payment_service.api.bodies import ModelReader
from payment_service.api.deps import ApiDeps
from payment_service.api.openapi import answer, body_of
from payment_service.api.params import segment, text_filter
from payment_service.api.responses import Json
from payment_service.api.routing import Routes
from payment_service.api.schemas import Erasing
from payment_service.wire.shapes import ErasedShape


class Customers:
    """What is done with all orders of a customer."""

    def __init__(self, deps: ApiDeps) -> None:
        self._deps = deps
        self._wishes = ModelReader(deps.body_time_limit)

    async def erase_customer(self, request: Request, customer: str) -> Json:
        """Erase every order of a customer; one under way is named, and stays."""
        wish = await self._wishes.read(request, Erasing)
        customer_id = text_filter("customer", segment(customer))
        if customer_id is None:
            raise InvalidRequest.of_parameter("customer", "must be an id")
        done, refused = await self._deps.operations.erase_customer(
            customer_id, reason=wish.reason, actor=actor_of(request)
        )
        told: ErasedShape = {
            "erased": list(done),
            "refused": [
                {"queue_id": each, "because": why} for each, why in refused.items()
            ],
        }
        return Json(told)


def routes(deps: ApiDeps) -> Routes:
    """Return the route of admins."""
    add, customers = Routes("customers", deps), Customers(deps)
    add.post(
        "/v1/customers/{customer}/erase",
        customers.erase_customer,
        {200: answer("What was erased, and what was not.", ErasedShape)},
        body_of("Erasing"),
        KeyRole.ADMIN,
    )
    return add
