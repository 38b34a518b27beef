"""The types of single values in the configuration file."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, Strict

from fsm.domain.rates import Rate, parse_rate
from fsm.domain.text import parse_time
from fsm.payout.policy import NEVER
from providers.config.fields import Duration
from providers.files import read_text
from providers.signatures import PEM, is_bare_key

ATTEMPTS_MAX: Final = 1000
IN_FLIGHT_MAX: Final = 10_000

HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", re.ASCII)
HEADER_VALUE: Final = re.compile(r"[!-~](?:[ -~]{0,4094}[!-~])?", re.ASCII)
_BIN: Final = re.compile(r"([0-9]{4,8})(?:-([0-9]{4,8}))?", re.ASCII)
OUR_HEADERS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "idempotency-key",
        "traceparent",
        "transfer-encoding",
    }
)


def _sla(value: object) -> object:
    return None if value == NEVER else value


def _rate(value: object) -> Rate:
    if isinstance(value, Rate):
        return value
    try:
        return parse_rate(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("must be a rate like 100/s, 600/m or 5000/h") from None


def _headers(headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name) or name.lower() in OUR_HEADERS:
            message = f"must not have a header {name!r}"
            raise ValueError(message)
        if not HEADER_VALUE.fullmatch(value.get_secret_value()):
            message = f"must have printable ASCII in the header {name}"
            raise ValueError(message)
    return MappingProxyType(dict(headers))


def _header_name(name: str) -> str:
    if not HEADER_NAME.fullmatch(name):
        raise ValueError("must be the name of a header")
    return name.lower()


def secret_table(value: object) -> object:
    """Let a secret be a text as well as a table."""
    if isinstance(value, str):
        return {"value": value}
    if isinstance(value, dict):
        return value
    raise ValueError("must be a text, or a table of value, not_before and not_after")


def _moment(value: object) -> datetime:
    # TOML has times of its own beside texts.
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    try:
        return parse_time(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("must be a time like 2026-01-31T23:59:59Z") from None


def _certificates(certificates: Mapping[str, str]) -> Mapping[str, str]:
    """Put the text of a file where its name stands."""
    return MappingProxyType({url: _pem(told) for url, told in certificates.items()})


def _pem(told: str) -> str:
    if told.lstrip().startswith(PEM):
        return told
    try:
        return read_text(Path(told))
    except OSError:
        message = f"cannot be read from {told!r}"
        raise ValueError(message) from None


def _public_key(told: str) -> str:
    return told if is_bare_key(told) else _pem(told)


def _country(code: str) -> str:
    if not re.fullmatch("[A-Z]{2}", code, re.ASCII):
        raise ValueError("must be a country like CA")
    return code


def _bin(text: str) -> str:
    found = _BIN.fullmatch(text)
    low, high = (found[1], found[2] or found[1]) if found else ("", "")
    if not low or len(low) != len(high) or low > high:
        raise ValueError(
            "must be a BIN of 4 to 8 digits like 4510, or a range like 451400-451499"
        )
    return text


def _some(texts: tuple[str, ...]) -> tuple[str, ...]:
    if not texts:
        raise ValueError("must not be empty")
    return texts


T = TypeVar("T")
# TOML has lists, not tuples; their items stay strict.
Many = Annotated[tuple[T, ...], Strict(strict=False)]
Headers = Annotated[Mapping[str, SecretStr], AfterValidator(_headers)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
Certificates = Annotated[Mapping[str, str], AfterValidator(_certificates)]
PublicKey = Annotated[str, AfterValidator(_public_key)]
Factor = Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False)]
Attempts = Annotated[int, Field(ge=1, le=ATTEMPTS_MAX)]
InFlight = Annotated[int, Field(ge=1, le=IN_FLIGHT_MAX)]
Countries = Annotated[
    Many[Annotated[str, AfterValidator(_country)]], AfterValidator(_some)
]
Bins = Annotated[Many[Annotated[str, AfterValidator(_bin)]], AfterValidator(_some)]


WebhookRate = Annotated[Rate, BeforeValidator(_rate)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Sla = Annotated[Duration | None, BeforeValidator(_sla)]
