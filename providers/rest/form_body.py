"""Writes a body as the fields of a form: ``a[b]=c``, lists counted ``a[0]=c``."""

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlencode

FORM_TYPE: Final = {"Content-Type": "application/x-www-form-urlencoded"}

_NOT_IN_NAMES: Final = frozenset("[]")


def form_body(tree: Mapping[str, object]) -> bytes:
    """Return the body, in UTF-8; nothing in it looks like another field.

    :raises ValueError: a name has a bracket.
    :raises TypeError: a value is none of a form's.
    """
    return urlencode(list(_fields(tree, ""))).encode("ascii")


def _fields(node: object, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for key, inner in node.items():
            if _NOT_IN_NAMES & set(key):
                raise ValueError("a name with a bracket looks like two")
            yield from _fields(inner, f"{name}[{key}]" if name else key)
    elif isinstance(node, list):
        for number, inner in enumerate(node):
            yield from _fields(inner, f"{name}[{number}]")
    elif isinstance(node, bool):
        yield name, "true" if node else "false"
    elif isinstance(node, str | int):
        yield name, str(node)
    else:
        raise TypeError("a value cannot be in a form")
