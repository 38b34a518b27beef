"""Reads the requests of upstream services (contract, section 3)."""

from collections.abc import Collection, Iterator
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from fsm.domain.cards import holds_card
from fsm.domain.durations import parse_duration
from fsm.domain.errors import InvalidRequest
from fsm.domain.ids import ID_LENGTH_MAX
from fsm.domain.money import AMOUNT_MAX, EXPONENTS, Money
from fsm.domain.orders import CascadeEntry, Request
from fsm.domain.strict_json import parse_strict
from fsm.domain.text import is_id
from fsm.engine.words import Kind
from payment_service.wire.models import (
    OurId,
    WireModel,
    problem,
    validated,
)
from payment_service.wire.no_cards import CARD, cards_inside

CASCADE_MAX: Final = 64
TOKEN_LENGTH_MAX: Final = 512
TYPE_LENGTH_MAX: Final = 64
PROVIDERS_NAMED_MAX: Final = 10
NO_SLA: Final = "none"
NOT_YET: Final = "not supported yet; send a withdrawal"


def _currency(code: str) -> str:
    if code not in EXPONENTS:
        raise PydanticCustomError("currency", "unknown currency")
    return code


def _sla(text: str) -> str:
    if text != NO_SLA:
        try:
            parse_duration(text)
        except ValueError:
            raise PydanticCustomError("sla", "not a duration") from None
    return text


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


def _configured(name: str, info: ValidationInfo) -> str:
    known: Collection[str] = (info.context or {}).get("providers", ())
    if name not in known:
        raise problem(f"is not a configured provider; {_choice(known)}")
    return name


def _choice(known: Collection[str]) -> str:
    if not known:
        return "none is configured"
    named = sorted(known)[:PROVIDERS_NAMED_MAX]
    more = ", …" if len(known) > len(named) else ""
    return f"choose of {', '.join(named)}{more}"


class Destination(WireModel):
    """Where the money goes: what kind of thing, and the token that stands for it."""

    type: Annotated[
        str,
        AfterValidator(_type),
        Field(
            description=f"a string of 1 to {TYPE_LENGTH_MAX} characters, such as card",
            json_schema_extra={"minLength": 1, "maxLength": TYPE_LENGTH_MAX},
        ),
    ]
    token: Annotated[
        str,
        AfterValidator(_token),
        Field(
            description=f"a string of 1 to {TOKEN_LENGTH_MAX} characters that stands "
            "for the account or card, and is not its number",
            json_schema_extra={"minLength": 1, "maxLength": TOKEN_LENGTH_MAX},
        ),
    ]


class Entry(WireModel):
    """One provider to try."""

    provider: Annotated[
        OurId,
        AfterValidator(_configured),
        Field(description="the name of a configured provider"),
    ]
    terminal_id: OurId | None = Field(
        default=None, description=f"a string of 1 to {ID_LENGTH_MAX} characters"
    )
    sla: Annotated[str, AfterValidator(_sla)] | None = Field(
        default=None,
        description='a duration like 250ms, 30s, 15m, 2h or 3d, or "none"',
        examples=["15m", "none"],
    )


class Withdrawal(WireModel):
    """``withdrawal.requested``."""

    order_id: OurId
    merchant_id: OurId
    customer_id: OurId
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
    destination: Destination = Field(
        description='an object {"type": …, "token": …}',
    )
    cascade: list[Entry] = Field(
        min_length=1,
        max_length=CASCADE_MAX,
        description=f"a list of 1 to {CASCADE_MAX} entries, no provider and terminal "
        "twice",
    )
    metadata: dict[str, Any] = Field(default_factory=dict, description="an object")


EXAMPLE: Final[dict[str, Any]] = {
    "order_id": "w-1001",
    "merchant_id": "m-1",
    "customer_id": "c-9",
    "amount": 12550,
    "currency": "EUR",
    "destination": {"type": "card", "token": "tok_8f2a"},
    "cascade": [
        {"provider": "acme", "terminal_id": "t-1", "sla": "15m"},
        {"provider": "zeta", "terminal_id": "t-7"},
    ],
    "metadata": {"channel": "web"},
}


def read_withdrawal(data: bytes, known_providers: Collection[str]) -> Request:
    """Return the request.

    :raises InvalidRequest: names every problem.
    """
    tree = parse_strict(data)
    body = validated(
        Withdrawal,
        tree,
        context={"providers": known_providers},
        more=[*_repeated(tree), *_cards(tree)],
        order_id=readable_order_id(tree),
    )
    destination = {"type": body.destination.type, "token": body.destination.token}
    return Request(
        kind=Kind.WITHDRAWAL,
        order_id=body.order_id,
        merchant_id=body.merchant_id,
        customer_id=body.customer_id,
        money=Money(body.amount, body.currency),
        destination=destination,
        cascade=tuple(
            CascadeEntry(provider=e.provider, terminal_id=e.terminal_id, sla=e.sla)
            for e in body.cascade
        ),
        metadata=body.metadata,
        content=_canonical(body, destination),
    )


def refuse_unsupported(data: bytes, subject: str) -> InvalidRequest:
    """Return the refusal of a kind of request that this version does not know."""
    order_id = readable_order_id(parse_strict(data))
    return InvalidRequest(f"{subject}: {NOT_YET}", order_id=order_id)


def readable_order_id(tree: object) -> str | None:
    """Return the order id of a parsed request, where it has a valid one."""
    found = tree.get("order_id") if isinstance(tree, dict) else None
    told = isinstance(found, str) and is_id(found) and not holds_card(found)
    return found if told else None


def _repeated(tree: object) -> Iterator[str]:
    """Name the entries whose provider and terminal have come before."""
    cascade = tree.get("cascade") if isinstance(tree, dict) else None
    if not isinstance(cascade, list):
        return
    seen: dict[tuple[str, str | None], int] = {}
    for place, entry in enumerate(cascade[:CASCADE_MAX]):
        pair = _pair(entry)
        if pair is None:
            continue
        first = seen.setdefault(pair, place)
        if first != place:
            yield (
                f"cascade[{place}]: the same provider and terminal_id as "
                f"cascade[{first}]; leave one out"
            )


def _cards(tree: object) -> Iterator[str]:
    """Name what of the metadata is a card number."""
    metadata = tree.get("metadata") if isinstance(tree, dict) else None
    for where in cards_inside(metadata, "metadata"):
        yield f"{where}: {CARD}"


def _pair(entry: object) -> tuple[str, str | None] | None:
    if not isinstance(entry, dict):
        return None
    provider, terminal = entry.get("provider"), entry.get("terminal_id")
    if isinstance(provider, str) and isinstance(terminal, str | None):
        return provider, terminal
    return None


def _canonical(body: Withdrawal, destination: dict[str, str]) -> bytes:
    """Write the known fields in one form; what is left out and null are the same."""
    cascade = [
        {
            "provider": entry.provider,
            **({} if entry.terminal_id is None else {"terminal_id": entry.terminal_id}),
            **({} if entry.sla is None else {"sla": entry.sla}),
        }
        for entry in body.cascade
    ]
    known = {
        "order_id": body.order_id,
        "merchant_id": body.merchant_id,
        "customer_id": body.customer_id,
        "amount": body.amount,
        "currency": body.currency,
        "destination": destination,
        "cascade": cascade,
        "metadata": body.metadata,
    }
    return orjson.dumps(known, option=orjson.OPT_SORT_KEYS)
