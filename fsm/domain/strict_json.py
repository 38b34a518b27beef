"""Reads JSON as the contract demands it, and says in one line what is wrong with it."""

import json
from typing import Final, NoReturn

import orjson

from fsm.domain.errors import InvalidRequest
from fsm.domain.field_errors import in_body

SIZE_MAX: Final = 256 * 1024
DEPTH_MAX: Final = 32
INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**64 - 1
_INTEGER_LENGTH_MAX: Final = len(str(INTEGER_MAX))
_NUL: Final = b"\\u0000"
_PLAIN: Final = frozenset({str, int, bool, type(None)})


def parse_strict(
    data: bytes, *, size_max: int = SIZE_MAX, depth_max: int = DEPTH_MAX
) -> object:
    """Return the value.

    Two parsers look at the bytes. The first is strict about UTF-8, numbers and
    surrogates; the second sees what the first forgives: a key that comes twice and
    an integer that fits no integer. What a caller sends can be sent again, better.

    :raises InvalidRequest: it is not strict JSON; nothing else is raised.
    """
    if len(data) > size_max:
        raise refused_body(f"the body is over {size_max} bytes")
    try:
        tree = orjson.loads(data)
    except orjson.JSONDecodeError as wrong:
        raise refused_body(f"the body is not strict JSON: {wrong}") from None
    if data.count(b"[") + data.count(b"{") > depth_max:
        require_depth(tree, depth_max)
    try:
        again = _DECODER.decode(data.decode())
    except (ValueError, RecursionError) as wrong:
        raise refused_body(f"the body is not strict JSON: {wrong}") from None
    if _NUL in data:
        _refuse_nul(again)
    return again


def refused_body(problem: str) -> InvalidRequest:
    """Return what refuses a body as a whole."""
    return InvalidRequest(problem, errors=[in_body((), problem)])


def parse_unambiguous(data: bytes) -> object:
    """Return the value of an answer that can be read in one way only.

    As :func:`parse_strict`, but integers may be of any size, and so may the depth: what
    has been answered is not answered again, and an answer that is refused for a field
    that nobody reads leaves open what happened to money.

    :raises ValueError: it cannot.
    """
    try:
        tree = orjson.loads(data)
        return tree if _is_plain(tree, data) else _ANSWERS.decode(data.decode())
    except RecursionError as deep:
        raise ValueError("nested too deep to be read") from deep


def _is_plain(tree: object, data: bytes) -> bool:
    """Tell whether one parser has seen all of it, as in nearly every answer.

    An object within which is no other, with as many keys as there are colons, has none
    of them twice; and an integer that fits is read as one.
    """
    return (
        type(tree) is dict
        and data.count(b":") == len(tree)
        and all(type(value) in _PLAIN for value in tree.values())
    )


def require_depth(tree: object, depth_max: int = DEPTH_MAX) -> None:
    """Refuse a value of more than ``depth_max`` nested objects and lists."""
    level = [tree]
    for _ in range(depth_max):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    if any(isinstance(node, dict | list) for node in level):
        raise refused_body(f"the body is nested deeper than {depth_max}")


def _children(node: object) -> list[object]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _refuse_nul(tree: object) -> None:
    level = [tree]
    while level:
        texts = [node for node in level if isinstance(node, str)]
        texts += [key for node in level if isinstance(node, dict) for key in node]
        if any("\0" in text for text in texts):
            raise refused_body("the body holds a NUL character (\\u0000)")
        level = [child for node in level for child in _children(node)]


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has the same key twice")
    return made


def _integer(digits: str) -> int:
    if len(digits) <= _INTEGER_LENGTH_MAX:
        value = int(digits)
        if INTEGER_MIN <= value <= INTEGER_MAX:
            return value
    raise ValueError("an integer does not fit into 64 bits")


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


# Made once: `json.loads` makes one for every call that has a hook.
_ANSWERS: Final = json.JSONDecoder(object_pairs_hook=_object)
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_constant=_constant
)
