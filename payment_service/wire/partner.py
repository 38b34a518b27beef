"""Reads requests to link a card at a partner, and to unlink it (contract, section 3).

A partner link moves no money: it says whose card a partner is to know.
"""

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from fsm.domain.countries import COUNTRIES
from fsm.domain.orders import Request
from fsm.domain.strict_json import parse_strict
from fsm.engine.words import Kind
from fsm.partner.unlinking import unlink_request
from payment_service.wire.models import OurId, Reason, WireModel, validated
from payment_service.wire.requests import (
    OrderRequest,
    Token,
    cards_told,
    configured,
    readable_order_id,
    spoken_for,
)
from payment_service.wire.unknown import unknown_in

_BIN: Final = re.compile("[0-9]{6,8}", re.ASCII)


def _bin(text: str) -> str:
    if _BIN.fullmatch(text) is None:
        raise PydanticCustomError("bin", "not a bin")
    return text


def _country(code: str) -> str:
    if code not in COUNTRIES:
        raise PydanticCustomError("country", "unknown country")
    return code


Partner = Annotated[
    OurId,
    AfterValidator(configured("partner")),
    Field(description="the name of a configured partner"),
]


class LinkedCard(WireModel):
    """A card that was linked: the token that stands for it says which."""

    token: Token


class LinkCard(LinkedCard):
    """A card that is to be linked: its token, what it begins with, where it is from."""

    bin: Annotated[str, AfterValidator(_bin)] = Field(
        description="a string of the 6 to 8 digits that the card's number begins with",
        json_schema_extra={"pattern": "^[0-9]{6,8}$"},
    )
    country: Annotated[str, AfterValidator(_country)] = Field(
        description="an ISO 3166-1 country of two capitals, such as CA",
        json_schema_extra={"pattern": "^[A-Z]{2}$"},
    )

    def plainly(self) -> dict[str, str]:
        """Return it as JSON."""
        return {"token": self.token, "bin": self.bin, "country": self.country}


class PartnerLink(OrderRequest):
    """A card to link at a partner: ``partner.link.requested``; one runs at a time."""

    partner: Partner
    card: LinkCard = Field(description='an object {"token": …, "bin": …, "country": …}')


class PartnerUnlink(OrderRequest):
    """A card whose link is taken back: ``partner.unlink.requested``."""

    partner: Partner
    card: LinkedCard = Field(description='an object {"token": …}')
    reason: Reason


EXAMPLE: Final[dict[str, Any]] = {
    "order_id": "l-1001",
    "merchant_id": "m-1",
    "customer_id": "c-9",
    "partner": "northbank",
    "card": {"token": "tok_8f2a", "bin": "451401", "country": "CA"},
    "metadata": {"channel": "web"},
}
UNLINK_EXAMPLE: Final[dict[str, Any]] = {
    "order_id": "u-1001",
    "merchant_id": "m-1",
    "customer_id": "c-9",
    "partner": "northbank",
    "card": {"token": "tok_8f2a"},
    "reason": "the customer has removed the card",
    "metadata": {"channel": "web"},
}


def read_link(data: bytes, known_partners: Collection[str]) -> Request:
    """Return a request to link a card.

    :raises InvalidRequest: names every problem.
    """
    tree = parse_strict(data)
    body = validated(
        PartnerLink,
        tree,
        context={"partners": known_partners},
        more=[*spoken_for(tree), *cards_told(tree, "metadata")],
        order_id=readable_order_id(tree),
    )
    details = {"partner": body.partner, "card": body.card.plainly()}
    return Request(
        kind=Kind.PARTNER_LINK,
        order_id=body.order_id,
        merchant_id=body.merchant_id,
        customer_id=body.customer_id,
        money=None,
        destination={},
        cascade=(),
        metadata=body.metadata,
        content=body.canonical({"details": details}),
        details=details,
        warnings=unknown_in(PartnerLink, tree),
    )


def read_unlink(data: bytes, known_partners: Collection[str]) -> Request:
    """Return a request to unlink a card, which does not say yet what linked it.

    :raises InvalidRequest: names every problem.
    """
    tree = parse_strict(data)
    body = validated(
        PartnerUnlink,
        tree,
        context={"partners": known_partners},
        more=[*spoken_for(tree), *cards_told(tree, "metadata")],
        order_id=readable_order_id(tree),
    )
    asked = unlink_request(
        order_id=body.order_id,
        merchant_id=body.merchant_id,
        customer_id=body.customer_id,
        partner=body.partner,
        token=body.card.token,
        reason=body.reason,
        metadata=body.metadata,
    )
    return replace(asked, warnings=unknown_in(PartnerUnlink, tree))
