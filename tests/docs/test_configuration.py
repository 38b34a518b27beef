"""docs/configuration.md has every setting and every table's key, with its default."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from fsm.domain.durations import format_duration, parse_duration
from payment_service.settings import Settings, needs_of
from providers.config import parse_config
from providers.config.charges import ChargeTable
from providers.config.forwarders import ForwarderTable
from providers.config.partners import (
    Eligibility,
    FallbackTable,
    FileColumns,
    FileTable,
    PartnerTable,
)
from providers.config.services import DefaultTable, RetryTable, ServiceTable
from providers.config.tables import ProviderTable, WebhookTable
from providers.config.vocabulary import LINK
from providers.testing.simulator import FaultKind, InjectedFault, Scripts
from providers.testing.simulator.config import _PARTNER_KEYS, _SERVICE_KEYS
from tests.docs.pages import DOCS, ROOT, listed, rows_of, section_of

PAGE = DOCS / "configuration.md"
ROWS = {
    tuple(listed(names)): default
    for names, _, default in rows_of(section_of(PAGE, "## Settings"))
}
OURS = {names: told for names, told in ROWS.items() if names[0].startswith("PAYMENT_")}


def field_of(variable):
    return variable.removeprefix("PAYMENT_").lower()


def default_of(variable):
    value = Settings(_env_file=None).model_dump()[field_of(variable)]
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if isinstance(value, str | int | float | Path) else None


def test_every_setting_is_told_once_and_no_other():
    told = [field_of(name) for names in OURS for name in names]

    assert len(told) == len({*told})
    assert {*told} == {*Settings.model_fields}


@pytest.mark.parametrize("names", OURS, ids="|".join)
def test_the_defaults_are_those_of_the_code(names, monkeypatch):
    for variable in list(Settings.model_fields):
        monkeypatch.delenv(f"PAYMENT_{variable.upper()}", raising=False)
    known = {default for name in names if (default := default_of(name))}

    if "PAYMENT_STREAM_TASKS_AGE" in names:  # it depends on the account, in words
        assert known == set()
    else:
        told = {*listed(OURS[names])} - {"worker", "callback_url"}
        assert {_as_duration(value) for value in told} == known


def _as_duration(text):
    found = re.fullmatch(r"\d+(ms|s|m|h|d)", text)
    return format_duration(parse_duration(text)) if found else text


def test_what_is_required_is_required_by_run():
    required = {
        field_of(name)
        for names, default in OURS.items()
        if default.startswith("required")
        for name in names
        if default_of(name) is None
    }

    assert required == {*needs_of(["api", "worker"])} | {"nats_creds"}


def test_every_key_of_a_table_is_told():
    """A key that is told nowhere is one that nobody sets."""
    text = PAGE.read_text() + (ROOT / "ops/examples/README.md").read_text()
    told = {*re.findall(r"[a-z_]{2,}", text)}

    for table in (ProviderTable, WebhookTable, ForwarderTable, ServiceTable, FileTable):
        keys = {field.alias or name for name, field in table.model_fields.items()}
        assert keys - told - {"asking"} == set(), table.__name__


def test_the_tables_that_are_shown_are_taken():
    text = "\n".join(
        re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    )
    names = {*re.findall(r"\$\{([A-Z_]+)\}", text)}
    secrets = {name: f"{name}-0123456789abcdef0123456789" for name in names}
    secrets["ACME_WHSEC"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    config = parse_config(text, ack_wait=timedelta(seconds=30), environment=secrets)

    assert [*config.providers] == ["acme", "north", "west"]
    assert [*config.forwarders] == ["gateway"]
    assert [*config.services] == ["fraud", "payment", "items"]
    assert [*config.partners] == ["northbank", "southbank"]


ASKING = {
    "recheck": ProviderTable.model_fields["recheck"].default,
    "poll": ProviderTable.model_fields["poll"].default,
}


def test_how_a_provider_is_asked_is_told_with_its_defaults():
    told: dict[str, str] = {}
    for keys, _, default in rows_of(section_of(PAGE, "## The file: providers")):
        names = [key for key in listed(keys) if key.partition(".")[0] in ASKING]
        told.update(zip(names, listed(default), strict=False))

    known = {
        f"{table}.{key}": format_duration(value)
        if isinstance(value, timedelta)
        else str(value)
        for table, made in ASKING.items()
        for key, value in made
    }
    assert told == known


def test_every_key_of_a_service_is_told_with_its_default():
    table = PAGE.read_text().partition("<!-- services:begin -->")[2]
    told: dict[str, str] = {}
    for keys, _, default in rows_of(table.partition("<!-- services:end -->")[0]):
        names = listed(keys)
        values = listed(default) or default.split("; ") * len(names)
        told.update(zip(names, values * len(names), strict=False))

    fields = dict(ServiceTable.model_fields)
    del fields["name"]
    known = {
        name: _as_told(each.default)
        for name, each in fields.items()
        if name not in {"retry", "default", "base_url"}
    }
    known |= {f"retry.{name}": _as_told(value) for name, value in RetryTable()}
    known |= {f"default.{name}": "none" for name in DefaultTable.model_fields}
    assert told == known | {"base_url": "required"}


def test_every_key_of_a_charge_is_told_with_its_default():
    table = PAGE.read_text().partition("<!-- charge:begin -->")[2]
    told: dict[str, str] = {}
    for keys, _, default in rows_of(table.partition("<!-- charge:end -->")[0]):
        names = listed(keys)
        told.update(zip(names, listed(default) or [default], strict=True))

    keys = {n: f.default for n, f in ChargeTable.model_fields.items() if n != "retry"}
    known = keys | {f"retry.{name}": value for name, value in RetryTable()}
    assert told == {f"charge.{name}": _as_told(value) for name, value in known.items()}


def _as_told(value):
    if isinstance(value, timedelta):
        return format_duration(value)
    if value in (None, {}):
        return "none"
    return str(value).lower()


def test_what_the_simulator_is_told_of_charges_is_taken():
    told = PAGE.read_text().partition("`GET /_charges`")[2].partition("\n\n")[0]
    scripts = re.findall(r"`(commit_hang|succeed\?[^`]*)`", told)
    faults = re.findall(r"`NAME\.(\w+)`", told)

    assert {Scripts().read(each).name for each in scripts} == {"commit_hang", "succeed"}
    assert faults == ["charge", "charge_status", "refund"]


def told_between(mark):
    """Return the keys of a table of the page, and the defaults it tells."""
    table = PAGE.read_text().partition(f"<!-- {mark}:begin -->")[2]
    told: dict[str, str] = {}
    for keys, _, default in rows_of(table.partition(f"<!-- {mark}:end -->")[0]):
        names = listed(keys)
        values = listed(default) or default.split("; ")
        told.update(zip(names, values * len(names), strict=False))
    return told


def test_every_key_of_a_partner_is_told_with_its_default():
    told = {name: _as_duration(each) for name, each in told_between("partners").items()}

    fields = {
        name: _as_told(each.default)
        for name, each in PartnerTable.model_fields.items()
        if name not in {"name", "retry", "fallback", "countries", "bins"}
    }
    alike = {"max_in_flight", "limits", "breaker", "health", "maintenance"}
    known = fields | dict.fromkeys(alike, "as a provider's")
    known |= {f"retry.{name}": _as_told(value) for name, value in RetryTable()}
    known |= {f"fallback.{name}": _as_told(value) for name, value in FallbackTable()}
    known |= dict.fromkeys(("eligibility", "revocation"), "the contract's form")
    known |= {"fallback_check": "the contract's form"}
    known |= {"countries": "required", "bins": "required"}
    assert told == known


def test_every_key_of_a_file_is_told_with_its_default():
    fields = FileTable.model_fields
    known = {name: _as_told(each.default) for name, each in fields.items()}
    known |= dict.fromkeys(("path", "columns", "results"), "required")
    assert told_between("files") == known


def test_the_words_of_partners_are_those_of_the_code():
    text = PAGE.read_text().partition("## The partners of card links")[2]

    for word in (*Eligibility, *FileColumns.model_fields, *LINK):
        assert f"`{word}`" in text or f"`{{{word}}}`" in text, word


def test_what_the_simulator_is_told_of_services_is_taken():
    page = PAGE.read_text()
    [told] = re.findall(r"`\[services.NAME\]` with (.*?); each at", page)
    [fault] = re.findall(r"`(\{\"kind\".*?\}\})`", page)
    [token] = re.findall(r"`(tok_sim:[^`]*)`", page)

    [partner] = re.findall(r"`\[partners.NAME\]` with (.*?); each at", page)

    assert {*listed(told)} == _SERVICE_KEYS - {"mix_by"}
    assert {*listed(partner)} == _PARTNER_KEYS - {"mix_by"}
    assert InjectedFault.parse(json.loads(fault)).kind is FaultKind.APPLIED_DROP
    for name, means in {"payment": "decline", "delivery": "commit_hang"}.items():
        script = Scripts().of_token(token, name)
        assert script is not None
        assert script.name == means
