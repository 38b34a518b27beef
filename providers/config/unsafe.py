"""Combinations of values that would cost money, and what is wrong with each."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from providers.config.tables import ProviderTable, WebhookTable
from providers.config.unsafe_charges import unsafe_charge
from providers.config.unsafe_events import unsafe_events
from providers.config.unsafe_forms import unsafe_form
from providers.config.unsafe_services import unsafe_timeout
from providers.config.unsafe_stripe import unsafe_stripe
from providers.signatures import UNCOVERED, Unsafe

OWN_ADAPTERS: Final = frozenset({"rest", "simulator", "stripe"})

Problems = Iterator[tuple[str, str]]
"""Keys, and what is wrong with them."""


def unsafe_provider(table: ProviderTable, ack_wait: timedelta) -> Problems:
    yield from unsafe_timeout(table.timeout, ack_wait)
    if table.not_found_grace < table.timeout:
        yield "not_found_grace", "must not be shorter than timeout"
    if table.idempotent_create and table.key_lifetime <= table.timeout:
        reason = "a repeat must arrive while the key lives"
        yield "key_lifetime", f"must be longer than timeout: {reason}"
    if table.poll.first > table.poll.deadline:
        yield "poll.first", "must not be longer than poll.deadline"
    if table.on_return == "settle" and table.finality is None:
        yield "on_return", 'cannot be "settle" where finality = "none"'
    yield from _unsafe_capabilities(table)
    yield from _unsafe_adapter(table)
    yield from unsafe_form(table)
    yield from unsafe_stripe(table)
    yield from unsafe_events(table)
    yield from unsafe_charge(table, ack_wait)
    if table.webhook is not None:
        yield from _unsafe_webhook(table.webhook, table.adapter)


def _unsafe_capabilities(table: ProviderTable) -> Problems:
    if table.status or table.on_sla == "manual":
        return
    if table.on_sla == "poll":
        yield "on_sla", 'cannot be "poll" where status = false'
    elif not table.idempotent_create:
        yield (
            "status",
            'must be true, or idempotent_create, or on_sla = "manual"',
        )


def _unsafe_adapter(table: ProviderTable) -> Problems:
    if table.adapter == "rest" and table.base_url is None:
        yield "base_url", "is missing"
    if table.adapter in OWN_ADAPTERS and table.options:
        yield "options", f"unknown key of the adapter {table.adapter}"


def _unsafe_webhook(table: WebhookTable, adapter: str) -> Problems:
    if table.scheme in UNCOVERED and adapter in OWN_ADAPTERS:
        reason = "it does not sign the whole body, and this adapter believes all of it"
        yield "webhook.scheme", f"cannot be {table.scheme} with {adapter}: {reason}"
    try:
        table.verifier()
    except Unsafe as error:
        yield f"webhook.{error.key}", str(error)
