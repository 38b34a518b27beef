"""The adapter `simulator`: the rest wire form against a simulator's own address."""

from typing import Final

from providers.config import ProviderTable
from providers.http.outbound import Outbound
from providers.rest import RestProvider
from providers.rest.charges import RestCharges

SIMULATOR_URL: Final = "http://127.0.0.1:9300"


class SimulatorAdapter:
    """Makes providers, and payment providers; each has its usual place."""

    def __call__(
        self, table: ProviderTable, outbound: Outbound, *, callback_url: str | None
    ) -> RestProvider:
        """Make what pays out."""
        return RestProvider(
            table, outbound, base_url=_place_of(table), callback_url=callback_url
        )

    def charges(self, table: ProviderTable, outbound: Outbound) -> RestCharges:
        """Make what collects."""
        return RestCharges(table, outbound, base_url=_place_of(table))


simulated_provider: Final = SimulatorAdapter()


def _place_of(table: ProviderTable) -> str:
    return table.base_url or f"{SIMULATOR_URL}/{table.name}"
