"""Reads Stripe's webhooks: pure, and never a guess.

An event holds the object as it was when it happened, so what counts is the object's
own status; a type that says something else than its object settles nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Final

from fsm.domain.masking import masked_prose
from fsm.domain.reading import (
    UnreadableField,
    identifier_in,
    shortened,
    shown,
)
from fsm.domain.webhook_events import UNREADABLE, WebhookEvent, WebhookEventType
from providers.config.places import Place, require_clear
from providers.config.stripe import Makes
from providers.stripe.objects import Body, Fate, Seen, read_seen, reference_in

_SETTLING: Final = {
    "payout.paid": Fate.PAID,
    "payout.failed": Fate.NOT_PAID,
    "payout.canceled": Fate.NOT_PAID,
    "payment_intent.succeeded": Fate.PAID,
    "payment_intent.payment_failed": Fate.NOT_PAID,
    "payment_intent.canceled": Fate.NOT_PAID,
}
_BY_FATE: Final = {
    Fate.PAID: WebhookEventType.SUCCEEDED,
    Fate.COMING: WebhookEventType.ACCEPTED,
    Fate.NOT_PAID: WebhookEventType.FAILED,
    Fate.REVERSED: WebhookEventType.RETURNED,
    Fate.UNKNOWN: WebhookEventType.UNKNOWN,
}
_OBJECT: Final = ("data", "object")
_READ: Final = (
    Place(("id",)),
    Place(("type",)),
    Place(("livemode",)),
    *(Place((*_OBJECT, name)) for name in ("object", "id", "status", "livemode")),
    Place((*_OBJECT, "metadata", "reference")),
    Place(("data", "previous_attributes", "status")),
)
# It stands where the money cannot be read, and is thrown away again.
SOME_MONEY: Final = {"amount": 1, "amount_received": 1, "currency": "eur"}
PAID: Final = "paid"
FAILED: Final = "failed"


def read_webhook(
    body: Body, now: datetime, *, provider: str, makes: Makes, live: bool | None
) -> WebhookEvent | None:
    """Return what a verified event says; None for what is no event.

    One about something that is not ours (an automatic payout, another system's) is
    UNKNOWN under Stripe's own id: refused, Stripe would send it for days and then
    switch the endpoint off.

    :raises InvalidRequest: something that is neither money nor a message is odd.
    """
    require_clear(_READ, body)
    event, said = identifier_in(body, "id"), identifier_in(body, "type")
    subject = _subject(body)
    if event is None or said is None or subject is None:
        return None
    about = reference_in(subject) or identifier_in(subject, "id")
    if about is None:
        return None
    detail: dict[str, object] = {"type": shortened(masked_prose(said))}
    told = partial(
        WebhookEvent,
        provider=provider,
        event_id=event,
        reference=about,
        received_at=now,
    )
    try:
        seen, unreadable = _seen(subject, makes)
    except UnreadableField as error:
        detail[UNREADABLE] = str(error)
        return told(type=WebhookEventType.UNKNOWN, detail=detail)
    kind = _kind(body, said, seen, live=live)
    detail["status"] = shortened(masked_prose(seen.status))
    if unreadable:
        detail[UNREADABLE] = unreadable
    return told(
        type=kind,
        provider_reference=seen.id,
        amount=None if unreadable else seen.amount,
        currency=None if unreadable else seen.currency,
        code=_code(kind, seen),
        message=seen.message,
        detail=detail,
    )


def _seen(subject: Body, makes: Makes) -> tuple[Seen, Mapping[str, str]]:
    """Read the object, and its money as far as that can be read."""
    try:
        return read_seen(subject, makes), {}
    except UnreadableField as error:
        name = str(error)
        if name not in SOME_MONEY:
            raise
        said = {name: shown(subject.get(name))}
        return read_seen({**subject, **SOME_MONEY}, makes), said


def _subject(body: Body) -> Body | None:
    data = body.get("data")
    subject = data.get("object") if isinstance(data, dict) else None
    return subject if isinstance(subject, dict) else None


def _kind(body: Body, said: str, seen: Seen, *, live: bool | None) -> WebhookEventType:
    """Return what an event means; a test event means nothing to a live payout."""
    if None not in {live, _mode(body, seen)} and _mode(body, seen) is not live:
        return WebhookEventType.UNKNOWN
    if _SETTLING.get(said, seen.fate) is not seen.fate:
        return WebhookEventType.UNKNOWN
    if seen.status == FAILED and _was_paid(body, seen):
        return WebhookEventType.RETURNED
    return _BY_FATE[seen.fate]


def _mode(body: Body, seen: Seen) -> bool | None:
    mode = body.get("livemode")
    return mode if isinstance(mode, bool) else seen.live


def _was_paid(body: Body, seen: Seen) -> bool:
    """Say whether a failed payout had been paid before: then it is a return.

    An event that tells the status before knows. Else the day of arrival does: from then
    on Stripe shows a payout as paid, until the bank sends it back, days later. In
    doubt it is a return, since that moves no money: a person decides.
    """
    before = _previous(body).get("status")
    if isinstance(before, str):
        return before == PAID
    at = body.get("created")
    return type(at) is int and seen.arrival is not None and at >= seen.arrival


def _previous(body: Body) -> Mapping[str, object]:
    data = body.get("data")
    previous = data.get("previous_attributes") if isinstance(data, dict) else None
    return previous if isinstance(previous, dict) else {}


def _code(kind: WebhookEventType, seen: Seen) -> str | None:
    if kind not in {WebhookEventType.FAILED, WebhookEventType.RETURNED}:
        return None
    return seen.code or seen.status
