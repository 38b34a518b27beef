"""Reads docker-compose.yml as compose does; what it does not understand it names."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.containers.dockerfile import NotUnderstoodError
from tests.containers.image import Health, health_from

KNOWN = {
    "image", "build", "init", "restart", "volumes", "environment", "depends_on",
    "command", "entrypoint", "healthcheck", "ports", "tmpfs",
    "read_only", "cap_drop", "cap_add", "security_opt", "ulimits",
    # Read and held by a test; only a cgroup could apply them.
    "mem_limit", "pids_limit",
}  # fmt: skip
ABOUT_HEALTH = {"test", "interval", "timeout", "retries", "start_period", "disable"}
NO_NEW = "no-new-privileges:true"
STARTED = "service_started"
HEALTHY = "service_healthy"
DONE = "service_completed_successfully"
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:?[-?])([^}]*))?\}|(\w+))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A file or folder of the project, or by name one that the project keeps."""

    source: str
    target: str
    writable: bool

    @property
    def named(self) -> bool:
        return not self.source.startswith((".", "/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the file says of a service; None is what its image says."""

    name: str
    image: str
    built: bool
    target: str
    """The stage of the Dockerfile; "" is its last."""
    init: bool
    env: Mapping[str, str]
    volumes: tuple[Volume, ...]
    depends_on: Mapping[str, str]
    ports: tuple[tuple[str, int, int], ...]
    """The host's address and port, and the port that they lead to."""
    entrypoint: tuple[str, ...] | None
    command: tuple[str, ...] | None
    health: Health | None
    asks_health: bool
    confined: "Confined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confined:
    """What a container may not do; ``capabilities`` is None where all stay."""

    read_only: bool
    tmpfs: tuple[str, ...]
    capabilities: tuple[str, ...] | None
    no_new_privileges: bool
    descriptors_max: int | None
    memory: str | None
    processes_max: int | None


def services(file: Path, env: Mapping[str, str]) -> list[Service]:
    """Return the services, each after those that it depends on."""
    document = yaml.safe_load(file.read_text())
    _refuse_unknown("", document, {"services", "volumes"})
    tables = _filled(document["services"], env)
    found = {name: _service(name, table, env) for name, table in tables.items()}
    return _in_order(found)


def _in_order(found: Mapping[str, Service]) -> list[Service]:
    ordered: dict[str, Service] = {}
    while len(ordered) < len(found):
        ready = [
            service
            for name, service in found.items()
            if name not in ordered and service.depends_on.keys() <= ordered.keys()
        ]
        if not ready:
            raise NotUnderstoodError("services depend on each other, or on none there")
        ordered.update({service.name: service for service in ready})
    return list(ordered.values())


def _service(name: str, table: Mapping[str, Any], env: Mapping[str, str]) -> Service:
    _refuse_unknown(f"{name}.", table, KNOWN)
    health = table.get("healthcheck", {})
    _refuse_unknown(f"{name}.healthcheck.", health, ABOUT_HEALTH)
    return Service(
        name=name,
        image=table["image"],
        built="build" in table,
        target=_target(name, table.get("build")),
        init=table.get("init", False),
        env=_environment(table.get("environment", {}), env),
        volumes=tuple(map(_volume, table.get("volumes", ()))),
        depends_on=_dependencies(table.get("depends_on", {})),
        ports=tuple(map(_port, table.get("ports", ()))),
        entrypoint=_argv(table.get("entrypoint")),
        command=_argv(table.get("command")),
        health=_health(health),
        asks_health=not health.get("disable", False),
        confined=_confined(name, table),
    )


def _target(name: str, build: str | Mapping[str, Any] | None) -> str:
    if isinstance(build, Mapping):
        _refuse_unknown(f"{name}.build.", build, {"context", "target"})
        return str(build.get("target", ""))
    return ""


def _confined(name: str, table: Mapping[str, Any]) -> Confined:
    options, limits = table.get("security_opt", []), table.get("ulimits", {})
    _refuse_unknown(f"{name}.security_opt.", dict.fromkeys(options), {NO_NEW})
    _refuse_unknown(f"{name}.ulimits.", limits, {"nofile"})
    dropped = table.get("cap_drop", [])
    if dropped not in ([], ["ALL"]):
        raise NotUnderstoodError(f"{name}.cap_drop: {dropped} is not played")
    return Confined(
        read_only=table.get("read_only", False),
        tmpfs=tuple(table.get("tmpfs", ())),
        capabilities=tuple(table.get("cap_add", ())) if dropped else None,
        no_new_privileges=NO_NEW in options,
        descriptors_max=limits.get("nofile"),
        memory=table.get("mem_limit"),
        processes_max=table.get("pids_limit"),
    )


def _refuse_unknown(where: str, table: Mapping[str, Any], known: set[str]) -> None:
    for key in table:
        if key not in known and not key.startswith("x-"):
            raise NotUnderstoodError(f"{where}{key} is not played")


def _filled(value: Any, env: Mapping[str, str]) -> Any:
    """Put variables in, everywhere in what the file says."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _value(found, env), value)
    if isinstance(value, list):
        return [_filled(each, env) for each in value]
    if isinstance(value, dict):
        return {name: _filled(each, env) for name, each in value.items()}
    return value


def _value(found: re.Match[str], env: Mapping[str, str]) -> str:
    dollar, name, operator, rest, plain = found.groups()
    if dollar:
        return dollar
    value = env.get(name or plain)
    if value is None or (value == "" and (operator or "").startswith(":")):
        if operator and operator.endswith("?"):
            raise NotUnderstoodError(f"{name}: {rest}")
        return rest or "" if operator else value or ""
    return value


def _environment(
    table: Mapping[str, Any] | list[str], env: Mapping[str, str]
) -> dict[str, str]:
    if isinstance(table, list):
        pairs = (line.partition("=") for line in table)
        table = {name: value if equals else None for name, equals, value in pairs}
    given = {name: env.get(name) if v is None else str(v) for name, v in table.items()}
    # A name alone is taken from the shell, and is absent where it is not there.
    return {name: value for name, value in given.items() if value is not None}


def _volume(text: str) -> Volume:
    source, target, *mode = text.split(":")
    return Volume(source=source, target=target, writable=mode != ["ro"])


def _dependencies(table: Mapping[str, Any] | list[str]) -> dict[str, str]:
    if isinstance(table, list):
        return dict.fromkeys(table, STARTED)
    conditions = {name: about["condition"] for name, about in table.items()}
    for name, condition in conditions.items():
        if condition not in {STARTED, HEALTHY, DONE}:
            raise NotUnderstoodError(f"depends_on.{name}: {condition} is not played")
    return conditions


def _port(text: str) -> tuple[str, int, int]:
    found = re.fullmatch(r"(?:([0-9.]+):)?([0-9]+):([0-9]+)", text)
    if found is None:
        raise NotUnderstoodError(f"ports: {text} is not played")
    return found[1] or "0.0.0.0", int(found[2]), int(found[3])  # noqa: S104 - Docker's


def _argv(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    words = shlex.split(value) if isinstance(value, str) else value
    return tuple(str(word) for word in words)


def _health(table: Mapping[str, Any]) -> Health | None:
    if "test" not in table:
        return None
    test = table["test"]
    times = {n: str(v) for n, v in table.items() if n not in {"test", "disable"}}
    return health_from(["CMD-SHELL", test] if isinstance(test, str) else test, times)
