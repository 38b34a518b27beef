"""Makes the providers, those that collect, and the partners that are configured."""

import importlib
import re
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.metadata import entry_points
from typing import Final, Protocol, cast

from handlers.ports.partners import Partner
from handlers.ports.payments import PaymentProvider
from providers.config import Config, ConfigError, PartnerTable, ProviderTable
from providers.config.charging import unfit_for_charges
from providers.config.unsafe_calls import holes_of
from providers.config.vocabulary import CALLBACK_URL
from providers.http.outbound import Outbound
from providers.left_out import what_is_left_out
from providers.partners import FileNote, RestPartner, nobody_reads
from providers.port import Provider
from providers.rest import RestProvider
from providers.rest.charges import RestCharges
from providers.stripe import StripeProvider
from providers.stripe.charges import StripeCharges

GROUP: Final = "payment_service.providers"
PARTNERS: Final = "payment_service.partners"
"""The groups of entry points by which others bring adapters of their own."""

_KNOWN: Final = f"rest, stripe, an entry point of {GROUP}, as simulator is one"
CHARGES: Final = "charges"
"""The attribute of an adapter that makes a payment provider of a table."""
_CLASS: Final = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_]\w*)", re.ASCII)


class Adapter(Protocol):
    """What makes a provider of its table: a class, or a function.

    It may raise ValueError or TypeError for a table that it cannot use.
    """

    def __call__(
        self, table: ProviderTable, outbound: Outbound, *, callback_url: str | None
    ) -> Provider:
        """Make the provider; its calls go out through ``outbound``."""
        ...


class ChargeAdapter(Protocol):
    """What makes a payment provider of a table: a class, or a function.

    It may raise ValueError or TypeError for a table that it cannot use.
    """

    def __call__(self, table: ProviderTable, outbound: Outbound) -> PaymentProvider:
        """Make what collects; its calls go out through ``outbound``."""
        ...


class PartnerAdapter(Protocol):
    """What makes a partner of its table; as :class:`Adapter`."""

    def __call__(self, table: PartnerTable, outbound: Outbound) -> Partner:
        """Make the partner; its calls go out through ``outbound``."""
        ...


