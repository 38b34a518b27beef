"""Reads JSON that others have signed: a value that is odd spoils itself alone.

What comes to us as a request is read by :mod:`fsm.domain.strict_json`. A
webhook cannot be sent back to be written better: where a field that nobody reads is
not as it should be, the rest counts all the same.
"""

import json
import math
import re
from collections import defaultdict
from typing import Final

from fsm.domain.errors import InvalidRequest
from fsm.domain.odd import Odd
from fsm.domain.strict_json import DEPTH_MAX, SIZE_MAX, parse_strict

DIGITS_MAX: Final = 128
DOUBLED: Final = "is there twice"
LONG_NUMBER: Final = "is a number that is too long"
NO_NUMBER: Final = "is no number"
TOO_DEEP: Final = f"is nested deeper than {DEPTH_MAX}"
NOT_UTF8: Final = "is not UTF-8"
NUL: Final = "holds a NUL character"
SURROGATE: Final = "holds half of a character"

_MARK: Final = b"\xef\xbb\xbf"
_AFTER: Final = b"\0 \t\r\n"
_CONSTANT: Final = "NaN"
_OTHER_MARKS: Final = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
# A text that does not end is taken to the end of all: nothing is looked at twice.
_BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_PAIRS: Final = {"]": "[", "}": "{"}
_ODD_TEXT: Final = re.compile("[\0\ud800-\udfff]")
_MAYBE_ODD_TEXT: Final = re.compile(
    "[\0\udc80-\udcff]|\\\\u(?:[dD][89a-fA-F]|0000)", re.ASCII
)


def read_foreign(data: bytes, *, size_max: int = SIZE_MAX) -> object:
    """Return the value, with an :class:`Odd` in place of whatever has no one meaning.

    Odd are: a key that comes twice, a text with bytes that are no UTF-8, with half a
    surrogate pair or a NUL, NaN and the infinities, a number longer than 128 digits,
    and what is nested deeper than 32. An integer of any other size is exact. A byte
    order mark before, and NULs after it all, are no part of it.

    :raises InvalidRequest: says at which byte it is no JSON, and nothing of what
        stands there.
    """
    try:
        return parse_strict(data, size_max=size_max)
    except InvalidRequest:
        # An honest sender hardly ever gets here; the work is linear all the same.
        if len(data) > size_max:
            raise
    return _read(data)


def _read(data: bytes) -> object:
    _require_utf8(data)
    start = len(_MARK) if data.startswith(_MARK) else 0
    # A foreign byte becomes half of a surrogate pair, which no text in UTF-8 has.
    text = data[start:].rstrip(_AFTER).decode("utf-8", "surrogateescape")
    spans = _too_deep(text, start)
    try:
        tree = _decoder(text, spans).decode(_blanked(text, spans))
    except json.JSONDecodeError as wrong:
        raise _no_json(text, wrong.pos, start, wrong.msg.lower()) from None
    return _with_odd_texts(tree) if _MAYBE_ODD_TEXT.search(text) else tree


def _require_utf8(data: bytes) -> None:
    for mark, name in _OTHER_MARKS.items():
        if data.startswith(mark):
            raise InvalidRequest(f"the body is {name}: JSON is UTF-8")


def _too_deep(text: str, start: int) -> list[slice]:
    """Return where values begin and end that are nested too deep."""
    spans: list[slice] = []
    opened: list[str] = []
    begun = 0
    for found in _BRACKET.finditer(text) if _is_deep(text) else ():
        sign = found[0]
        if sign in {"[", "{"}:
            opened.append(sign)
            begun = found.start() if len(opened) == DEPTH_MAX + 1 else begun
        elif sign in _PAIRS:
            if not opened or opened.pop() != _PAIRS[sign]:
                raise _no_json(text, found.start(), start, "a bracket does not fit")
            # What holds nothing is no deeper than what it stands in.
            if len(opened) == DEPTH_MAX and found.end() - begun > len("[]"):
                spans.append(slice(begun, found.end()))
    if len(opened) > DEPTH_MAX:
        raise _no_json(text, len(text), start, "it ends before it is complete")
    return spans


def _is_deep(text: str) -> bool:
    return text.count("[") + text.count("{") > DEPTH_MAX


def _blanked(text: str, spans: list[slice]) -> str:
    """Put a constant where a value is too deep; everything keeps its place."""
    pieces, done = [], 0
    for span in spans:
        pieces += [text[done : span.start], _CONSTANT.ljust(span.stop - span.start)]
        done = span.stop
    return "".join([*pieces, text[done:]])


def _decoder(text: str, spans: list[slice]) -> json.JSONDecoder:
    deep = [text[span] for span in spans]
    problem = TOO_DEEP if deep else NO_NUMBER

    def constant(name: str) -> Odd:
        return Odd(problem, content=[name, *deep])

    return json.JSONDecoder(
        object_pairs_hook=_object,
        parse_int=_integer,
        parse_float=_float,
        parse_constant=constant,
        strict=False,
    )


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    told: defaultdict[str, list[object]] = defaultdict(list)
    for name, value in pairs:
        told[name].append(value)
    return {
        name: values[0] if len(values) == 1 else Odd(DOUBLED, content=values)
        for name, values in told.items()
    }


def _integer(digits: str) -> int | Odd:
    if len(digits) <= DIGITS_MAX:
        return int(digits)
    return Odd(LONG_NUMBER, content=digits)


def _float(digits: str) -> float | Odd:
    value = float(digits) if len(digits) <= DIGITS_MAX else math.inf
    return value if math.isfinite(value) else Odd(LONG_NUMBER, content=digits)


def _with_odd_texts(node: object) -> object:
    # It is no deeper than the text was allowed to be.
    if isinstance(node, str):
        return _text(node)
    if isinstance(node, list):
        return [_with_odd_texts(each) for each in node]
    if isinstance(node, dict):
        return {name: _with_odd_texts(each) for name, each in node.items()}
    return node


def _text(text: str) -> str | Odd:
    found = _ODD_TEXT.search(text)
    if found is None:
        return text
    foreign = "\udc80" <= found[0] <= "\udcff"
    problem = NUL if found[0] == "\0" else NOT_UTF8 if foreign else SURROGATE
    return Odd(problem, content=text, shown=_ODD_TEXT.sub("\ufffd", text))


def _no_json(text: str, place: int, start: int, why: str) -> InvalidRequest:
    at = start + len(text[:place].encode("utf-8", "surrogateescape"))
    return InvalidRequest(f"the body is no JSON at byte {at}: {why}")
