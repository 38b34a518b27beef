"""Lists the providers of the configuration."""

from collections.abc import Mapping
from typing import Final

from fsm.domain.durations import format_duration
from fsm.domain.errors import Fault
from handlers.ports.reads import ProviderStatus
from payment_service.cli.context import configuration, read_settings
from payment_service.cli.errors import Wrong
from payment_service.cli.printing import print_json, print_table, print_text
from payment_service.cli.provider_policy import policy_in_words
from payment_service.cli.tables import Fall
from providers.config import ProviderTable

FALL: Final = Fall(
    first=(
        *("adapter", "on_sla", "timeout", "sla", "webhook"),
        *("in_flight", "success_rate", "base_url"),
    ),
    prose=("because",),
)


def list_(*, wide: bool, as_json: bool) -> int:
    """Print every provider with its plan, and how it does where that is known."""
    settings = read_settings()
    tables = configuration(settings).providers
    known, untold = _known_statuses(asked=settings.database_url is not None)
    shown = [
        _view(table) | _standing(known.get(n)) for n, table in sorted(tables.items())
    ]
    if as_json:
        print_json({"providers": shown})
        return 0
    names = ["name", "adapter", "base_url", "timeout", "sla", "on_sla", "webhook"]
    if known:
        names += ["state", "in_flight", "success_rate", "because"]
    rows = [[each[name] for name in names] for each in shown]
    print_table(
        names, rows, empty="The configuration has no provider.", fall=FALL, wide=wide
    )
    if untold is not None:
        print_text(f"How they do is not known: {untold}")
    return 0


def _known_statuses(*, asked: bool) -> tuple[Mapping[str, ProviderStatus], str | None]:
    """Return how they do, or why that is not known although it was asked for."""
    if not asked:
        return {}, None
    from payment_service.cli.provider_control import known_statuses  # noqa: PLC0415 - heavy

    try:
        return known_statuses(), None
    except (Wrong, Fault) as failure:
        return {}, str(failure)


def _standing(status: ProviderStatus | None) -> dict[str, object]:
    if status is None:
        return {}
    return {
        "state": status.state.value,
        "in_flight": status.in_flight,
        "success_rate": status.success_rate,
        "because": status.because,
    }


def _view(table: ProviderTable) -> dict[str, object]:
    plan = table.policy
    return {
        "name": table.name,
        "adapter": table.adapter,
        "base_url": table.base_url,
        "timeout": format_duration(table.timeout),
        "max_in_flight": table.max_in_flight,
        "status": table.status,
        "idempotent_create": table.idempotent_create,
        "sla": "none" if plan.sla is None else format_duration(plan.sla),
        "on_sla": "poll" if plan.polls else "manual",
        "webhook": table.webhook.scheme if table.webhook else None,
        "policy": policy_in_words(table),
    }
