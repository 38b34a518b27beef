"""Reads a checkout's request: items that are paid for (contract, section 3)."""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from fsm.domain.cards import holds_card
from fsm.domain.field_errors import FieldError, in_body
from fsm.domain.money import AMOUNT_MAX
from fsm.domain.orders import Request
from fsm.domain.strict_json import parse_strict
from fsm.engine.words import Kind
from fsm.flows import CHECKOUT
from payment_service.wire.models import Id, OurId, WireModel, problem, validated
from payment_service.wire.no_cards import CARD, cards_inside
from payment_service.wire.requests import (
    Instrument,
    PaidRequest,
    cards_told,
    listed,
    readable_order_id,
    spoken_for,
)
from payment_service.wire.unknown import unknown_in

ITEMS_MAX: Final = 500
FEES_MAX: Final = 500
STEPS: Final = tuple(step.name for step in CHECKOUT.steps)
"""The steps that services must be configured for."""

_BARCODE: Final = re.compile(r"[0-9]{12,13}", re.ASCII)
_PHONE: Final = re.compile(r"\+[1-9](?:[ ()./-]{0,2}[0-9]){7,12}", re.ASCII)


def is_barcode(text: str) -> bool:
    """Tell whether a text is the number under a barcode (GTIN-12, GTIN-13).

    One in twenty would pass for a card: of these no issuer has any so short, and with
    the check digit of a barcode as well.
    """
    if _BARCODE.fullmatch(text) is None:
        return False
    digits = [int(digit) for digit in reversed(text)]
    return (sum(digits[0::2]) + 3 * sum(digits[1::2])) % 10 == 0


def is_phone(text: str) -> bool:
    """Tell whether a text is a telephone number with its country, and no longer."""
    return _PHONE.fullmatch(text) is not None


def _sku(text: str) -> str:
    if holds_card(text) and not is_barcode(text):
        raise problem(CARD)
    return text


class PaymentMethod(Instrument):
    """What it is paid with: what kind of thing, and the token that stands for it."""


class Item(WireModel):
    """So many of one thing that is bought."""

    sku: Annotated[Id, AfterValidator(_sku)]
    quantity: int = Field(
        ge=1, le=AMOUNT_MAX, description="an integer of at least 1, without quotes"
    )
    unit_amount: int | None = Field(
        default=None,
        ge=0,
        le=AMOUNT_MAX,
        description=f"an integer of minor units, from 0 to {AMOUNT_MAX}, for one of "
        "them; left out where the amount is not their sum",
    )

    def plainly(self) -> dict[str, object]:
        """Return it as JSON; what is left out and null are the same."""
        told: dict[str, object] = {"sku": self.sku, "quantity": self.quantity}
        if self.unit_amount is not None:
            told["unit_amount"] = self.unit_amount
        return told


class Fee(WireModel):
    """What is paid beside the items, or taken off."""

    code: OurId
    amount: int = Field(
        ge=-AMOUNT_MAX,
        le=AMOUNT_MAX,
        description="an integer of minor units, negative for what is taken off",
    )

    def plainly(self) -> dict[str, object]:
        """Return it as JSON."""
        return {"code": self.code, "amount": self.amount}


class Checkout(PaidRequest):
    """A purchase: ``checkout.requested``; items that are priced and fees add up.

    The amount is then the sum of quantity times ``unit_amount``, and of the fees.
    """

    payment_method: PaymentMethod = Field(
        description='an object {"type": …, "token": …}'
    )
    items: list[Item] = Field(
        min_length=1,
        max_length=ITEMS_MAX,
        description=f"a list of 1 to {ITEMS_MAX} items",
    )
    delivery: dict[str, Any] = Field(description="an object")
    fees: list[Fee] = Field(
        default_factory=list,
        max_length=FEES_MAX,
        description=f"a list of at most {FEES_MAX} fees",
    )


EXAMPLE: Final[dict[str, Any]] = {
    "order_id": "c-1001",
    "merchant_id": "m-1",
    "customer_id": "c-9",
    "amount": 12550,
    "currency": "EUR",
    "payment_method": {"type": "card", "token": "tok_8f2a"},
    "items": [
        {"sku": "kettle", "quantity": 2, "unit_amount": 5900},
        {"sku": "cup", "quantity": 1, "unit_amount": 500},
    ],
    "delivery": {"service": "courier", "city": "Tallinn"},
    "fees": [{"code": "delivery", "amount": 350}, {"code": "voucher", "amount": -100}],
    "metadata": {"channel": "web"},
}


def read_checkout(data: bytes, known_services: Collection[str]) -> Request:
    """Return the request.

    :raises InvalidRequest: names every problem.
    """
    tree = parse_strict(data)
    body = validated(
        Checkout,
        tree,
        more=[
            *spoken_for(tree),
            *_unknown_services(known_services),
            *_sum_problem(tree),
            *_cards_in_delivery(tree),
            *cards_told(tree, "metadata"),
        ],
        order_id=readable_order_id(tree),
    )
    details = {
        "payment_method": body.payment_method.plainly(),
        "items": [item.plainly() for item in body.items],
        "delivery": body.delivery,
        "fees": [fee.plainly() for fee in body.fees],
    }
    return Request(
        kind=Kind.CHECKOUT,
        order_id=body.order_id,
        merchant_id=body.merchant_id,
        customer_id=body.customer_id,
        money=body.money,
        destination={},
        cascade=(),
        metadata=body.metadata,
        content=body.canonical(details),
        details=details,
        warnings=unknown_in(Checkout, tree),
    )


def _unknown_services(known: Collection[str]) -> Iterator[FieldError]:
    """Name the steps that nobody is configured to do."""
    for step in STEPS:
        if step not in known:
            told = f"an unknown step service; configure [services.{step}]"
            yield in_body((), told, where=step)


def _sum_problem(tree: object) -> Iterator[FieldError]:
    """Tell where priced items and the fees do not come to the amount.

    What cannot be added up is told of by its own name.
    """
    amount = tree.get("amount") if isinstance(tree, dict) else None
    prices = [_price(item) for item in listed(tree, "items", ITEMS_MAX)]
    fees = [_whole(fee, "amount") for fee in listed(tree, "fees", FEES_MAX)]
    if not prices or type(amount) is not int:
        return
    total = _sum([*prices, *fees])
    if total is not None and total != amount:
        yield in_body(
            ("amount",),
            "must be the sum of the items (quantity times unit_amount) and "
            f"the fees, which come to {_told(total)}",
        )


def _price(item: object) -> int | None:
    quantity, each = _whole(item, "quantity"), _whole(item, "unit_amount")
    return None if quantity is None or each is None else quantity * each


def _whole(entry: object, name: str) -> int | None:
    found = entry.get(name) if isinstance(entry, dict) else None
    return found if type(found) is int else None


def _sum(parts: Sequence[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _told(total: int) -> str:
    if total < 1:
        return "less than 1"
    return f"more than {AMOUNT_MAX}" if total > AMOUNT_MAX else str(total)


def _cards_in_delivery(tree: object) -> Iterator[FieldError]:
    """Name what is a card number in a delivery, where telephone numbers are at home."""
    delivery = tree.get("delivery") if isinstance(tree, dict) else None
    yield from cards_inside(delivery, ("delivery",), is_harmless=is_phone)
