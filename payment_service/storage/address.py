"""What PAYMENT_DATABASE_URL says, and what is added where it says nothing."""

import os
import shlex
from collections.abc import Mapping
from typing import Any, Final

from psycopg.conninfo import conninfo_to_dict

DEFAULTS: Final[Mapping[str, str]] = {
    "connect_timeout": "5",
    # A path that swallows everything, as a forgetful NAT does, ends in seconds.
    "tcp_user_timeout": "10000",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}
SEVERAL: Final[Mapping[str, str]] = {
    # Of several the one that takes writes is meant, and a dead one is passed over soon.
    "target_session_attrs": "read-write",
    "connect_timeout": "2",
}
HOSTS: Final = ("host", "hostaddr")
ENVIRONMENT: Final[Mapping[str, str]] = {
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "application_name": "PGAPPNAME",
}
ALWAYS: Final[Mapping[str, str]] = {
    # Another encoding could not hold every name; nobody can want it.
    "client_encoding": "UTF8",
}


def parameters(url: str, *, name: str) -> dict[str, Any]:
    """Return the connection parameters of an address, for libpq.

    What the user says, in the URL or by libpq's own variables, is kept.

    :raises psycopg.ProgrammingError: libpq cannot read it; its text may hold secrets.
    """
    told = {k: v for k, v in conninfo_to_dict(url).items() if v not in {None, ""}}
    hosts = (told.get(of) or os.environ.get(f"PG{of.upper()}", "") for of in HOSTS)
    several = any("," in str(each) for each in hosts)
    ours = {**DEFAULTS, **(SEVERAL if several else {}), "application_name": name}
    for parameter, variable in ENVIRONMENT.items():
        if os.environ.get(variable):
            ours.pop(parameter, None)
    return {**ours, **told, **ALWAYS}


def given_settings(url: str) -> dict[str, str]:
    """Return the settings that the user's own ``options`` set, by name.

    :raises psycopg.ProgrammingError: libpq cannot read it; its text may hold secrets.
    """
    told = conninfo_to_dict(url).get("options") or os.environ.get("PGOPTIONS") or ""
    given: dict[str, str] = {}
    parts = iter(_split(str(told)))
    for part in parts:
        # PostgreSQL reads `-c name=value`, `-cname=value` and `--name=value`.
        setting = next(parts, "") if part == "-c" else part.removeprefix("-c")
        name, equals, value = setting.removeprefix("--").partition("=")
        if equals:
            given[name.replace("-", "_").lower()] = value
    return given


def _split(options: str) -> list[str]:
    """Split at spaces; a backslash keeps the next character, and quotes are none."""
    lexer = shlex.shlex(options, posix=True)
    lexer.whitespace_split, lexer.quotes, lexer.commenters = True, "", ""
    try:
        return list(lexer)
    except ValueError:
        return []
