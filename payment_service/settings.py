"""Settings: what the environment says, read once at the start and handed down."""

import os
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from fsm.domain.audit_keys import UNKEYED, AuditKeys, parse_audit_keys
from fsm.domain.durations import format_duration
from fsm.domain.errors import WRONG_USAGE, PaymentServiceError
from fsm.domain.keys import ApiKey, parse_api_keys
from payment_service.env_file import UnreadableFile, read_env_file
from providers.config.fields import Bytes, Duration, HttpUrl
from providers.config.known_secrets import learn
from providers.files import read_text, unreadable
from providers.http.proxies import NO_PROXIES, Proxies
from providers.http.trust import untrustworthy, unusable

PREFIX: Final = "PAYMENT_"
ENV_FILE: Final = Path(".env")
ROLES: Final = ("api", "worker", "relay", "sweeper")
Discard = Literal["old", "new"]
NATS_SILENCE_MIN: Final = timedelta(seconds=10)
"""Less would end processes for a server that only restarts."""

_DATABASE: Final = re.compile(r"postgres(ql)?://[!-~]+", re.ASCII)
_PORTS: Final = re.compile(r"(\d{1,5}(,|$))*", re.ASCII)
_NATS: Final = re.compile(r"(nats|tls)://[!-~]+", re.ASCII)
_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]+(\.([A-Za-z0-9_-]+|\*))*(\.>)?", re.ASCII)
_HINTS: Final = {
    "database_url": "set it to postgresql://user:password@host:5432/database",
    "nats_url": "set it to nats://host:4222",
    "core_url": "set it to core's base URL, https://host/path",
    "core_token": "set it to core's bearer token",
}
_FILES: Final = (
    "nats_creds",
    "nats_nkey",
    "nats_ca",
    "nats_cert",
    "nats_key",
    "anchor_nats_creds",
)


class SettingsError(PaymentServiceError):
    """The settings cannot be used; one line names each and how to mend it."""

    says_mend = True
    exit_code = WRONG_USAGE

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


def _database_url(url: SecretStr) -> SecretStr:
    if not _DATABASE.fullmatch(url.get_secret_value()):
        raise ValueError("must be postgresql://user:password@host:5432/database")
    if not _is_database_address(url.get_secret_value()):
        # What cannot be told apart may be the password: none of it is shown.
        raise ValueError(
            "must be postgresql://user:password@host:5432/database with what is "
            "special in user and password percent-encoded (/ is %2F, @ is %40, % is "
            "%25), and with no parameter but libpq's own"
        )
    return url


def _is_database_address(url: str) -> bool:
    import psycopg  # noqa: PLC0415 - a command without a database needs none
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        told = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except psycopg.Error:
        return False
    misread = "@" in told.get("host", "") + told.get("dbname", "")
    return not misread and bool(_PORTS.fullmatch(told.get("port", "")))


def _nats_url(urls: SecretStr) -> SecretStr:
    if not all(map(_NATS.fullmatch, _split(urls))):
        raise ValueError("must be one or more nats://host:4222, comma separated")
    if not all(map(_is_nats_address, _split(urls))):
        raise ValueError(
            "must be nats://user:password@host:4222 with what is special in user and "
            "password percent-encoded (/ is %2F, @ is %40, # is %23, a comma %2C)"
        )
    return urls


def _is_nats_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    is_bare = not (parts.path.strip("/") or parts.query or parts.fragment)
    return named and is_bare and parts.netloc.count("@") <= 1


def _split(urls: SecretStr) -> list[str]:
    return [url.strip() for url in urls.get_secret_value().split(",")]


