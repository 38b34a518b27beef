"""Lists the partners of the configuration."""

from typing import Final

from fsm.domain.durations import format_duration
from payment_service.cli.context import configuration, read_settings
from payment_service.cli.partner_policy import partner_in_words
from payment_service.cli.printing import print_json, print_table
from payment_service.cli.tables import Fall
from providers.config import PartnerTable

FALL: Final = Fall(first=("adapter", "deadline", "multi_match", "countries"))


def list_(*, wide: bool, as_json: bool) -> int:
    """Print every partner with its plan."""
    tables = configuration(read_settings()).partners
    shown = [_view(table) for _, table in sorted(tables.items())]
    if as_json:
        print_json({"partners": shown})
        return 0
    names = ["name", "adapter", "base_url", "countries", "multi_match", "deadline"]
    rows = [[each[name] for name in names] for each in shown]
    print_table(
        names, rows, empty="The configuration has no partner.", fall=FALL, wide=wide
    )
    return 0


def _view(table: PartnerTable) -> dict[str, object]:
    return {
        "name": table.name,
        "adapter": table.adapter,
        "base_url": table.base_url,
        "timeout": format_duration(table.timeout),
        "max_in_flight": table.max_in_flight,
        "countries": ", ".join(table.countries),
        "bins": ", ".join(table.bins),
        "multi_match": table.multi_match,
        "deadline": format_duration(table.fallback.deadline),
        "file": table.file.path if table.file else None,
        "policy": list(partner_in_words(table)),
    }
