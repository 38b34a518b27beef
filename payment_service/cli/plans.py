"""Says in words what a provider's table means for the money."""

from fsm.snapshot import Backoff, Plan
from payment_service.config import ProviderTable
from payment_service.domain.durations import format_duration


def plan_in_words(table: ProviderTable) -> list[str]:
    """Return one sentence for each thing that the plan decides."""
    plan = table.plan
    return [
        _definite_no(table),
        _unclear(table, plan),
        _repeats(plan),
        _not_found(table, plan),
        _after_sla(plan),
        _webhooks(table),
        f"A manual check follows {_manual(plan)}.",
    ]


def _definite_no(table: ProviderTable) -> str:
    if not table.rejection_codes:
        return "Every declined answer is a definite no."
    codes = ", ".join(table.rejection_codes)
    return f"Only the codes {codes} are a definite no; others are unclear."


def _unclear(table: ProviderTable, plan: Plan) -> str:
    limit = format_duration(table.timeout)
    return (
        f"A timeout ({limit}) or an unclear answer is no no: {_rechecks(table, plan)}."
    )


def _rechecks(table: ProviderTable, plan: Plan) -> str:
    if not table.status:
        return f"it is weighed {plan.recheck_attempts} times without asking the status"
    pace = _pace(plan.recheck)
    return f"the status is asked after {pace}, up to {plan.recheck_attempts} times"


def _pace(backoff: Backoff) -> str:
    first, longest = format_duration(backoff.first), format_duration(backoff.longest)
    return f"{first}, then {backoff.factor:g} times as long, up to {longest}"


def _repeats(plan: Plan) -> str:
    if not plan.idempotent_create:
        return "The create is never repeated once it may have left."
    grace, life = _grace(plan), format_duration(plan.key_lifetime)
    return (
        f"The create is repeated with the same key where the status says not found "
        f"{grace} after the last one, within {life} of the first."
    )


def _not_found(table: ProviderTable, plan: Plan) -> str:
    if not table.status:
        return "The status cannot be asked."
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
    count = len(table.webhook.secrets)
    secrets = "1 secret" if count == 1 else f"{count} secrets"
    signed = f"Webhooks are signed by {table.webhook.scheme} with {secrets}"
    tolerance = table.webhook.tolerance
    if tolerance is None:
        return f"{signed}, at any time."
    return f"{signed}, ±{format_duration(tolerance)}."


def _manual(plan: Plan) -> str:
    reasons = [f"{plan.recheck_attempts} checks without a definite answer"]
    if plan.sla is not None and plan.polls:
        reasons.append(f"{format_duration(plan.poll_deadline)} of polling in vain")
    elif plan.sla is not None:
        reasons.append(f"the SLA of {format_duration(plan.sla)}")
    reasons.append("a webhook with another amount")
    return ", or ".join(reasons)
