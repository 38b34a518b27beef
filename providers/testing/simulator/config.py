"""Reads a table of settings, from TOML or JSON, as a simulator."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from providers.testing.simulator import story
from providers.testing.simulator.book import Book
from providers.testing.simulator.charge_book import ChargeBook
from providers.testing.simulator.faults import Faults, InjectedFault
from providers.testing.simulator.library import Scripts
from providers.testing.simulator.partner_book import PartnerBook
from providers.testing.simulator.partners import SimulatedPartner
from providers.testing.simulator.script import Behaviour, Mix, always, succeed
from providers.testing.simulator.server import SimulatedProvider, Simulator
from providers.testing.simulator.service_book import ServiceBook
from providers.testing.simulator.services import SimulatedService
from providers.testing.simulator.webhooks import Patience

_KEYS: Final = frozenset(
    {
        *("seed", "scale", "book", "scripts", "faults", "webhooks"),
        *("providers", "services", "partners", "story"),
    }
)
_PROVIDER_KEYS: Final = frozenset(
    {"script", "mix", "mix_by", "secrets", "callback_url", "statement"}
)
_SERVICE_KEYS: Final = frozenset(
    {"script", "mix", "mix_by", "result", "content", "asks"}
)
_PARTNER_KEYS: Final = frozenset({"script", "mix", "mix_by", "answers_again"})
_STORY_KEYS: Final = frozenset({"secrets", "callback_url"})


class BadConfigError(ValueError):
    """The table has what no simulator can be made of."""


def load(path: str | Path) -> dict[str, Any]:
    raw = Path(path).read_bytes()
    if Path(path).suffix == ".json":
        table = orjson.loads(raw)
    else:
        table = tomllib.loads(raw.decode())
    if not isinstance(table, dict):
        raise BadConfigError("the settings are not a table")
    return table


def simulator_from(table: Mapping[str, Any]) -> Simulator:
    """Make a simulator of the table; for instance of this one.

    {"seed": 7, "scale": 0.01, "book": "payouts.jsonl",
     "webhooks": {"waits": [0, 5, 60], "timeout_seconds": 5},
     "scripts": {"picky": {"base": "decline", "code": "limit"}},
     "faults": [{"kind": "down", "operation": "acme.status", "probability": 0.1}],
     "providers": {"acme": {"script": "picky", "secrets": ["whsec_…"]},
                   "zeta": {"mix": {"succeed": 0.2, "decline": 0.8}}},
     "services": {"fraud": {"result": {"decision": "allow"}},
                  "payment": {"mix": {"succeed": 0.9, "commit_hang": 0.1}},
                  "items": {"content": {"in_stock": true}}},
     "partners": {"northbank": {"mix": {"succeed": 0.8, "silence_succeed": 0.2}}},
     "story": {"secrets": {"borealis": "whsec_…"}, "callback_url": "…/{provider}"}}
    """
    _only(_KEYS, table, "the settings")
    seed = int(table.get("seed", 0))
    scripts = Scripts(table.get("scripts"))
    return Simulator(
        _providers(table, scripts, seed),
        book=Book(table.get("book")),
        scripts=scripts,
        faults=Faults(map(InjectedFault.parse, table.get("faults", ())), seed=seed),
        scale=float(table.get("scale", 1.0)),
        patience=_patience(table.get("webhooks", {})),
        services=[
            _service(name, fields, scripts, seed)
            for name, fields in table.get("services", {}).items()
        ],
        service_book=ServiceBook(_beside(table.get("book"), "services")),
        charge_book=ChargeBook(_beside(table.get("book"), "charges")),
        partners=[
            _partner(name, fields, scripts, seed)
            for name, fields in table.get("partners", {}).items()
        ],
        partner_book=PartnerBook(_beside(table.get("book"), "partners")),
    )


def _beside(book: str | None, whose: str) -> str | None:
    """Return where another book is kept: beside that of the providers."""
    return None if book is None else f"{book}.{whose}"


def _service(
    name: str, fields: Mapping[str, Any], scripts: Scripts, seed: int
) -> SimulatedService:
    _only(_SERVICE_KEYS, fields, name)
    return SimulatedService(
        name=name,
        behaviour=_behaviour(fields, scripts, seed),
        result=fields.get("result", {}),
        content=fields.get("content", {}),
        asks=fields.get("asks", True),
    )


def _partner(
    name: str, fields: Mapping[str, Any], scripts: Scripts, seed: int
) -> SimulatedPartner:
    _only(_PARTNER_KEYS, fields, name)
    return SimulatedPartner(
        name=name,
        behaviour=_behaviour(fields, scripts, seed),
        answers_again=fields.get("answers_again", True),
    )


def _providers(
    table: Mapping[str, Any], scripts: Scripts, seed: int
) -> list[SimulatedProvider]:
    told = [
        _provider(name, fields, scripts, seed)
        for name, fields in table.get("providers", {}).items()
    ]
    if "story" not in table:
        return told
    _only(_STORY_KEYS, table["story"], "story")
    names = {provider.name for provider in told}
    dozen = story.providers(seed, **table["story"])
    return told + [provider for provider in dozen if provider.name not in names]


def _provider(
    name: str, fields: Mapping[str, Any], scripts: Scripts, seed: int
) -> SimulatedProvider:
    _only(_PROVIDER_KEYS, fields, name)
    return SimulatedProvider(
        name=name,
        behaviour=_behaviour(fields, scripts, seed),
        secrets=tuple(fields.get("secrets", ())),
        callback_url=fields.get("callback_url", ""),
        statement=fields.get("statement", True),
    )


def _behaviour(fields: Mapping[str, Any], scripts: Scripts, seed: int) -> Behaviour:
    if "mix" in fields:
        weights = ((scripts.read(name), float(w)) for name, w in fields["mix"].items())
        return Mix(tuple(weights), seed, fields.get("mix_by", "reference"))
    return always(scripts.read(fields["script"])) if "script" in fields else succeed


def _patience(fields: Mapping[str, Any]) -> Patience:
    known = dict(fields)
    if "waits" in known:
        known["waits"] = tuple(map(float, known["waits"]))
    try:
        return Patience(**known)
    except TypeError as error:
        msg = f"webhooks: {error}"
        raise BadConfigError(msg) from error


def _only(known: frozenset[str], table: Mapping[str, Any], name: str) -> None:
    if unknown := set(table) - known:
        msg = f"{name}: unknown {', '.join(sorted(unknown))}"
        raise BadConfigError(msg)
