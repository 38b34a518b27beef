"""Lists the providers of the configuration."""

from payment_service.cli.opening import configuration, read_settings
from payment_service.cli.plans import plan_in_words
from payment_service.cli.screen import print_json, print_table
from payment_service.config import ProviderTable
from payment_service.domain.durations import format_duration


def list_(*, as_json: bool) -> int:
    """Print every provider with its plan."""
    tables = configuration(read_settings()).providers
    shown = [_view(tables[name]) for name in sorted(tables)]
    if as_json:
        print_json({"providers": shown})
        return 0
    names = ("name", "adapter", "base_url", "timeout", "sla", "on_sla", "webhook")
    rows = [[each[name] for name in names] for each in shown]
    print_table(names, rows, empty="The configuration has no provider.")
    return 0


def _view(table: ProviderTable) -> dict[str, object]:
    plan = table.plan
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
        "plan": plan_in_words(table),
    }
