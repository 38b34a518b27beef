"""Reads a withdrawal's request: a payout through a cascade (contract, section 3)."""

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from fsm.domain.durations import parse_duration
from fsm.domain.field_errors import FieldError, in_body
from fsm.domain.ids import ID_LENGTH_MAX
from fsm.domain.orders import CascadeEntry, Request
from fsm.domain.strict_json import parse_strict
from fsm.engine.words import Kind
from payment_service.wire.models import OurId, WireModel, validated
from payment_service.wire.requests import (
    Instrument,
    PaidRequest,
    cards_told,
    configured,
    listed,
    readable_order_id,
    spoken_for,
)
from payment_service.wire.unknown import unknown_in

CASCADE_MAX: Final = 64
NO_SLA: Final = "none"


def _sla(text: str) -> str:
    if text != NO_SLA:
        try:
            parse_duration(text)
        except ValueError:
            raise PydanticCustomError("sla", "not a duration") from None
    return text


class Destination(Instrument):
    """Where the money goes: what kind of thing, and the token that stands for it."""


class Entry(WireModel):
    """One provider to try."""

    provider: Annotated[
        OurId,
        AfterValidator(configured("provider")),
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


class Withdrawal(PaidRequest):
    """A payout through a cascade of providers: ``withdrawal.requested``."""

    destination: Destination = Field(
        description='an object {"type": …, "token": …}',
    )
    cascade: list[Entry] = Field(
        min_length=1,
        max_length=CASCADE_MAX,
        description=f"a list of 1 to {CASCADE_MAX} entries, no provider and terminal "
        "twice",
    )


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
        more=[
            *spoken_for(tree),
            *_repeated(tree),
            *cards_told(tree, "metadata"),
        ],
        order_id=readable_order_id(tree),
    )
    destination = body.destination.plainly()
    return Request(
        kind=Kind.WITHDRAWAL,
        order_id=body.order_id,
        merchant_id=body.merchant_id,
        customer_id=body.customer_id,
        money=body.money,
        destination=destination,
        cascade=tuple(
            CascadeEntry(provider=e.provider, terminal_id=e.terminal_id, sla=e.sla)
            for e in body.cascade
        ),
        metadata=body.metadata,
        content=body.canonical(
            {"destination": destination, "cascade": _cascade(body.cascade)}
        ),
        warnings=unknown_in(Withdrawal, tree),
    )


def _repeated(tree: object) -> Iterator[FieldError]:
    """Name the entries whose provider and terminal have come before."""
    seen: dict[tuple[str, str | None], int] = {}
    for place, entry in enumerate(listed(tree, "cascade", CASCADE_MAX)):
        pair = _pair(entry)
        if pair is None:
            continue
        first = seen.setdefault(pair, place)
        if first != place:
            told = "the same provider and terminal_id as cascade[{}]; leave one out"
            yield in_body(("cascade", place), told.format(first))


def _pair(entry: object) -> tuple[str, str | None] | None:
    if not isinstance(entry, dict):
        return None
    provider, terminal = entry.get("provider"), entry.get("terminal_id")
    if isinstance(provider, str) and isinstance(terminal, str | None):
        return provider, terminal
    return None


def _cascade(entries: Sequence[Entry]) -> list[dict[str, str]]:
    """Write a cascade in one form; what is left out and null are the same."""
    return [
        {
            "provider": entry.provider,
            **({} if entry.terminal_id is None else {"terminal_id": entry.terminal_id}),
            **({} if entry.sla is None else {"sla": entry.sla}),
        }
        for entry in entries
    ]
