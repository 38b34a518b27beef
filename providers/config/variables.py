"""Puts the values of the environment where a text of the file says ``${NAME}``."""

import re
from collections.abc import Mapping
from typing import Any, Final

_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}?")
_VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def filled(
    raw: dict[str, Any], environment: Mapping[str, str]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Replace every ``${NAME}``; what cannot be is left, and told with its key."""
    problems: list[tuple[str, str]] = []

    def fill(value: object, key: str) -> object:
        if isinstance(value, dict):
            return {n: fill(v, f"{key}.{n}" if key else n) for n, v in value.items()}
        if isinstance(value, list):
            return [fill(v, f"{key}[{n}]") for n, v in enumerate(value)]
        if not isinstance(value, str):
            return value
        return _VARIABLE.sub(lambda found: variable(found, key), value)

    def variable(found: re.Match[str], key: str) -> str:
        name = found[1]
        if not found[0].endswith("}") or not _VARIABLE_NAME.fullmatch(name):
            problems.append((key, "has a ${ that is not ${NAME}"))
        elif name not in environment:
            problems.append((key, f"the environment variable {name} is not set"))
        else:
            return environment[name]
        return found[0]

    return {n: fill(v, n) for n, v in raw.items()}, problems
