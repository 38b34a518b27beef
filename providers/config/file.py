"""Reads the configuration file, and refuses it with all of its problems at once."""

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from fsm.domain.errors import WRONG_USAGE, PaymentServiceError
from providers.config.forwarders import (
    ForwarderTable,
    unsafe_forwarder,
    unsafe_together,
)
from providers.config.known_secrets import learn
from providers.config.partners import PartnerTable
from providers.config.secrets import SecretTable
from providers.config.services import CheckoutTable, ServiceTable
from providers.config.tables import Config, ProviderTable
from providers.config.unfinished import unfinished
from providers.config.unsafe import Problems, unsafe_provider
from providers.config.unsafe_charges import unsafe_checkout
from providers.config.unsafe_partners import unsafe_namesakes, unsafe_partner
from providers.config.unsafe_services import unsafe_service
from providers.config.variables import filled
from providers.files import read_text

CHECKOUT: Final = "checkout"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)


class ConfigError(PaymentServiceError):
    """The configuration cannot be used; one line for each problem."""

    says_mend = True
    exit_code = WRONG_USAGE

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def read_config(
    path: Path, *, ack_wait: timedelta, environment: Mapping[str, str] = os.environ
) -> Config:
    """Read the file, with ``${NAME}`` from the environment.

    :raises ConfigError: names every problem by its table and key.
    """
    return config_of(read_raw(path), ack_wait=ack_wait, environment=environment)


def read_raw(path: Path, *, named_by: str = "PAYMENT_CONFIG") -> dict[str, Any]:
    """Read the file as the TOML that it is, and no more.

    :raises ConfigError: it cannot be read; told with the setting that names it.
    """
    try:
        text = read_text(path)
    except OSError as error:
        told = f"{named_by}: {path}: cannot be read: {error.strerror}"
        raise ConfigError([told]) from None
    return _toml(text, f"{named_by}: {path}")


def parse_config(
    text: str, *, ack_wait: timedelta, environment: Mapping[str, str]
) -> Config:
    """Read the text of the file; as :func:`read_config`."""
    raw = _toml(text, "the file")
    return config_of(raw, ack_wait=ack_wait, environment=environment)


def _toml(text: str, whose: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError([f"{whose} is not TOML: it is nested too deeply"]) from None
    except ValueError as error:
        # A number too long for Python is one as well.
        raise ConfigError([f"{whose} is not TOML: {error}"]) from None


def config_of(
    raw: dict[str, Any], *, ack_wait: timedelta, environment: Mapping[str, str]
) -> Config:
    """Read the tables of the file; as :func:`read_config`."""
    reading = _Reading(raw, ack_wait, environment)
    providers = reading.tables("providers", ProviderTable, unsafe_provider)
    config = Config(
        providers=providers,
        services=reading.tables("services", ServiceTable, unsafe_service),
        partners=reading.tables("partners", PartnerTable, unsafe_partner),
        forwarders=reading.tables("forwarders", ForwarderTable, unsafe_forwarder),
        checkout=reading.checkout(providers),
    )
    learn(config)
    problems = [*reading.unknown(), *reading.problems]
    if not problems:
        problems += unsafe_together(config.forwarders, _webhook_secrets(config))
        problems += unsafe_namesakes(config.partners, config.providers)
    if problems:
        raise ConfigError(problems)
    return config


def _webhook_secrets(config: Config) -> Mapping[str, Sequence[SecretTable]]:
    return {
        name: () if table.webhook is None else table.webhook.secrets
        for name, table in config.providers.items()
    }


AnyTable = TypeVar(
    "AnyTable",
    ProviderTable,
    ServiceTable,
    PartnerTable,
    ForwarderTable,
    CheckoutTable,
)


class _Reading:
    """One reading of one file, which goes on after a problem to find them all."""

    def __init__(
        self, raw: dict[str, Any], ack_wait: timedelta, environment: Mapping[str, str]
    ) -> None:
        self._raw = raw
        self._ack_wait = ack_wait
        self._environment = environment
        self.problems: list[str] = []

    def unknown(self) -> list[str]:
        known = {"providers", "services", "partners", "forwarders", CHECKOUT}
        return [f"[{name}]: unknown table" for name in self._raw if name not in known]

    def tables(
        self,
        kind: str,
        model: type[AnyTable],
        unsafe: Callable[[AnyTable, timedelta], Problems],
    ) -> Mapping[str, AnyTable]:
        tables = self._raw.get(kind, {})
        if not isinstance(tables, dict):
            self.problems.append(f"[{kind}]: must be a table of tables")
            return {}
        read = {name: self._named(kind, name, model, tables[name]) for name in tables}
        for name, table in read.items():
            if table is not None:
                self._tell(f"{kind}.{name}", unsafe(table, self._ack_wait))
        return MappingProxyType({n: t for n, t in read.items() if t is not None})

    def checkout(self, providers: Mapping[str, ProviderTable]) -> CheckoutTable:
        raw = self._raw.get(CHECKOUT, {})
        if not isinstance(raw, dict):
            self.problems.append(f"[{CHECKOUT}]: must be a table")
            return CheckoutTable()
        table = self._table(CHECKOUT, CheckoutTable, raw)
        if table is not None:
            tables = self._raw.get("providers", {})
            declared = tables if isinstance(tables, dict) else {}
            self._tell(CHECKOUT, unsafe_checkout(table, providers, declared))
        return table or CheckoutTable()

    def _named(
        self, kind: str, name: str, model: type[AnyTable], raw: object
    ) -> AnyTable | None:
        where = f"{kind}.{name}"
        found = list(_name_problems(name, raw))
        if found or not isinstance(raw, dict):
            self._tell(where, iter(found))
            return None
        return self._table(where, model, raw, name=name)

    def _table(
        self, where: str, model: type[AnyTable], raw: dict[str, Any], **named: str
    ) -> AnyTable | None:
        open_ends = list(unfinished(raw))
        if open_ends:
            self._tell(where, iter(open_ends))
            return None
        values, missing = filled(raw, self._environment)
        self._tell(where, iter(missing))
        try:
            table = model.model_validate({**values, **named})
        except ValidationError as error:
            self._tell(where, _told(error, {key for key, _ in missing}))
            return None
        return None if missing else table

    def _tell(self, where: str, problems: Problems) -> None:
        for key, problem in problems:
            self.problems.append(
                f"[{where}] {key}: {problem}" if key else f"[{where}]: {problem}"
            )


def _name_problems(name: str, raw: object) -> Problems:
    if not _NAME.fullmatch(name):
        yield "", "the name must be of a-z, 0-9, _ and -, at most 64, no sign first"
    if not isinstance(raw, dict):
        yield "", "must be a table"
    elif "name" in raw:
        yield "name", "unknown key"


def _told(error: ValidationError, blamed: set[str]) -> Problems:
    for found in error.errors(include_input=False, include_url=False):
        key = _key(found["loc"])
        if key not in blamed:
            yield key, _MESSAGES.get(found["type"]) or _plain(found["msg"])


_MESSAGES: Final = {"missing": "is missing", "extra_forbidden": "unknown key"}


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Input ")


def _key(place: tuple[int | str, ...]) -> str:
    key = ""
    for part in place:
        if isinstance(part, int):
            key += f"[{part}]"
        else:
            key += f".{part}" if key else part
    return key
