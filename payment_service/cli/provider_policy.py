"""Says in words what a provider's table means for the money."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

from fsm.domain.durations import format_duration
from fsm.engine.backoff import Backoff
from fsm.payout.foresight import (
    Chance,
    absence_proves,
    checks,
    repeat_asks,
    repeat_follows,
)
from fsm.payout.policy import AskedBy, ProviderPolicy
from payment_service.cli.provider_admission import new_work
from payment_service.cli.provider_form import form_in_words
from payment_service.cli.provider_warnings import says_not_found, why_no_definite_no
from providers.config import ProviderTable
from providers.config.forms import ErrorEntry, Failing
from providers.signatures import BARE
from providers.stripe.provider import is_live

_SAYS: Final = {
    Failing.DECLINED: "is a definite no to a create",
    Failing.UNCLEAR: "proves nothing",
    Failing.NOT_FOUND: "says that it is not there, to a question for the status",
    Failing.EXISTS: "says that it exists already, and its status is asked",
    Failing.RETRY_LATER: "proves nothing, and the status is asked later",
    Failing.TOO_LATE: "says that it is too late to cancel",
}
_SAYS_UNASKED: Final = {
    Failing.EXISTS: "says that it exists already, which proves nothing",
    Failing.RETRY_LATER: "proves nothing",
}
POLLS_COUNTED_MAX: Final = 1000


def policy_in_words(table: ProviderTable) -> list[str]:
    """Return one sentence for each thing that the plan decides."""
    plan = table.policy
    return [
        *_making(table),
        *form_in_words(table),
        _definite_no(table),
        *_errors(table),
        _unclear(table, plan),
        *_repeats(table, plan),
        _not_found(table, plan),
        _after_sla(table, plan),
        _webhooks(table),
        *_returns(table, plan),
        f"A manual check follows {_manual(table, plan)}.",
        *new_work(table),
    ]


def _making(table: ProviderTable) -> Iterator[str]:
    """Say what Stripe is asked for: money that comes is not money that goes."""
    if table.stripe is None or table.auth is None:
        return
    makes = "payouts" if table.stripe.makes == "payout" else "payment intents"
    yield f"It makes {makes} by Stripe's API of {table.stripe.version}."
    if table.stripe.makes == "payment_intent":
        yield "Money is collected from the destination, not sent to it."
    if is_live(table.auth) is False:
        yield "The key is a test key: no money moves."


def _definite_no(table: ProviderTable) -> str:
    if (why := why_no_definite_no(table)) is not None:
        return f"No answer to a create is a definite no: {why}."
    if table.rejection_codes:
        codes = ", ".join(table.rejection_codes)
        return f"Only the codes {codes} are a definite no; others are unclear."
    if table.stripe is not None:
        return "What Stripe has executed and refused is a definite no."
    if table.create is None:
        return "Every declined answer is a definite no."
    return "Only what the table lists is a definite no; all else is unclear."


def _errors(table: ProviderTable) -> Iterator[str]:
    """Say of each listed error what it means; one call may list its own."""
    listed = {"": table.answers}
    calls = {"create": table.create, "status": table.asking, "cancel": table.cancel}
    listed |= {f"{n} alone: ": call.answers for n, call in calls.items() if call}
    for where, answers in listed.items():
        for entry in answers.error_map if answers else ():
            if says := _says(entry.means, table):
                yield f"{where}{_error(entry)} {says}."


def _says(means: Failing, table: ProviderTable) -> str | None:
    """Return what an error says, None for one to a call that is never made."""
    if means is Failing.TOO_LATE and table.create is not None and table.cancel is None:
        return None
    if table.status:
        return _SAYS[means]
    if means is Failing.NOT_FOUND:
        return None
    return _SAYS_UNASKED.get(means, _SAYS[means])


def _error(entry: ErrorEntry) -> str:
    if not entry.http:
        return f"An error {_either(entry.codes)}"
    codes = f" with the code {_either(entry.codes)}" if entry.codes else ""
    return f"HTTP {_either(entry.http)}{codes}"


def _either(choices: Iterable[object]) -> str:
    *first, last = map(str, choices)
    return f"{', '.join(first)} or {last}" if first else last


def _unclear(table: ProviderTable, plan: ProviderPolicy) -> str:
    limit = format_duration(table.timeout)
    follows = _rechecks(table, plan)
    return f"A timeout ({limit}) or an unclear answer is no no: {follows}."


def _rechecks(table: ProviderTable, plan: ProviderPolicy) -> str:
    attempts = plan.recheck_attempts
    times = "once" if attempts == 1 else f"up to {attempts} times"
    how = f"after {_pace(plan.recheck, attempts)}, {times}"
    repeats = repeat_asks(plan, table.timeout) is not Chance.NEVER
    if plan.asked_by is AskedBy.OURS:
        return f"the status is asked {how}"
    if plan.asked_by is AskedBy.THEIRS:
        else_ = " and else the create is repeated," if repeats else ""
        return f"the status is asked where its own id is known,{else_} {how}"
    if repeats:
        return f"the create is repeated with the same key {how}"
    if table.webhook is None:
        after = _due(plan, -1)
        return f"nothing is asked, no webhook comes, a person is asked {after} later"
    return f"nothing can be asked: it waits for a webhook, {how}"


def _pace(backoff: Backoff, attempts: int) -> str:
    """Say how the waits grow, as far as so many of them do."""
    first, longest = backoff.after(0), backoff.after(attempts - 1)
    if longest == first:
        return format_duration(first) if attempts == 1 else f"each {_rough(first)}"
    times = f"{backoff.factor:g} times as long"
    return f"{_rough(first)}, then {times}, up to {_rough(longest)}"


def _rough(length: timedelta) -> str:
    """Return a duration to the second where it is longer than a minute."""
    if length < timedelta(minutes=1):
        return format_duration(length)
    return format_duration(timedelta(seconds=round(length.total_seconds())))


def _repeats(table: ProviderTable, plan: ProviderPolicy) -> Iterator[str]:
    if not plan.idempotent_create:
        yield "The create is never repeated once it may have left."
        return
    life = format_duration(plan.key_lifetime)
    if plan.asked_by is not AskedBy.NOTHING:
        yield _repeats_after_not_found(table, plan)
    if plan.asked_by is not AskedBy.OURS:
        if repeat_asks(plan, table.timeout) is Chance.NEVER:
            first = format_duration(plan.recheck.first)
            yield (
                f"No repeat is the question: the key lives {life}, and the first check "
                f"is {first} after the create."
            )
        else:
            yield (
                f"A repeat within {life} of the first is the question where the status "
                "cannot be asked; never once a rollback is due, a person has said no "
                "or a cancellation is wished."
            )


def _repeats_after_not_found(table: ProviderTable, plan: ProviderPolicy) -> str:
    grace = format_duration(plan.not_found_grace)
    life = format_duration(plan.key_lifetime)
    if not says_not_found(table):
        return "The create is never repeated after not found: no answer says that."
    chance = repeat_follows(plan, table.timeout)
    if chance is Chance.NEVER:
        return (
            f"The create is never repeated after not found: that counts {grace} after "
            f"it, its key lives {life}, and the last check but one is {_due(plan, -2)} "
            "after it."
        )
    perhaps = "" if chance is Chance.YES else ", if a check comes then"
    return (
        f"The create is repeated with the same key where the status says not found "
        f"{grace} after the last one, within {life} of the first{perhaps}."
    )


def _not_found(table: ProviderTable, plan: ProviderPolicy) -> str:
    if not table.status:
        return "The status cannot be asked."
    if plan.asked_by is AskedBy.THEIRS and not plan.not_found_definite:
        return "The status is asked by its own id; not found proves nothing."
    if not plan.not_found_definite:
        return "Not found proves nothing."
    if not says_not_found(table):
        return "Not found proves nothing: no answer that the table lists says it."
    grace = format_duration(plan.not_found_grace)
    proves = f"Not found proves that it did not pay, {grace} after the create"
    match absence_proves(plan, table.timeout):
        case Chance.YES:
            return f"{proves}."
        case Chance.PERHAPS:
            last = _due(plan, -1)
            return f"{proves}, if a check comes then: the last is due {last} after it."
        case Chance.NEVER:
            return (
                f"Not found proves nothing: it would {grace} after the create, and the "
                f"last check is {_due(plan, -1)} after it. Then a person is asked."
            )


def _due(plan: ProviderPolicy, number: int) -> str:
    """Return after how long one of the checks is due, from the last or the first."""
    due = checks(plan)
    return _rough(due[number] if len(due) >= abs(number) else timedelta(0))


def _after_sla(table: ProviderTable, plan: ProviderPolicy) -> str:
    if plan.sla is None and table.webhook is None:
        return "It waits for a person, without end."
    if plan.sla is None:
        return "It waits for a webhook or a person, without end."
    sla = format_duration(plan.sla)
    if not plan.polls:
        return f"{sla} after it was accepted a person is asked."
    deadline = format_duration(plan.poll_deadline)
    return (
        f"{sla} after it was accepted the status is polled after "
        f"{_pace(plan.poll, _polls(plan))}, for {deadline}."
    )


def _polls(plan: ProviderPolicy) -> int:
    """Return how many waits there are before the deadline."""
    spent, polls = timedelta(0), 0
    while spent < plan.poll_deadline and polls < POLLS_COUNTED_MAX:
        spent += plan.poll.after(polls)
        polls += 1
    return polls


def _returns(table: ProviderTable, plan: ProviderPolicy) -> Iterator[str]:
    """Say what happens where a payout comes back after its success."""
    if plan.settles_returns and plan.finality is not None:
        within = format_duration(plan.finality)
        if table.webhook is None:
            yield "No webhook tells that a payout came back: nothing settles it."
        else:
            yield f"What comes back within {within} is taken back without a person."


def _webhooks(table: ProviderTable) -> str:
    if table.webhook is None:
        return "It sends no webhooks."
    if table.webhook.scheme in BARE:
        return "Webhooks bring a token, and prove nothing of what they say."
    keys = table.webhook.public_key.keys if table.webhook.public_key else ()
    what, count = "secret", len(table.webhook.secrets)
    if keys:
        what, count = "public key", len(keys)
    secrets = f"1 {what}" if count == 1 else f"{count} {what}s"
    signed = f"Webhooks are signed by {table.webhook.scheme} with {secrets}"
    tolerance = table.webhook.tolerance
    if tolerance is None:
        return f"{signed}, at any time."
    return f"{signed}, ±{format_duration(tolerance)}."


def _manual(table: ProviderTable, plan: ProviderPolicy) -> str:
    many = plan.recheck_attempts
    reasons = [f"{many} check{'s' * (many > 1)} without a definite answer"]
    repeats = repeat_asks(plan, table.timeout) is not Chance.NEVER
    if plan.asked_by is AskedBy.NOTHING and not repeats:
        reasons = [f"{_due(plan, -1)} without news of an unclear create"]
    if repeats:
        life = format_duration(plan.key_lifetime)
        reasons[0] += f" (the create is repeated for {life} at most)"
    if plan.sla is not None and plan.polls:
        reasons.append(f"{format_duration(plan.poll_deadline)} of polling in vain")
    elif plan.sla is not None:
        reasons.append(f"the SLA of {format_duration(plan.sla)}")
    by = "an answer" if table.webhook is None else "a webhook"
    reasons.append(f"{by} with another amount")
    return ", or ".join(reasons)
