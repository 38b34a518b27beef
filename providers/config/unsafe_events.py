"""Webhooks whose events could not be told apart, and why not."""

from collections.abc import Iterator
from typing import Final

from providers.config.places import Place, parse_place
from providers.config.tables import ProviderTable, WebhookTable

NAMING: Final = frozenset({"standard", "hmac-sha256", "adyen", "paypal"})
"""The schemes that name an event outside of the body, whatever the body is."""

PER_PAYOUT: Final = (
    "is the same in all events of a payout: a return after the success would count as "
    'seen before; take several places, as webhook.event_id = ["data.id", "event"]'
)

Problems = Iterator[tuple[str, str]]


def unsafe_events(table: ProviderTable) -> Problems:
    """Name what would have one event taken for another."""
    webhook, body = table.webhook, table.webhook_body
    if webhook is None:
        return
    if table.adapter == "stripe":
        for name in ("event_id", "events_at"):
            if getattr(webhook, name) is not None:
                yield f"webhook.{name}", "has no meaning: Stripe says what an event is"
        return
    if webhook.event_id is not None and body is not None and body.event_id_at:
        yield "webhook.event_id", "has no meaning beside webhook_body.event_id_at"
    yield from _unsafe_names(table, webhook)
    if body is None or webhook.event_id is not None or body.event_id_at is not None:
        return
    if webhook.events_at is not None:
        yield "webhook_body.event_id_at", "is missing: each event needs its own id"
    elif not _names_events(webhook):
        reason = f"{webhook.scheme} names no event outside"
        yield "webhook_body.event_id_at", f"is missing: {reason}"


def _unsafe_names(table: ProviderTable, webhook: WebhookTable) -> Problems:
    payout = _of_the_payout(table)
    for key, places in _named(table, webhook):
        if places <= payout:
            yield key, PER_PAYOUT


def _named(
    table: ProviderTable, webhook: WebhookTable
) -> Iterator[tuple[str, frozenset[Place]]]:
    """Return what an event is known by, where that is in its body alone."""
    body, named = table.webhook_body, webhook.event_id
    if named is not None:
        if named.places and len(named.places) == len(set(named.parts)):
            yield "webhook.event_id", named.places
    elif body is not None and body.event_id_at is not None:
        yield "webhook_body.event_id_at", frozenset({body.event_id_at})
    elif (form := webhook.form) and form.event_id_pointer is not None:
        try:
            place = parse_place(form.event_id_pointer)
        except ValueError:
            return  # the scheme says what is wrong with it
        yield f"webhook.{form.table}.event_id_pointer", frozenset({place})


def _of_the_payout(table: ProviderTable) -> frozenset[Place]:
    body = table.webhook_body
    if body is None:
        return frozenset({Place(("reference",)), Place(("provider_reference",))})
    places = (body.reference_at, body.provider_reference_at)
    return frozenset(place for place in places if place is not None)


def _names_events(webhook: WebhookTable) -> bool:
    form = webhook.form
    if form is None:
        return webhook.scheme in NAMING
    return form.event_id_header is not None or form.event_id_pointer is not None
