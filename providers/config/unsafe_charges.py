"""Charges that could be made twice, or never be cleared up, and why."""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Final

from fsm.domain.durations import format_duration
from handlers.ports.clock import send_within
from providers.config.charges import ChargeTable
from providers.config.charging import unfit_for_charges
from providers.config.services import CheckoutTable, RetryTable
from providers.config.tables import ProviderTable

PROVIDERS_MAX: Final = 64
"""As many as a cascade of a withdrawal may have."""
JITTER: Final = 0.1
"""By this share a wait is shorter, or longer, than its table says."""

Problems = Iterator[tuple[str, str]]


def unsafe_checkout(
    table: CheckoutTable,
    providers: Mapping[str, ProviderTable],
    declared: Collection[str],
) -> Problems:
    """Name what keeps the providers of ``payment`` from collecting, one by one.

    ``declared`` are the providers that have a table, also where that is refused.
    """
    if "payment" in table.model_fields_set and not table.payment:
        yield "payment", "must not be empty: left out, [services.payment] is asked"
    if len(table.payment) > PROVIDERS_MAX:
        yield "payment", f"must not name more than {PROVIDERS_MAX} providers"
    for number, name in enumerate(table.payment):
        key = f"payment[{number}]"
        if name in table.payment[:number]:
            yield key, f"{name!r} is there twice: each is tried once, in order"
        elif name not in declared:
            there = ", ".join(sorted(declared)) or "none"
            yield key, f"{name!r} has no table [providers.{name}]; there are: {there}"
        elif name in providers and providers[name].charge is None:
            mend = f"give [providers.{name}] a charge, as charge = {{}}"
            yield key, f"{name!r} collects nothing: {mend}"


def unsafe_charge(table: ProviderTable, ack_wait: timedelta) -> Problems:
    """Name what is wrong with a provider's charges, by its keys."""
    charge = table.charge
    if charge is None:
        return
    yield from unfit_for_charges(table)
    yield from _unsafe_retry(charge, table.timeout)
    yield from _unsafe_key(charge, table.timeout, ack_wait)
    yield from _unsafe_absence(charge, table.timeout, ack_wait)


def _unsafe_retry(charge: ChargeTable, timeout: timedelta) -> Problems:
    if charge.retry.first > charge.retry.max:
        yield "charge.retry.first", "must not be longer than charge.retry.max"
    if charge.deadline is None:
        return
    if charge.deadline <= timeout:
        yield "charge.deadline", "must be longer than timeout: a call may take as long"
    if charge.deadline <= charge.retry.first:
        reason = "nothing is tried again"
        yield "charge.deadline", f"must be longer than charge.retry.first: {reason}"


def _unsafe_key(
    charge: ChargeTable, timeout: timedelta, ack_wait: timedelta
) -> Problems:
    if charge.key_lifetime is None:
        return
    longest = lasting(charge.retry, charge.retry.attempts) * (1 + JITTER)
    needed = timeout + send_within(ack_wait) + longest
    if charge.key_lifetime <= needed:
        told = f"must be longer than all tries last ({format_duration(needed)})"
        else_ = "left out, no charge is made again that may have arrived"
        yield "charge.key_lifetime", f"{told}: {else_}"


def _unsafe_absence(
    charge: ChargeTable, timeout: timedelta, ack_wait: timedelta
) -> Problems:
    """Refuse a no that comes while the charge is under way, and one never heard."""
    key, grace = "charge.absent_after", charge.absent_after
    if grace is None:
        return
    under_way = timeout + send_within(ack_wait)
    if grace <= under_way:
        least = format_duration(under_way)
        told = "must be longer than timeout and a sixth of PAYMENT_ACK_WAIT together"
        yield key, f"{told} ({least}): so long a charge may be under way"
    retry = charge.retry
    asked = (retry.first + lasting(retry, retry.attempts - 1)) * (1 - JITTER)
    if grace >= asked:
        most = format_duration(asked)
        told = f"must be shorter than the tries of charge.retry last ({most})"
        yield key, f"{told}: nobody asks that late"
    if charge.deadline is not None and grace >= charge.deadline:
        yield key, "must be shorter than charge.deadline: nobody asks that late"


def lasting(retry: RetryTable, times: int) -> timedelta:
    """Return how long so many waits last together."""
    waits = (retry.backoff.after(n) for n in range(times))
    return sum(waits, timedelta(0))
