"""Reads webhooks in a declared form, by making them the default one first."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from fsm.domain.masking import masked_prose
from fsm.domain.odd import Odd
from fsm.domain.reading import shortened, shown
from fsm.domain.webhook_events import WebhookEvent, WebhookEventType
from providers.config.forms import WebhookBodyTable
from providers.config.places import Place, first_of, require_clear
from providers.rest.reading import (
    SPOILT,
    amount_of,
    currency_of,
    reference_of,
    text_of,
)
from providers.rest.webhooks import read_webhook

Body = Mapping[str, object]

PREFIX: Final = "payout."


def read_declared(
    table: WebhookBodyTable,
    body: Body,
    *,
    provider: str,
    event_id: str | None,
    reference_form: str,
    now: datetime,
) -> WebhookEvent | None:
    """Return what a verified webhook says; None without an event or a reference.

    A type that is not in the map is UNKNOWN, however familiar it sounds.

    :raises InvalidRequest: something that is neither money nor a message is odd.
    """
    require_clear((table.type_at, table.reference_at), body)
    require_clear((table.event_id_at,) if event_id is None else (), body)
    said = text_of(_at(table.type_at, body))
    kind = table.type_map.get(said or "")
    meant = (
        WebhookEventType.UNKNOWN
        if kind is None
        else WebhookEventType(f"{PREFIX}{kind}")
    )
    told = {"type": meant.value, **_plain(table, body, reference_form, meant)}
    webhook = read_webhook(provider, event_id, told, now)
    if webhook is None:
        return None
    detail = dict(webhook.detail)
    if said is not None and kind is None:
        detail["type"] = shortened(masked_prose(said))
    if (order := text_of(_at(table.order_at, body))) is not None:
        detail["order"] = shortened(masked_prose(order))
    return replace(webhook, detail=detail)


def _plain(
    table: WebhookBodyTable, body: Body, reference_form: str, kind: WebhookEventType
) -> dict[str, object]:
    currency = currency_of(_at(table.currency_at, body))
    amount = amount_of(_at(table.amount_at, body), table.amount_form, currency)
    named = _at(table.provider_reference_at, body)
    told = {
        "id": text_of(_at(table.event_id_at, body)),
        "reference": reference_of(_at(table.reference_at, body), reference_form),
        "provider_reference": named if isinstance(named, Odd) else text_of(named),
        "amount": _or_odd(amount, table.amount_at, body, kind),
        "currency": _or_odd(currency, table.currency_at, body, kind),
        "code": text_of(first_of(table.code_at, body)),
        "message": first_of(table.message_at, body),
    }
    return {name: value for name, value in told.items() if value is not None}


def _or_odd(
    read: object, place: Place | None, body: Body, kind: WebhookEventType
) -> object:
    """Return what was read, or that it is there and cannot be.

    A null cannot, where money is said to have moved.
    """
    if place is None:
        return read
    is_nothing = kind.moved_money and place.is_null(body)
    if read != SPOILT and not is_nothing:
        return read
    said = place.look(body)
    return said if isinstance(said, Odd) else Odd("cannot be read", shown=shown(said))


def _at(place: Place | None, body: Body) -> object | None:
    return None if place is None else place.look(body)
