"""Names the settings of a provider that its other settings leave without effect."""

from collections.abc import Iterator
from typing import Final

from fsm.foresight import Chance, absence_proves, repeat_asks, repeat_follows
from fsm.snapshot import AskedBy
from payment_service.cli.new_work import is_never_given_work
from payment_service.config import ProviderTable

LATER: Final = "shorten it, or raise recheck.attempts, recheck.factor or recheck.max"


def idle_settings(table: ProviderTable) -> Iterator[tuple[str, str]]:
    """Return what has no effect, each with what to do about it."""
    plan, timeout = table.plan, table.timeout
    asks = plan.asked_by is not AskedBy.NOTHING
    proves = absence_proves(plan, timeout) is not Chance.NEVER
    if asks and plan.not_found_definite and not proves:
        yield "not_found_grace: ends after every check, so a person decides", LATER
    follows = repeat_follows(plan, timeout) is not Chance.NEVER
    if asks and plan.idempotent_create and not follows:
        told = "not_found_grace: no repeat of the create can follow not found"
        yield told, f"{LATER}, or key_lifetime"
    unasked = plan.asked_by is not AskedBy.OURS
    repeats = repeat_asks(plan, timeout) is not Chance.NEVER
    if unasked and plan.idempotent_create and not repeats:
        told = "key_lifetime: ends before the first check, so nothing is repeated"
        yield told, "shorten recheck.first"
    if plan.settles_returns and table.webhook is None:
        told = "on_return: without a webhook nobody tells that a payout came back"
        yield told, "add webhook, or take it out"
    if is_never_given_work(table):
        yield "maintenance: it has no end, so it never gets new work", "shorten it"