class ConfiguredProviders:
    """All configured providers, by name."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = dict(providers)
        self._names = sorted(providers)

    def get(self, name: str) -> Provider | None:
        """Return the provider, or None where the name is not configured."""
        return self._providers.get(name)

    def names(self) -> list[str]:
        """Return all configured names, sorted."""
        return list(self._names)


class ConfiguredPayments:
    """Implements ``PaymentProviders``: those whose table has a ``charge``."""

    def __init__(self, payments: Mapping[str, PaymentProvider]) -> None:
        self._payments = dict(payments)

    def get(self, name: str) -> PaymentProvider | None:
        """Return the payment provider, or None where none of that name collects."""
        return self._payments.get(name)

    def names(self) -> list[str]:
        """Return all names, in the order of the file."""
        return list(self._payments)


def build_payments(config: Config, outbound: Outbound) -> ConfiguredPayments:
    """Make the payment providers: all that can collect, whoever new orders go to.

    An order keeps to those that it began with, also after the setting has changed.

    :raises ConfigError: names every table that cannot collect.
    """
    made: dict[str, PaymentProvider] = {}
    problems: list[str] = []
    for name, table in config.providers.items():
        if table.charge is None:
            continue
        try:
            made[name] = payment_provider(table, outbound)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return ConfiguredPayments(made)


def payment_provider(table: ProviderTable, outbound: Outbound) -> PaymentProvider:
    """Make what collects by one table.

    :raises ConfigError: it cannot.
    """
    where = f"[providers.{table.name}]"
    if unfit := [f"{where} {key}: {why}" for key, why in unfit_for_charges(table)]:
        raise ConfigError(unfit)
    try:
        return charge_adapter_named(table.adapter)(table, outbound)
    except (LookupError, ImportError, TypeError, ValueError) as error:
        raise ConfigError([f"{where} adapter: {_reason(error)}"]) from None


class ConfiguredPartners:
    """All configured partners, by name."""

    def __init__(self, partners: Mapping[str, Partner]) -> None:
        self._partners = dict(partners)

    def get(self, name: str) -> Partner | None:
        """Return the partner, or None where the name is not configured."""
        return self._partners.get(name)

    def names(self) -> list[str]:
        """Return all configured names, sorted."""
        return sorted(self._partners)


def build_providers(
    config: Config, outbound: Outbound, *, public_url: str | None = None
) -> ConfiguredProviders:
    """Make all providers; ``public_url`` is where they send their webhooks.

    :raises ConfigError: names every table whose adapter cannot be found or used.
    """
    made: dict[str, Provider] = {}
    problems: list[str] = []
    for name, table in config.providers.items():
        callback_url = f"{public_url}/webhooks/{name}" if public_url else None
        if callback_url is None:
            problems += [f"[providers.{name}] {p}" for p in _without_callback(table)]
        try:
            made[name] = adapter_named(table.adapter)(
                table, outbound, callback_url=callback_url
            )
        except (LookupError, ImportError, TypeError, ValueError) as error:
            problems.append(f"[providers.{name}] adapter: {_reason(error)}")
    if problems:
        raise ConfigError(problems)
    return ConfiguredProviders(made)


def build_partners(
    config: Config, outbound: Outbound, *, note: FileNote = nobody_reads
) -> ConfiguredPartners:
    """Make all partners; ``note`` is told of each version of a file that was read.

    :raises ConfigError: names every table whose adapter cannot be found or used.
    """
    made: dict[str, Partner] = {}
    problems: list[str] = []
    for name, table in config.partners.items():
        try:
            made[name] = partner_adapter_named(table.adapter, note)(table, outbound)
        except (LookupError, ImportError, OSError, TypeError, ValueError) as error:
            problems.append(f"[partners.{name}] adapter: {_reason(error)}")
    if problems:
        raise ConfigError(problems)
    return ConfiguredPartners(made)


def _without_callback(table: ProviderTable) -> Iterator[str]:
    """Name the calls that could never be made: nobody knows our address."""
    calls = {"create": table.create, "status": table.asking, "cancel": table.cancel}
    for key, call in calls.items():
        if call is not None and CALLBACK_URL in holes_of(call, needed=True):
            hole = f"{{{CALLBACK_URL}}}"
            yield f"{key}: needs {hole}, and PAYMENT_PUBLIC_URL is not set"


def adapter_named(name: str) -> Adapter:
    """Find an adapter: ours, an entry point, or ``package.module:Class``.

    :raises LookupError: there is none of this name.
    :raises ImportError: its module cannot be imported.
    """
    if name in _OURS:
        return _OURS[name]
    return cast("Adapter", _brought(name, GROUP, _KNOWN))


def partner_adapter_named(name: str, note: FileNote = nobody_reads) -> PartnerAdapter:
    """Find a partner's adapter; as :func:`adapter_named`.

    :raises LookupError: there is none of this name.
    :raises ImportError: its module cannot be imported.
    """
    if name == "rest":
        return partial(RestPartner, note=note)
    known = f"rest, an entry point of {PARTNERS}"
    return cast("PartnerAdapter", _brought(name, PARTNERS, known))


def _brought(name: str, group: str, known: str) -> object:
    """Find what others have brought: ``package.module:Class``, or an entry point."""
    if found := _CLASS.fullmatch(name):
        module = importlib.import_module(found[1])
        return _callable(getattr(module, found[2], None), name)
    for entry in entry_points(group=group, name=name):
        return _callable(entry.load(), name)
    raise LookupError(f"{name!r} is neither {known}, nor package.module:Class")


def charge_adapter_named(name: str) -> ChargeAdapter:
    """Find what collects by an adapter: ours, or its attribute ``charges``.

    :raises LookupError: there is no such adapter, or it does not collect.
    :raises ImportError: its module cannot be imported.
    """
    if name in _COLLECTING:
        return _COLLECTING[name]
    found = getattr(adapter_named(name), CHARGES, None)
    if callable(found):
        return cast("ChargeAdapter", found)
    raise LookupError(f"{name!r} does not collect: it has no {CHARGES!r}")


def _rest(
    table: ProviderTable, outbound: Outbound, *, callback_url: str | None
) -> Provider:
    if table.base_url is None:
        raise ValueError("needs a base_url")
    return RestProvider(
        table, outbound, base_url=table.base_url, callback_url=callback_url
    )


def _rest_charges(table: ProviderTable, outbound: Outbound) -> PaymentProvider:
    if table.base_url is None:
        raise ValueError("needs a base_url")
    return RestCharges(table, outbound, base_url=table.base_url)


_OURS: Final[Mapping[str, Adapter]] = {
    "rest": _rest,
    "stripe": StripeProvider,
}
_COLLECTING: Final[Mapping[str, ChargeAdapter]] = {
    "rest": _rest_charges,
    "stripe": StripeCharges,
}


def _callable(found: object, name: str) -> object:
    if callable(found):
        return found
    raise LookupError(f"{name!r} is not there, or is not a class or function")


def _reason(error: Exception) -> str:
    return what_is_left_out(error) or str(error) or type(error).__name__
