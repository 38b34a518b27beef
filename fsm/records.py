"""Copies of frozen records with some fields changed, on the path of every step.

``dataclasses.replace`` goes through the constructor field by field. This copies slot by
slot, in a function that is written for the class when it is first copied, as the
``dataclass`` decorator writes its constructor: a quarter of the time, measured on a
task of 25 fields.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

R = TypeVar("R")
Copier = Callable[[Any, Mapping[str, Any]], Any]
"""(record, changes) -> the copy."""

_KNOWN: dict[type[Any], Copier] = {}


def replace(record: R, /, **changes: Any) -> R:  # noqa: ANN401 - as the fields are
    """Return a copy of a frozen, slotted dataclass with these fields changed.

    ``__post_init__`` does not run: for records that need none.

    :raises KeyError: it has no such field.
    """
    kind: type[Any] = type(record)
    copier = _KNOWN.get(kind) or _learnt(kind)
    copy: R = copier(record, changes)
    return copy


def _learnt(kind: type[Any]) -> Copier:
    names = [field.name for field in fields(kind)]
    setters = {name: getattr(kind, name).__set__ for name in names}
    lines = [
        "def copier(record, changes):",
        "    copy = new(kind)",
        *(f"    set_{name}(copy, record.{name})" for name in names),
        "    for name, value in changes.items():",
        "        setters[name](copy, value)",
        "    return copy",
    ]
    known: dict[str, Any] = {
        "new": object.__new__,
        "kind": kind,
        "setters": setters,
        **{f"set_{name}": setter for name, setter in setters.items()},
    }
    exec("\n".join(lines), known)  # noqa: S102 - made of the class's own field names
    _KNOWN[kind] = known["copier"]
    return _KNOWN[kind]
