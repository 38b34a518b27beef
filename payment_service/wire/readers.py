"""The table of requests: how each kind is read, and the path that takes it over HTTP.

`fsm.domain.request_kinds` has the subjects. What is asked about an order that there is
has no path here, but one below the order's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from fsm.domain.orders import Request
from fsm.domain.request_kinds import KINDS
from fsm.engine.words import Kind
from handlers.ports.partners import Partners
from handlers.ports.payments import PaidBy
from handlers.ports.provider import Providers
from handlers.ports.services import StepServices
from payment_service.wire import checkout, partner, withdrawal
from payment_service.wire.checkout import Checkout, read_checkout
from payment_service.wire.models import WireModel
from payment_service.wire.partner import (
    PartnerLink,
    PartnerUnlink,
    read_link,
    read_unlink,
)
from payment_service.wire.withdrawal import Withdrawal, read_withdrawal


class Parties(Protocol):
    """Who is configured: nobody else can be asked for."""

    @property
    def providers(self) -> Providers:
        """The providers that a cascade may name."""
        ...

    @property
    def services(self) -> StepServices:
        """The services that do the steps of a checkout."""
        ...

    @property
    def partners(self) -> Partners:
        """The partners at which cards can be linked."""
        ...

    @property
    def paid_by(self) -> PaidBy:
        """The steps of a checkout that payment providers do."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReader:
    """How requests of one kind are read, and how the documents show them."""

    model: type[WireModel]
    read: Callable[[bytes, Parties], Request]
    does: str
    example: Mapping[str, Any]


PATHS: Final[Mapping[Kind, str]] = {
    Kind.WITHDRAWAL: "/v1/withdrawals",
    Kind.CHECKOUT: "/v1/checkouts",
    Kind.PARTNER_LINK: "/v1/partner-links",
}
READERS: Final[Mapping[Kind, RequestReader]] = {
    Kind.WITHDRAWAL: RequestReader(
        model=Withdrawal,
        read=lambda data, known: read_withdrawal(data, known.providers.names()),
        does="Pay out through a cascade of providers.",
        example=withdrawal.EXAMPLE,
    ),
    Kind.CHECKOUT: RequestReader(
        model=Checkout,
        read=lambda data, known: read_checkout(
            data, {*known.services.names(), *known.paid_by}
        ),
        does="Have every step of a purchase done, or all of them undone.",
        example=checkout.EXAMPLE,
    ),
    Kind.PARTNER_LINK: RequestReader(
        model=PartnerLink,
        read=lambda data, known: read_link(data, known.partners.names()),
        does="Link a card at a partner; for a card there one runs at a time.",
        example=partner.EXAMPLE,
    ),
    Kind.PARTNER_UNLINK: RequestReader(
        model=PartnerUnlink,
        read=lambda data, known: read_unlink(data, known.partners.names()),
        does="Take back what links a card at a partner.",
        example=partner.UNLINK_EXAMPLE,
    ),
}


def read_request(kind: Kind, data: bytes, known: Parties) -> Request:
    """Return a request of that kind.

    :raises InvalidRequest: names every problem.
    """
    return READERS[kind].read(data, known)


def read_message(subject: str, data: bytes, known: Parties) -> Request:
    """Return the request that came on a subject.

    :raises InvalidRequest: as above.
    """
    return read_request(KINDS[subject], data, known)
