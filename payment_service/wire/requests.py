"""What the requests of all kinds have in common (contract, section 3)."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from fsm.domain.cards import holds_card
from fsm.domain.field_errors import FieldError, in_body
from fsm.domain.money import AMOUNT_MAX, EXPONENTS, Money
from fsm.domain.text import is_id
from payment_service.wire.models import OurId, WireModel, problem
from payment_service.wire.no_cards import CARD, cards_inside

TOKEN_LENGTH_MAX: Final = 512
TYPE_LENGTH_MAX: Final = 64
NAMED_MAX: Final = 10
NO_MODE: Final = (
    "there are no modes yet, shadow orders among them: this order would move money; "
    "leave it out"
)


def _currency(code: str) -> str:
    if code not in EXPONENTS:
        raise PydanticCustomError("currency", "unknown currency")
    return code


def _token(text: str) -> str:
    if not is_id(text, TOKEN_LENGTH_MAX):
        raise PydanticCustomError("token", "not a token")
    if holds_card(text):
        raise problem(CARD)
    return text


def _type(text: str) -> str:
    if not is_id(text, TYPE_LENGTH_MAX):
        raise PydanticCustomError("type", "not a type")
    if holds_card(text):
        raise problem(CARD)
    return text


Token = Annotated[
    str,
    AfterValidator(_token),
    Field(
        description=f"a string of 1 to {TOKEN_LENGTH_MAX} characters that stands "
        "for the account or card, and is not its number",
        json_schema_extra={"minLength": 1, "maxLength": TOKEN_LENGTH_MAX},
    ),
]


def configured(what: str) -> Callable[[str, ValidationInfo], str]:
    """Return a validator of the names that the context lists under ``{what}s``."""

    def check(name: str, info: ValidationInfo) -> str:
        known: Collection[str] = (info.context or {}).get(f"{what}s", ())
        if name not in known:
            raise problem(f"is not a configured {what}; {_choice(known)}")
        return name

    return check


def _choice(known: Collection[str]) -> str:
    if not known:
        return "none is configured"
    named = sorted(known)[:NAMED_MAX]
    more = ", …" if len(known) > len(named) else ""
    return f"choose of {', '.join(named)}{more}"


class Instrument(WireModel):
    """An account or a card: what kind of thing, and the token that stands for it."""

    type: Annotated[
        str,
        AfterValidator(_type),
        Field(
            description=f"a string of 1 to {TYPE_LENGTH_MAX} characters, such as card",
            json_schema_extra={"minLength": 1, "maxLength": TYPE_LENGTH_MAX},
        ),
    ]
    token: Token

    def plainly(self) -> dict[str, str]:
        """Return it as JSON."""
        return {"type": self.type, "token": self.token}


class OrderRequest(WireModel):
    """A request for an order, whatever its kind."""

    order_id: OurId
    merchant_id: OurId
    customer_id: OurId
    metadata: dict[str, Any] = Field(default_factory=dict, description="an object")

    def canonical(self, own: Mapping[str, object]) -> bytes:
        """Write the known fields in one form, ``own`` among them: those of its kind.

        A repeat of the request is told by it from a conflict.
        """
        known = {
            "order_id": self.order_id,
            "merchant_id": self.merchant_id,
            "customer_id": self.customer_id,
            "metadata": self.metadata,
            **own,
        }
        return orjson.dumps(known, option=orjson.OPT_SORT_KEYS)


class PaidRequest(OrderRequest):
    """A request for an order that moves money, whatever its kind."""

    amount: int = Field(
        ge=1,
        le=AMOUNT_MAX,
        description=f"an integer of minor units, from 1 to {AMOUNT_MAX}, "
        "without quotes and without a decimal point",
    )
    currency: Annotated[str, AfterValidator(_currency)] = Field(
        description="an ISO 4217 code that is known here, in capitals, such as EUR",
        json_schema_extra={"pattern": "^[A-Z]{3}$"},
    )

    @property
    def money(self) -> Money:
        """How much is to be moved."""
        return Money(self.amount, self.currency)

    def canonical(self, own: Mapping[str, object]) -> bytes:
        """Write the known fields in one form, as above."""
        paid = {"amount": self.amount, "currency": self.currency}
        return super().canonical({**paid, **own})


def spoken_for(tree: object) -> Iterator[FieldError]:
    """Refuse what is to mean that no money moves, before it is built: it would move.

    Everything else that is not known is ignored, and named.
    """
    if isinstance(tree, dict) and "mode" in tree:
        yield in_body(("mode",), NO_MODE)


def readable_order_id(tree: object) -> str | None:
    """Return the order id of a parsed request, where it has a valid one."""
    found = tree.get("order_id") if isinstance(tree, dict) else None
    told = isinstance(found, str) and is_id(found) and not holds_card(found)
    return found if told else None


def listed(tree: object, name: str, length_max: int) -> list[Any]:
    """Return the list of that name in a parsed request, as far as one is looked at."""
    found = tree.get(name) if isinstance(tree, dict) else None
    return found[:length_max] if isinstance(found, list) else []


def cards_told(tree: object, name: str) -> Iterator[FieldError]:
    """Name what is a card number in a field that may hold any JSON."""
    content = tree.get(name) if isinstance(tree, dict) else None
    yield from cards_inside(content, (name,))
