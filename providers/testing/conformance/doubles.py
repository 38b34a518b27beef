"""Finds the double that belongs to an adapter."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final, cast

from providers.config import ProviderTable
from providers.registry import adapter_named
from providers.testing.conformance import declared
from providers.testing.conformance.charge_doubles import rest
from providers.testing.conformance.charge_doubles.vocabulary import ChargeDouble
from providers.testing.conformance.vocabulary import Double

OURS: Final[Mapping[str, str]] = {
    "rest": declared.__name__,
    "simulator": declared.__name__,
    "stripe": "providers.testing.conformance.stripe",
}
"""By the adapter's name, the module whose ``double(table)`` makes its double."""
COLLECTING: Final[Mapping[str, str]] = {
    "rest": rest.__name__,
    "simulator": rest.__name__,
    "stripe": "providers.testing.conformance.charge_doubles.stripe",
}
"""By the adapter's name, the module of ``charge_double(table)``."""

MODULE: Final = "double"
CHARGES: Final = "charge_double"

Named = Callable[[str], object]
"""Finds an adapter by its name, as the registry does."""

Making = Callable[[ProviderTable], Double]
MakingCharges = Callable[[ProviderTable], ChargeDouble]
Changing = Callable[[Mapping[str, Any]], dict[str, Any]]


class NoDouble(LookupError):
    """Nobody knows how the provider of this adapter speaks."""


def double_of(table: ProviderTable) -> Double:
    """Make the double of a table's adapter.

    :raises NoDouble: there is none, or it is not a function ``double``.
    """
    module = _module(table.adapter, OURS)
    return cast("Making", _making(table.adapter, module, MODULE))(table)


def charge_double_of(table: ProviderTable) -> ChargeDouble:
    """Make the double of a table that collects; as :func:`double_of`.

    :raises NoDouble: there is none, or it has no function ``charge_double``.
    """
    module = _module(table.adapter, COLLECTING)
    return cast("MakingCharges", _making(table.adapter, module, CHARGES))(table)


def double_in(adapter: str, ours: Mapping[str, str], named: Named) -> object:
    """Return the function ``double`` that belongs to an adapter of another kind.

    :raises NoDouble: there is none.
    """
    return _making(adapter, _module(adapter, ours, named), MODULE, named)


def _making(
    adapter: str,
    module: ModuleType | None,
    function: str,
    named: Named = adapter_named,
) -> object:
    if module is None:
        known = " and no ".join(_places(adapter, OURS, named))
        raise NoDouble(
            f"the adapter {adapter} has no double: there is no {known} "
            "(see providers.testing.conformance)"
        )
    found = getattr(module, function, None)
    if not callable(found):
        raise NoDouble(f"{module.__name__} has no function {function}(table)")
    return found


def prepared(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table as its double's module wants it changed for the check.

    That is what its function ``prepared(raw)`` is for, where it has one: made-up keys
    of a form that the adapter insists on, say.
    """
    adapter = raw.get("adapter")
    module = _module(adapter, OURS) if isinstance(adapter, str) else None
    changing = getattr(module, "prepared", None)
    return cast("Changing", changing)(raw) if callable(changing) else dict(raw)


def _module(
    adapter: str, ours: Mapping[str, str], named: Named = adapter_named
) -> ModuleType | None:
    for place in _places(adapter, ours, named):
        if _is_there(place):
            return importlib.import_module(place)
    return None


def _places(adapter: str, ours: Mapping[str, str], named: Named) -> Iterator[str]:
    if adapter in ours:
        yield ours[adapter]
        return
    module = adapter.partition(":")[0]
    if module == adapter:
        # An entry point: its module is known once it is there.
        module = _entry(adapter, named)
    yield f"{module}.{MODULE}"
    yield f"{module}_{MODULE}"
    above = module.rpartition(".")[0]
    if above:
        yield f"{above}.{MODULE}"


def _entry(name: str, named: Named) -> str:
    try:
        return str(getattr(named(name), "__module__", name))
    except (LookupError, ImportError):
        # The registry says so in its own words.
        return name


def _is_there(place: str) -> bool:
    try:
        return find_spec(place) is not None
    except (ImportError, ValueError):
        return False
