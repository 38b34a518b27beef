"""Values in the one form that they have before jsonb and after it, so hashes hold."""

from collections.abc import Mapping
from typing import Final

import orjson

INTEGER_MAX: Final = 2**63 - 1


def written(value: object) -> bytes:
    """Write a value as JSON in the one form that it has before jsonb and after it."""
    return orjson.dumps(plain(value), option=orjson.OPT_SORT_KEYS)


def plain(value: object) -> object:
    """Return what comes back from the database as it went in."""
    kind = type(value)
    if kind is str or value is None or kind is bool:  # nearly all that there is
        return value
    if isinstance(value, float) and value.is_integer():
        # jsonb writes all digits of 1e16, and knows no negative zero.
        value = int(value)
    if isinstance(value, int):
        return value if abs(value) <= INTEGER_MAX else str(value)
    if isinstance(value, dict | Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value
