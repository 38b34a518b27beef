"""Names the settings of a provider that its other settings leave without effect."""

from collections.abc import Iterator
from typing import Final

from fsm.payout.foresight import Chance, absence_proves, repeat_asks, repeat_follows
from fsm.payout.policy import AskedBy
from payment_service.cli.provider_admission import is_never_given_work
from providers.config import ProviderTable
from providers.config.forms import Failing, Meaning

_NO: Final = frozenset({Meaning.DECLINED, Meaning.FAILED})
LATER: Final = "shorten it, or raise recheck.attempts, recheck.factor or recheck.max"


def says_not_found(table: ProviderTable) -> bool:
    """Tell whether an answer to a question for the status can say `not found`."""
    if table.asking is None:
        return table.status
    answers = table.asking.answers.over(table.answers)
    listed = any(entry.means is Failing.NOT_FOUND for entry in answers.error_map)
    listed = listed or Meaning.NOT_FOUND in answers.status_map.values()
    return listed or answers.items_at is not None


def why_no_definite_no(table: ProviderTable) -> str | None:
    """Say why no answer to a create can be a definite no, None where one can."""
    if table.create is None:
        return None
    answers = table.create.answers.over(table.answers)
    listed = any(entry.means is Failing.DECLINED for entry in answers.error_map)
    if not listed and _NO.isdisjoint(answers.status_map.values()):
        return "the table lists none"
    if table.rejection_codes and not answers.code_at:
        return "codes are listed, and no place to read one (code_at)"
    return None


def idle_settings(table: ProviderTable) -> Iterator[tuple[str, str]]:
    """Return what has no effect, each with what to do about it."""
    plan, timeout = table.policy, table.timeout
    asks = plan.asked_by is not AskedBy.NOTHING
    if table.rejection_codes and (why := why_no_definite_no(table)):
        yield f"rejection_codes: no answer is a definite no, {why}", "mend the table"
    said = says_not_found(table)
    if asks and plan.not_found_definite and not said:
        told = "not_found: nothing in the table says that it was not found"
        yield told, 'list such an error with means = "not_found"'
    asks = asks and said
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
