"""The adapter `simulator`: the rest wire form against a simulator's own address."""

from typing import Final

from providers.config import ProviderTable
from providers.http.outbound import Outbound
from providers.rest import RestProvider

SIMULATOR_URL: Final = "http://127.0.0.1:9300"


def simulated_provider(
    table: ProviderTable, outbound: Outbound, *, callback_url: str | None
) -> RestProvider:
    """Make the provider; without a ``base_url`` it is at its usual place."""
    base_url = table.base_url or f"{SIMULATOR_URL}/{table.name}"
    return RestProvider(table, outbound, base_url=base_url, callback_url=callback_url)