def _token(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", token.get_secret_value(), re.ASCII):
        raise ValueError("must be printable ASCII without spaces")
    return token


def _prefix(prefix: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]*", prefix, re.ASCII):
        raise ValueError("must be of letters, digits, _ and -")
    return prefix


def _inbox(prefix: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", prefix, re.ASCII):
        raise ValueError("must be a subject without wildcards, such as _INBOX_payment")
    return prefix


def _seed(seed: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", seed.get_secret_value(), re.ASCII):
        raise ValueError("must be 64 hex digits (openssl rand -hex 32)")
    return seed


def _anchor_subject(subject: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", subject, re.ASCII):
        raise ValueError("must be a subject without wildcards, such as books.anchors")
    return subject


def _domain(domain: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", domain, re.ASCII):
        raise ValueError("must be of letters, digits, _ and -")
    return domain


def _patterns(value: object) -> object:
    """Read subjects with wildcards, of which none means all that there are."""
    if not isinstance(value, str):
        return value
    patterns = tuple(each.strip() for each in value.split(","))
    if not all(map(_PATTERN.fullmatch, patterns)):
        raise ValueError(
            "must be one or more subjects, comma separated, the first token without "
            "a wildcard: upstream.answers.>"
        )
    return patterns


def _api_keys(value: object) -> object:
    return parse_api_keys(value) if isinstance(value, str) else value


def _audit_keys(value: object) -> object:
    return parse_audit_keys(value) if isinstance(value, str) else value


class Settings(BaseSettings):
    """The settings of contract section 2; nothing in their repr is secret."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    database_url: Annotated[SecretStr, AfterValidator(_database_url)] | None = None
    database_prepare: Literal["auto", "on", "off"] = "auto"
    nats_url: Annotated[SecretStr, AfterValidator(_nats_url)] | None = None
    nats_creds: Path | None = None
    nats_nkey: Path | None = None
    nats_ca: Path | None = None
    nats_cert: Path | None = None
    nats_key: Path | None = None
    nats_tls_first: bool = False
    nats_inbox_prefix: Annotated[str, AfterValidator(_inbox)] = "_INBOX"
    nats_domain: Annotated[str, AfterValidator(_domain)] | None = None
    nats_silence: Duration = Field(default="60s", validate_default=True)
    core_url: HttpUrl | None = None
    core_token: Annotated[SecretStr, AfterValidator(_token)] | None = None
    core_timeout: Duration = Field(default="5s", validate_default=True)
    core_ca: Path | None = None
    config: Path = Path("payment.toml")
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8000, ge=0, le=65535)
    public_url: HttpUrl | None = None
    metrics_port: int = Field(default=9100, ge=0, le=65535)
    api_url: HttpUrl | None = None
    api_key: Annotated[SecretStr, AfterValidator(_token)] | None = None
    api_keys: Annotated[tuple[ApiKey, ...], NoDecode, BeforeValidator(_api_keys)] = ()
    audit_keys: Annotated[AuditKeys, NoDecode, BeforeValidator(_audit_keys)] = UNKEYED
    audit_export_key: Annotated[SecretStr, AfterValidator(_seed)] | None = None
    anchor_file: Path | None = None
    anchor_stream: Annotated[str, AfterValidator(_anchor_subject)] | None = None
    anchor_nats_url: Annotated[SecretStr, AfterValidator(_nats_url)] | None = None
    anchor_nats_creds: Path | None = None
    anchor_interval: Duration = Field(default="1m", validate_default=True)
    four_eyes_from: int | None = Field(default=None, ge=1)
    reply_subjects: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(_patterns)
    ] = ()
    subject_prefix: Annotated[str, AfterValidator(_prefix)] = ""
    stream_replicas: int = Field(default=1, ge=1, le=5)
    stream_requests_bytes: Bytes | None = None
    stream_requests_age: Duration | None = None
    stream_requests_discard: Discard | None = None
    stream_tasks_bytes: Bytes | None = None
    stream_tasks_age: Duration | None = None
    stream_tasks_discard: Discard | None = None
    stream_events_bytes: Bytes | None = None
    stream_events_age: Duration | None = None
    stream_events_discard: Discard | None = None
    stream_dlq_bytes: Bytes | None = None
    stream_dlq_age: Duration | None = None
    stream_dlq_discard: Discard | None = None
    ack_wait: Duration = Field(default="30s", validate_default=True)
    max_deliver: int = Field(default=8, ge=1, le=1000)
    sweep_interval: Duration = Field(default="10s", validate_default=True)
    sweep_grace: Duration = Field(default="30s", validate_default=True)
    schedules: bool = True
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    trace_sample: float = Field(default=0.01, ge=0, le=1)
    otlp_endpoint: HttpUrl | None = None

    @property
    def nats_urls(self) -> list[str]:
        """Return the addresses of the NATS servers; empty where none is set."""
        return _split(self.nats_url) if self.nats_url else []

    @property
    def anchor_nats_urls(self) -> list[str]:
        """Return the addresses of the NATS that keeps the anchors' stream."""
        return _split(self.anchor_nats_url) if self.anchor_nats_url else self.nats_urls

    @property
    def is_anchored(self) -> bool:
        """Tell whether there is a place that anchors go out to."""
        return self.anchor_file is not None or self.anchor_stream is not None

    @classmethod
    def read(
        cls,
        *,
        roles: Collection[str] = (),
        needs: Collection[str] = (),
        env_file: Path | None = ENV_FILE,
    ) -> Self:
        """Read the environment, and below it the ``.env`` file.

        ``roles`` are those of a ``run``; other commands name the fields they need.

        :raises SettingsError: a setting is missing, malformed or unsafe.
        """
        told = _told_by(env_file)
        try:
            settings = cls(_env_file=None, **_below_environment(told))
        except ValidationError as error:
            raise SettingsError(_problems(error)) from None
        problems = settings._missing({*needs, *needs_of(roles)}) + settings._unsafe()
        learn(settings)
        if problems:
            raise SettingsError(problems)
        return settings

    def strangers(self, env_file: Path | None = ENV_FILE) -> Mapping[str, str | None]:
        """Return what looks like a setting and is none, with what may be meant.

        What the configuration asks for as ``${NAME}`` is somebody's.
        """
        try:
            text = read_text(self.config) if self.config.is_file() else ""
        except OSError:
            text = ""
        known = [_variable(name) for name in Settings.model_fields]
        return {
            name: next(iter(get_close_matches(name.upper(), known, 1, 0.8)), None)
            for name in sorted(environment(env_file))
            if name.upper().startswith(PREFIX)
            and name.upper() not in known
            and f"${{{name}}}" not in text
        }

    def _missing(self, needs: Collection[str]) -> list[str]:
        missing = [name for name in sorted(needs) if getattr(self, name) is None]
        return [
            f"{_variable(n)} is missing: {_HINTS.get(n, 'set it')}" for n in missing
        ]

    def _unsafe(self) -> list[str]:
        problems = []
        if self.core_timeout >= self.ack_wait:
            limit = f"PAYMENT_ACK_WAIT ({format_duration(self.ack_wait)})"
            problems.append(f"PAYMENT_CORE_TIMEOUT must be shorter than {limit}")
        if self.core_ca is not None:
            if self.core_url is not None and not self.core_url.startswith("https://"):
                problems.append("PAYMENT_CORE_CA needs a PAYMENT_CORE_URL of https://")
            if why := untrustworthy(self.core_ca):
                problems.append(f"PAYMENT_CORE_CA: {why}")
        if self.nats_silence < NATS_SILENCE_MIN:
            shortest = format_duration(NATS_SILENCE_MIN)
            problems.append(f"PAYMENT_NATS_SILENCE must be at least {shortest}")
        if self.schedules and self.stream_tasks_discard == "new":
            problems.append(
                "PAYMENT_STREAM_TASKS_DISCARD=new needs PAYMENT_SCHEDULES=off: "
                "NATS has no schedules in a stream that discards new messages"
            )
        if self.nats_key is not None and self.nats_cert is None:
            problems.append("PAYMENT_NATS_CERT is missing: PAYMENT_NATS_KEY needs it")
        if self.nats_nkey is not None and self.nats_creds is not None:
            problems.append(
                "PAYMENT_NATS_NKEY and PAYMENT_NATS_CREDS exclude each other"
            )
        own = self.anchor_nats_url is not None or self.anchor_nats_creds is not None
        if own and self.anchor_stream is None:
            problems.append(
                "PAYMENT_ANCHOR_STREAM is missing: PAYMENT_ANCHOR_NATS_URL and "
                "PAYMENT_ANCHOR_NATS_CREDS are for it"
            )
        for name in _FILES:
            path = getattr(self, name)
            if path is not None and (why := unreadable(path)):
                problems.append(f"{_variable(name)}: cannot be read: {why}")
        return problems


def needs_of(roles: Collection[str]) -> frozenset[str]:
    """Return the settings without which these roles of ``run`` cannot work."""
    if not roles:
        return frozenset()
    core = {"core_url", "core_token"} if "worker" in roles else set()
    return frozenset({"database_url", "nats_url"} | core)


def environment(env_file: Path | None = ENV_FILE) -> Mapping[str, str]:
    """Return the environment over the ``.env`` file: what ``${NAME}`` is read from.

    :raises SettingsError: the file cannot be read.
    """
    told = _told_by(env_file)
    return {name: value for name, value in told.items() if value} | dict(os.environ)


def _told_by(env_file: Path | None) -> Mapping[str, str]:
    if env_file is None:
        return {}
    try:
        return read_env_file(env_file, ours=PREFIX)
    except UnreadableFile as error:
        raise SettingsError(error.problems) from None


def _below_environment(told: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the file that the environment does not have itself."""
    above = {name.upper() for name, value in os.environ.items() if value}
    by_variable = {_variable(name): name for name in Settings.model_fields}
    return {
        by_variable[name.upper()]: value
        for name, value in told.items()
        if value and name.upper() in by_variable and name.upper() not in above
    }


def proxies(env_file: Path | None = ENV_FILE) -> Proxies:
    """Return the proxies for calls out: what these need of the environment.

    :raises SettingsError: a proxy cannot be read, or OpenSSL would trust nobody.
    """
    problems = list(unusable())
    found = NO_PROXIES
    try:
        found = Proxies(environment(env_file))
    except ValueError as error:
        problems.append(str(error))
    if problems:
        raise SettingsError(problems)
    return found


def _problems(error: ValidationError) -> list[str]:
    return [
        f"{_variable(str(found['loc'][0]))} {_said(found['msg'])}"
        for found in error.errors(include_input=False, include_url=False)
    ]


def _said(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Input ")


def _variable(name: str) -> str:
    return name if name.startswith(PREFIX) else f"{PREFIX}{name.upper()}"
