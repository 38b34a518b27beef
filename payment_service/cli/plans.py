"""Says in words what a provider's table means for the money."""

from collections.abc import Iterable, Iterator
from typing import Final

from fsm.snapshot import AskedBy, Backoff, Plan
from payment_service.config import ProviderTable
from payment_service.config.forms import ErrorEntry, Failing
from payment_service.domain.durations import format_duration
from payment_service.domain.rates import Rate
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


def plan_in_words(table: ProviderTable) -> list[str]:
    """Return one sentence for each thing that the plan decides."""
    plan = table.plan
    return [
        *_making(table),
        _definite_no(table),
        *_errors(table),
        _unclear(table, plan),
        *_repeats(plan),
        _not_found(table, plan),
        _after_sla(plan),
        _webhooks(table),
        f"A manual check follows {_manual(plan)}.",
        *_new_work(table),
    ]


def _new_work(table: ProviderTable) -> Iterator[str]:
    """Say when it gets no new work, and what happens to an order then."""
    breaker, limits = table.breaker, table.limits
    yield (
        f"New work stops for {format_duration(breaker.open)} where {breaker.min_calls} "
        f"creates or more in {format_duration(breaker.window)} fail by "
        f"{breaker.failure_rate:.0%}; then {breaker.probes} try it."
    )
    if limits.rate is not None:
        yield f"All replicas together send {_rate(limits.rate)} creates at most."
    if limits.in_flight is not None:
        yield f"All replicas together have {limits.in_flight} of them under way."
    yield f"Each replica has {table.max_in_flight} calls in flight at most."
    for window in table.maintenance:
        yield f"It gets no new work {window.weekly} ({window.tz.key})."
    patience = format_duration(table.health.patience)
    yield (
        f"An order waits {patience} for it where another provider can be tried, "
        "and without end where none can."
    )


def _rate(rate: Rate) -> str:
    return f"{rate.count} in {format_duration(rate.period)}"


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
            yield f"{where}{_error(entry)} {_SAYS[entry.means]}."


def _error(entry: ErrorEntry) -> str:
    if not entry.http:
        return f"An error {_either(entry.codes)}"
    codes = f" with the code {_either(entry.codes)}" if entry.codes else ""
    return f"HTTP {_either(entry.http)}{codes}"


def _either(choices: Iterable[object]) -> str:
    *first, last = map(str, choices)
    return f"{', '.join(first)} or {last}" if first else last


def _unclear(table: ProviderTable, plan: Plan) -> str:
    limit = format_duration(table.timeout)
    return f"A timeout ({limit}) or an unclear answer is no no: {_rechecks(plan)}."


def _rechecks(plan: Plan) -> str:
    how = f"after {_pace(plan.recheck)}, up to {plan.recheck_attempts} times"
    if plan.asked_by is AskedBy.OURS:
        return f"the status is asked {how}"
    if plan.asked_by is AskedBy.THEIRS:
        else_ = " and else the create is repeated," if plan.idempotent_create else ""
        return f"the status is asked where its own id is known,{else_} {how}"
    if plan.idempotent_create:
        return f"the create is repeated with the same key {how}"
    return f"nothing can be asked: it waits for a webhook, {how}"


def _pace(backoff: Backoff) -> str:
    first, longest = format_duration(backoff.first), format_duration(backoff.longest)
    return f"{first}, then {backoff.factor:g} times as long, up to {longest}"


def _repeats(plan: Plan) -> Iterator[str]:
    if not plan.idempotent_create:
        yield "The create is never repeated once it may have left."
        return
    grace, life = _grace(plan), format_duration(plan.key_lifetime)
    if plan.asked_by is not AskedBy.NOTHING:
        yield (
            f"The create is repeated with the same key where the status says not found "
            f"{grace} after the last one, within {life} of the first."
        )
    if plan.asked_by is not AskedBy.OURS:
        yield (
            f"A repeat within {life} of the first is the question where the status "
            "cannot be asked; never once a rollback is due, a person has said no or "
            "a cancellation is wished."
        )


def _not_found(table: ProviderTable, plan: Plan) -> str:
    if not table.status:
        return "The status cannot be asked."
    if plan.asked_by is AskedBy.THEIRS and not plan.not_found_definite:
        return "The status is asked by its own id; not found proves nothing."
    if plan.not_found_definite:
        return f"Not found proves that it did not pay, {_grace(plan)} after the create."
    return "Not found proves nothing."


def _grace(plan: Plan) -> str:
    return format_duration(plan.not_found_grace)


def _after_sla(plan: Plan) -> str:
    if plan.sla is None:
        return "It waits for a webhook or a person, without end."
    sla = format_duration(plan.sla)
    if not plan.polls:
        return f"{sla} after it was accepted a person is asked."
    deadline = format_duration(plan.poll_deadline)
    return (
        f"{sla} after it was accepted the status is polled after {_pace(plan.poll)}, "
        f"for {deadline}."
    )


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


def _manual(plan: Plan) -> str:
    reasons = [f"{plan.recheck_attempts} checks without a definite answer"]
    if plan.asked_by is not AskedBy.OURS and plan.idempotent_create:
        life = format_duration(plan.key_lifetime)
        reasons[0] += f" (the create is repeated for {life} at most)"
    if plan.sla is not None and plan.polls:
        reasons.append(f"{format_duration(plan.poll_deadline)} of polling in vain")
    elif plan.sla is not None:
        reasons.append(f"the SLA of {format_duration(plan.sla)}")
    reasons.append("a webhook with another amount")
    return ", or ".join(reasons)
