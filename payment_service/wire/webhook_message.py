"""Reads a webhook that a forwarder has verified and sent over NATS."""

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from fsm.domain.ids import ID_LENGTH_MAX
from fsm.domain.masking import masked_prose
from fsm.domain.money import AMOUNT_MAX
from fsm.domain.strict_json import parse_strict
from fsm.domain.text import parse_time
from fsm.domain.webhook_events import (
    WebhookEvent,
    WebhookEventType,
    forwarded,
    hash_of_content,
)
from payment_service.wire.models import Id, WireModel, validated

TYPE_LENGTH_MAX: Final = 128
CODE_LENGTH_MAX: Final = 128
MESSAGE_LENGTH_MAX: Final = 2000


def _time(text: str) -> str:
    try:
        parse_time(text)
    except ValueError:
        raise PydanticCustomError("time", "not a time") from None
    return text


class WebhookBody(WireModel):
    """The default webhook body (contract, section 7).

    An amount that no payout can have is read all the same: that it contradicts the
    task is for the core to say, and must not be lost as unreadable.
    """

    id: Id | None = None
    type: str = Field(
        min_length=1,
        max_length=TYPE_LENGTH_MAX,
        description=f"a string of 1 to {TYPE_LENGTH_MAX} characters, such as "
        "payout.succeeded",
    )
    reference: Id
    provider_reference: Id | None = None
    amount: int | None = Field(
        default=None,
        ge=-AMOUNT_MAX,
        le=AMOUNT_MAX,
        description="an integer of minor units",
    )
    currency: str | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description="an ISO 4217 code, such as EUR",
    )
    code: str | None = Field(
        default=None,
        max_length=CODE_LENGTH_MAX,
        description=f"a string of at most {CODE_LENGTH_MAX} characters",
    )
    message: str | None = Field(
        default=None,
        max_length=MESSAGE_LENGTH_MAX,
        description=f"a string of at most {MESSAGE_LENGTH_MAX} characters",
    )


class ForwardedBody(WebhookBody):
    """The same, of which a forwarder may not leave out how much it is about."""

    amount: int = Field(
        ge=-AMOUNT_MAX, le=AMOUNT_MAX, description="an integer of minor units"
    )
    currency: str = Field(
        min_length=1, max_length=16, description="an ISO 4217 code, such as EUR"
    )


class WebhookMessage(WireModel):
    """``order.task.webhook.received`` from outside; it carries no version."""

    provider: Id = Field(description="the name of a configured provider")
    event_id: Id = Field(
        description=f"the event's id, a string of 1 to {ID_LENGTH_MAX} characters"
    )
    received_at: Annotated[str, AfterValidator(_time)] = Field(
        description="a time like 2026-01-31T23:59:59Z",
        json_schema_extra={"format": "date-time"},
    )
    body: ForwardedBody = Field(
        description="the default webhook body, an object, with amount and currency"
    )


EXAMPLE: Final[dict[str, Any]] = {
    "provider": "acme",
    "event_id": "evt_71",
    "received_at": "2026-01-31T23:59:59Z",
    "body": {
        "id": "evt_71",
        "type": "payout.succeeded",
        "reference": "0195f2c4-7c1e-7d52-b3a6-5f0f3f1d2a10",
        "provider_reference": "po_3355",
        "amount": 12550,
        "currency": "EUR",
    },
}


def read_webhook_message(data: bytes, *, by: str, now: datetime) -> WebhookEvent:
    """Return the news as the word of the forwarder ``by``; none is from the future.

    :raises InvalidRequest: with every problem.
    """
    message = validated(WebhookMessage, parse_strict(data))
    webhook = webhook_of(
        message.body,
        provider=message.provider,
        event_id=message.event_id,
        received_at=min(parse_time(message.received_at), now),
    )
    return forwarded(webhook, by)


def webhook_of(
    body: WebhookBody, *, provider: str, event_id: str, received_at: datetime
) -> WebhookEvent:
    """Return what the default body says; a word that nobody knows is UNKNOWN."""
    known = body.type in {each.value for each in WebhookEventType}
    webhook = WebhookEvent(
        provider=provider,
        event_id=event_id,
        type=WebhookEventType(body.type) if known else WebhookEventType.UNKNOWN,
        reference=body.reference,
        provider_reference=body.provider_reference,
        amount=body.amount,
        currency=body.currency,
        code=body.code and masked_prose(body.code),
        message=body.message and masked_prose(body.message),
        received_at=received_at,
        body_hash=hashlib.sha256(_canonical(body)).digest(),
        detail={} if known else {"type": masked_prose(body.type)},
    )
    told = body.model_dump(exclude_none=True)
    return replace(webhook, content_hash=hash_of_content(webhook, told))


def _canonical(body: WebhookBody) -> bytes:
    return orjson.dumps(body.model_dump(exclude_none=True), option=orjson.OPT_SORT_KEYS)
