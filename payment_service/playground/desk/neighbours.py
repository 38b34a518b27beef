"""Who plays the desk's neighbours: core, two providers, services, two partners.

Who asks for something says what happens: by the token of its destination, payment
method or card (`tok_sim:SCRIPT`), and to core by its merchant. Else all goes well.
"""

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from payment_service.playground.demo.world import webhook_secret
from payment_service.playground.desk.own_tables import OwnTables
from payment_service.playground.world import Cast
from providers.testing.simulator import (
    Book,
    ChargeBook,
    FaultKind,
    Faults,
    InjectedFault,
    PartnerBook,
    ServiceBook,
    SimulatedPartner,
    SimulatedProvider,
    SimulatedService,
    Simulator,
)
from providers.testing.simulator.core import SimulatedCore

ROLES: Final = ("upstream", "viewer", "support", "admin")
PROVIDERS: Final = ("acme", "zeta")
SERVICES: Final = ("fraud", "delivery", "merchant", "items")
PARTNERS: Final = ("northbank", "southbank")

PROVIDER: Final = """\
[providers.{name}]
adapter = "rest"
base_url = "{base_url}"
timeout = "2s"
status = true
idempotent_create = true
key_lifetime = "1h"
not_found = "ambiguous"
not_found_grace = "3s"
sla = "4s"
on_sla = "poll"
webhook = {{ scheme = "standard", secrets = ["{secret}"] }}
poll = {{ first = "1s", factor = 1.5, max = "2s", deadline = "4s" }}
recheck = {{ first = "500ms", factor = 1.5, max = "2s", attempts = 6 }}

[providers.{name}.charge]
key_lifetime = "1h"
absent_after = "8s"
retry = {{ first = "500ms", factor = 1.5, max = "2s", attempts = 10 }}
"""
SERVICE: Final = """\
[services.{name}]
base_url = "{base_url}"
timeout = "2s"
retry = {{ first = "500ms", factor = 1.5, max = "2s", attempts = 6 }}
"""
PARTNER: Final = """\
[partners.{name}]
base_url = "{base_url}"
timeout = "2s"
countries = ["{country}"]
bins = ["4510"]
multi_match = "provisional"
retry = {{ first = "500ms", factor = 1.5, max = "2s", attempts = 6 }}
fallback = {{ first = "1s", factor = 2.0, max = "2s", deadline = "6s" }}
"""
CHECKOUT: Final = """\
[checkout]
payment = [{names}]
"""

BALANCES: Final[Mapping[str, int]] = {"m-poor": 0}
"""What merchants have, in minor units; all others have more than they can spend."""

FAULTS: Final[Mapping[str, InjectedFault]] = {
    "m-core-slow": InjectedFault(kind=FaultKind.SLOW, delay=1.0),
    "m-core-lost": InjectedFault(kind=FaultKind.APPLIED_DROP, probability=0.5),
    "m-core-refuses": InjectedFault(
        kind=FaultKind.REFUSE, operation="commit", code="account_closed"
    ),
}
"""What goes wrong at core, by the merchant that it goes wrong for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What only this desk knows: keys of the API by role, core's token, of webhooks."""

    keys: Mapping[str, str]
    core_token: str
    webhook: str

    @classmethod
    def kept_in(cls, folder: Path | None) -> "Secrets":
        """Make them by chance; in a folder that stays, those of its first start."""
        file = None if folder is None else folder / "secrets.json"
        if file is not None and file.exists():
            return cls(**json.loads(file.read_text()))
        made: dict[str, Any] = {
            "keys": {role: f"desk_{role}_{secrets.token_hex(8)}" for role in ROLES},
            "core_token": secrets.token_hex(16),
            "webhook": webhook_secret(),
        }
        if file is not None:
            with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
                json.dump(made, out)
        return cls(**made)


def cast_of(own: OwnTables, folder: Path | None) -> Cast:
    """Return the desk's neighbours; what they know is kept in a folder that stays."""
    known = Secrets.kept_in(folder)

    def book(name: str) -> str | None:
        return None if folder is None else str(folder / f"{name}.jsonl")

    faults = [
        replace(fault, where={"merchant_id": merchant})
        for merchant, fault in FAULTS.items()
    ]
    return Cast(
        core=SimulatedCore(
            book=book("core"),
            token=known.core_token,
            balances=BALANCES,
            faults=Faults(faults),
        ),
        core_token=known.core_token,
        simulator=Simulator(
            _providers([*PROVIDERS, *own.providers], known.webhook),
            book=Book(book("payouts")),
            services=[SimulatedService(name=name) for name in SERVICES],
            service_book=ServiceBook(book("services")),
            charge_book=ChargeBook(book("charges")),
            partners=[SimulatedPartner(name=name) for name in PARTNERS],
            partner_book=PartnerBook(book("partners")),
        ),
        tables=lambda simulator: _tables(simulator, known.webhook, own),
        keys=known.keys,
    )


def _providers(names: Sequence[str], secret: str) -> list[SimulatedProvider]:
    return [SimulatedProvider(name=name, secrets=(secret,)) for name in names]


def _tables(simulator: Simulator, secret: str, own: OwnTables) -> str:
    """Return the configuration: one's own tables, and the desk's beside them."""
    told = {
        **{
            ("providers", name): PROVIDER.format(
                name=name, base_url=simulator.base_url(name), secret=secret
            )
            for name in PROVIDERS
        },
        **{
            ("services", name): SERVICE.format(
                name=name, base_url=simulator.base_url(name)
            )
            for name in SERVICES
        },
        **{
            ("partners", name): PARTNER.format(
                name=name, base_url=simulator.base_url(name), country=country
            )
            for name, country in zip(PARTNERS, ("CA", "US"), strict=True)
        },
    }
    collecting = [name for name in PROVIDERS if own.lets_collect(name)]
    if collecting:
        names = ", ".join(f'"{name}"' for name in collecting)
        told["checkout", "payment"] = CHECKOUT.format(names=names)
    return own.beside(told, simulator.url)
