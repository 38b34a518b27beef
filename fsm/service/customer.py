"""What a customer is told of a saga that has failed: codes, and what they can do.

The codes are public and stable; their sentences stand in catalogues, by language. What
went on inside is never among them: of who was away nobody is told who it was.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from fsm.domain.masking import masked_prose
from fsm.domain.reading import shortened
from fsm.engine.customer import CustomerMessage
from fsm.service.words import GIVEN_UP, NO_ANSWER, UNCONFIGURED

TEXT_MAX: Final = 300
"""Characters of a service's own words that are shown."""


class CustomerCode(StrEnum):
    """Why an order has failed, as far as its customer is concerned."""

    PAYMENT_DECLINED = "payment_declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    CARD_EXPIRED = "card_expired"
    PAYMENT_METHOD_UNUSABLE = "payment_method_unusable"
    ITEMS_UNAVAILABLE = "items_unavailable"
    OUT_OF_STOCK = "out_of_stock"
    DELIVERY_UNAVAILABLE = "delivery_unavailable"
    MERCHANT_UNAVAILABLE = "merchant_unavailable"
    MERCHANT_DECLINED = "merchant_declined"
    ORDER_NOT_ACCEPTED = "order_not_accepted"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    ORDER_FAILED = "order_failed"
    ORDER_CANCELLED = "order_cancelled"


class Action(StrEnum):
    """What the customer can do about it."""

    ANOTHER_PAYMENT_METHOD = "another_payment_method"
    REMOVE_ITEM = "remove_item"
    CHANGE_DELIVERY = "change_delivery"
    ANOTHER_MERCHANT = "another_merchant"
    TRY_LATER = "try_later"
    CONTACT_SUPPORT = "contact_support"
    ORDER_AGAIN = "order_again"


_C, _A = CustomerCode, Action
ACTIONS: Final[Mapping[CustomerCode, Action]] = {
    _C.PAYMENT_DECLINED: _A.ANOTHER_PAYMENT_METHOD,
    _C.INSUFFICIENT_FUNDS: _A.ANOTHER_PAYMENT_METHOD,
    _C.CARD_EXPIRED: _A.ANOTHER_PAYMENT_METHOD,
    _C.PAYMENT_METHOD_UNUSABLE: _A.ANOTHER_PAYMENT_METHOD,
    _C.ITEMS_UNAVAILABLE: _A.REMOVE_ITEM,
    _C.OUT_OF_STOCK: _A.REMOVE_ITEM,
    _C.DELIVERY_UNAVAILABLE: _A.CHANGE_DELIVERY,
    _C.MERCHANT_UNAVAILABLE: _A.ANOTHER_MERCHANT,
    _C.MERCHANT_DECLINED: _A.ANOTHER_MERCHANT,
    _C.ORDER_NOT_ACCEPTED: _A.CONTACT_SUPPORT,
    _C.TEMPORARILY_UNAVAILABLE: _A.TRY_LATER,
    _C.ORDER_FAILED: _A.TRY_LATER,
    _C.ORDER_CANCELLED: _A.ORDER_AGAIN,
}
REFUSED: Final[Mapping[str, CustomerCode]] = {
    "items": _C.ITEMS_UNAVAILABLE,
    "merchant_profile": _C.MERCHANT_UNAVAILABLE,
    "customer": _C.ORDER_NOT_ACCEPTED,
    "availability": _C.DELIVERY_UNAVAILABLE,
    "payment_method": _C.PAYMENT_METHOD_UNUSABLE,
    "fraud": _C.ORDER_NOT_ACCEPTED,
    "payment": _C.PAYMENT_DECLINED,
    "delivery": _C.DELIVERY_UNAVAILABLE,
    "merchant": _C.MERCHANT_DECLINED,
}
"""What the no of a step, or of what is loaded, means to a customer, by its name."""

SAID: Final[Mapping[str, CustomerCode]] = {
    code.value: code
    for code in (
        _C.PAYMENT_DECLINED,
        _C.INSUFFICIENT_FUNDS,
        _C.CARD_EXPIRED,
        _C.PAYMENT_METHOD_UNUSABLE,
        _C.ITEMS_UNAVAILABLE,
        _C.OUT_OF_STOCK,
        _C.DELIVERY_UNAVAILABLE,
        _C.MERCHANT_UNAVAILABLE,
    )
}
"""Codes that a service may say itself where it knows better."""

_NO_SENTENCE: Final = re.compile(r"<[A-Za-z/!?]|^\s*[\[{]|\bTraceback \(")

AWAY: Final = frozenset({NO_ANSWER, UNCONFIGURED})
"""Codes of ours for a step whose service never came to an answer."""


def code_for(name: str, code: str | None) -> CustomerCode:
    """Return what the end of a step means to a customer: by its name and its code."""
    if code in AWAY:
        return CustomerCode.TEMPORARILY_UNAVAILABLE
    if code == GIVEN_UP:
        # By a person of ours: nobody has said no to anything.
        return CustomerCode.ORDER_FAILED
    return SAID.get(code or "") or REFUSED.get(name, CustomerCode.ORDER_FAILED)


def refusal(name: str, code: str, text: str | None) -> CustomerMessage:
    """Return what a service's no is to its customer, with its own words for them.

    What cannot have been meant for them (a page, an object, a trace) is told to nobody.
    """
    said = "" if _NO_SENTENCE.search(text or "") else text or ""
    own = shortened(masked_prose(said))[:TEXT_MAX].strip()
    return CustomerMessage(code_for(name, code), own or None)


UNAVAILABLE: Final = CustomerMessage(CustomerCode.TEMPORARILY_UNAVAILABLE)
"""What a customer is told where we have come to no answer, whoever was away."""
