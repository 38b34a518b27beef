"""Makes a table fit for the check: the counterpart's address, and made-up secrets."""

import copy
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from fsm.domain.durations import format_duration
from providers.config import Config, ProviderTable, WebhookTable
from providers.config.file import config_of
from providers.config.variables import filled
from providers.testing.conformance.doubles import prepared
from providers.testing.conformance.signing import Signer, signer_of
from providers.testing.conformance.token_desk import TOKEN

ACK_WAIT: Final = timedelta(minutes=1)
GRACE: Final = "1h"

_MADE_UP: Final = re.compile("[0-9a-f]{64}", re.ASCII)


class MadeUp(Mapping[str, str]):
    """An environment in which everything is set, to nothing real.

    The values are hexadecimal digits: a good key in whatever encoding.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        """Make a value up."""
        return self._known.setdefault(name, made_up(name))

    def __contains__(self, name: object) -> bool:
        """Everything is set."""
        return True

    def __iter__(self) -> Iterator[str]:
        """Return the names that were asked for."""
        return iter(self._known)

    def __len__(self) -> int:
        """Return how many names were asked for."""
        return len(self._known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A table that is ready for the check, and what was made up for it."""

    table: ProviderTable
    signer: Signer | None
    secrets: tuple[str, ...] = field(repr=False)
    stranger: str = field(repr=False)
    canaries: tuple[str, ...] = field(repr=False)


def rehearsed(
    name: str,
    raw: Mapping[str, Any],
    *,
    url: str,
    timeout: timedelta,
    token_url: str = "",
) -> Rehearsal:
    """Read one table as the service would, but for where it leads and what it knows.

    ``token_url`` is where tokens are handed out, where the table fetches them.

    :raises ConfigError: the table is refused.
    """
    environment = MadeUp()
    changed = moved(prepared(raw), url) | {
        "timeout": format_duration(timeout),
        "not_found_grace": GRACE,
    }
    if fetches_tokens(changed):
        changed["auth"]["oauth2"]["token_url"] = token_url
    signer = _signer(changed, environment)
    secrets: tuple[str, ...] = ()
    if signer is not None:
        secrets = (signer.secret(made_up("first")), signer.secret(made_up("second")))
        changed["webhook"] = signer.configured(changed["webhook"], secrets)
    config: Config = config_of(
        {"providers": {name: changed}}, ack_wait=ACK_WAIT, environment=environment
    )
    return Rehearsal(
        table=config.providers[name],
        signer=signer,
        secrets=secrets,
        stranger=signer.secret(made_up("stranger")) if signer else "",
        canaries=(*environment.values(), *secrets, *_shown(changed)),
    )


def _shown(raw: Mapping[str, Any]) -> list[str]:
    return [TOKEN, *_MADE_UP.findall(str(raw))]


def fetches_tokens(raw: Mapping[str, Any]) -> bool:
    """True where a table has an ``auth.oauth2``."""
    auth = raw.get("auth")
    return isinstance(auth, dict) and isinstance(auth.get("oauth2"), dict)


def made_up(name: str) -> str:
    """Return a secret that is one nowhere else."""
    return hashlib.sha256(f"conformance {name}".encode()).hexdigest()


def moved(raw: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Return a copy that leads to the counterpart; who we are is not asked there."""
    changed = copy.deepcopy(dict(raw))
    changed.pop("tls", None)
    told = str(changed.get("base_url"))
    known = told.startswith(("http://", "https://"))
    path = urlsplit(told).path if known else ""
    return {**changed, "base_url": url + path}


def _signer(raw: Mapping[str, Any], environment: Mapping[str, str]) -> Signer | None:
    told = raw.get("webhook")
    if not isinstance(told, dict):
        return None
    values, _ = filled(told, environment)
    if isinstance(public := values.get("public_key"), dict):
        values["public_key"] = {**public, "keys": []}
    try:
        return signer_of(WebhookTable.model_validate({**values, "secrets": []}))
    except ValidationError:
        # The reading of the whole table says what is wrong.
        return None
