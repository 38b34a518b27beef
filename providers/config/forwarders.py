"""``[forwarders.*]``: who else may speak on the bus, and how that is known.

Nobody may, unless a table says so: whoever can publish could say that money was paid.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator

from providers.config.fields import Duration
from providers.config.secrets import SecretTable
from providers.config.table import Table
from providers.config.values import Many, secret_table
from providers.signatures import SchemeSettings, Unsafe, Verifier, forwarded

Power = Literal["webhooks", "cancel"]


class ForwarderTable(Table):
    """One ``[forwarders.*]``: proven by ``secrets``, or vouched for by ``trust``."""

    name: str
    providers: Many[str] = ()
    secrets: Many[Annotated[SecretTable, BeforeValidator(secret_table)]] = ()
    trust: Literal["nats"] | None = None
    tolerance: Duration | None = None
    may: Many[Power] = ("webhooks",)

    def verifier(self, subject: str) -> Verifier:
        """Return the check of its messages on one subject, without the prefix.

        :raises Unsafe: it would protect nothing; a secret is none, for one.
        """
        secrets = [secret.secret for secret in self.secrets]
        return forwarded(
            subject, SchemeSettings(secrets=secrets, tolerance=self.tolerance)
        )


def unsafe_forwarder(
    table: ForwarderTable, _ack_wait: timedelta
) -> Iterator[tuple[str, str]]:
    """Tell what would let somebody speak who is not meant, or nobody at all."""
    if not table.may:
        yield "may", 'must not be empty: "webhooks", "cancel", or both'
    if "webhooks" in table.may and not table.providers:
        yield "providers", "is missing: for whom it may speak"
    if "webhooks" not in table.may and table.providers:
        yield "providers", 'has no meaning where may does not have "webhooks"'
    if table.trust is None:
        yield from _unsafe_secrets(table)
        return
    for key in ("secrets", "tolerance"):
        if getattr(table, key):
            yield key, 'has no meaning beside trust = "nats"'


def _unsafe_secrets(table: ForwarderTable) -> Iterator[tuple[str, str]]:
    if not table.secrets:
        yield "secrets", 'is missing; or trust = "nats", with what that takes'
        return
    try:
        table.verifier("any")
    except Unsafe as error:
        yield error.key, str(error)


def unsafe_together(
    forwarders: Mapping[str, ForwarderTable],
    providers: Mapping[str, Sequence[SecretTable]],
) -> Iterator[str]:
    """Tell where tables contradict each other; ``providers`` with their secrets."""
    owners = {
        secret.get_secret_value(): f"providers.{name}"
        for name, secrets in providers.items()
        for secret in secrets
    }
    for name, table in forwarders.items():
        where = f"[forwarders.{name}]"
        for provider in table.providers:
            if provider not in providers:
                yield f"{where} providers: no [providers.{provider}] is there"
        for secret in table.secrets:
            owner = owners.setdefault(secret.get_secret_value(), f"forwarders.{name}")
            if owner != f"forwarders.{name}":
                yield f"{where} secrets: has one that [{owner}] has too"
