"""A double is found beside its adapter, and its absence is told."""

from importlib.metadata import EntryPoint

import pytest

from providers import registry
from providers.config import ProviderTable
from providers.testing.conformance.charge_doubles.rest import RestChargeDouble
from providers.testing.conformance.charge_doubles.stripe import StripeChargeDouble
from providers.testing.conformance.declared import DeclaredDouble
from providers.testing.conformance.doubles import (
    NoDouble,
    charge_double_of,
    double_of,
    prepared,
)
from providers.testing.conformance.skeleton.double import AcmeDouble

SKELETON = "providers.testing.conformance.skeleton.provider:AcmeProvider"


def table(adapter):
    return ProviderTable.model_validate(
        {"name": "acme", "adapter": adapter, "base_url": "https://x.example"}
    )


@pytest.mark.parametrize(
    ("adapter", "kind"),
    [("rest", DeclaredDouble), ("simulator", DeclaredDouble), (SKELETON, AcmeDouble)],
)
def test_it_is_found_by_the_adapters_name(adapter, kind):
    assert isinstance(double_of(table(adapter)), kind)


@pytest.mark.parametrize(
    ("adapter", "kind"),
    [
        ("rest", RestChargeDouble),
        ("simulator", RestChargeDouble),
        ("stripe", StripeChargeDouble),
    ],
)
def test_that_of_charges_is_found_likewise(adapter, kind):
    assert isinstance(charge_double_of(table(adapter)), kind)


def test_a_double_that_knows_no_charges_is_told():
    with pytest.raises(NoDouble, match=r"has no function charge_double\(table\)"):
        charge_double_of(table(SKELETON))


def test_it_is_found_for_an_entry_point(monkeypatch):
    point = EntryPoint("mine", SKELETON, registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda **_: [point])

    assert isinstance(double_of(table("mine")), AcmeDouble)


@pytest.mark.parametrize(
    "adapter", ["nobody", "nobody.knows:It", "handlers.ports.provider:It"]
)
def test_where_there_is_none_it_says_where_it_has_looked(adapter):
    with pytest.raises(NoDouble, match=r"there is no .*double"):
        double_of(table(adapter))


def test_a_module_without_the_function_is_none(tmp_path, monkeypatch):
    (tmp_path / "emptyhanded").mkdir()
    (tmp_path / "emptyhanded" / "__init__.py").write_text("")
    (tmp_path / "emptyhanded" / "double.py").write_text("double = 7")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(NoDouble, match="no function double"):
        double_of(table("emptyhanded.provider:It"))


def test_only_what_a_double_wants_changed_is_changed():
    assert prepared({"adapter": "rest", "a": 1}) == {"adapter": "rest", "a": 1}
    assert prepared({"a": 1}) == {"a": 1}
    changed = prepared({"adapter": "stripe", "auth": {"bearer": {"token": "real"}}})
    assert changed["auth"]["bearer"]["token"].startswith("sk_test_")
