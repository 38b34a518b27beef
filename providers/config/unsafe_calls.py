"""What is wrong with the templates of a call, each named by its key."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from providers.config.forms import RequestTable
from providers.config.templates import BadTemplate, Hole, Template, parse_template
from providers.config.values import HEADER_NAME, HEADER_VALUE, OUR_HEADERS
from providers.config.vocabulary import NUMBER, ONLY_ALONE, is_known

IDEMPOTENCY_KEY: Final = "idempotency-key"

_NOT_IN_PATHS: Final = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@/%-]", re.ASCII)
_BRACKET: Final = re.compile(r"[\[\]]")
_DOTS: Final = re.compile(r"/(\.|%2e){1,2}(/|$)", re.IGNORECASE)

Problems = Iterator[tuple[str, str]]


def unsafe_call(call: RequestTable, key: str, vocabulary: frozenset[str]) -> Problems:
    """Name every template that cannot be used."""
    yield from _unsafe_path(call.path, f"{key}.path", vocabulary)
    for name, text in call.query.items():
        yield from unsafe_template(text, f"{key}.query.{name}", vocabulary)
    yield from unsafe_headers(call.headers, f"{key}.headers", vocabulary)
    if call.body and call.method == "GET":
        yield f"{key}.body", "must not be there where method is GET"
    for place, leaf in leaves(call.body, f"{key}.body"):
        yield from _unsafe_leaf(leaf, place, vocabulary)
    if call.body_form == "urlencoded":
        yield from _unsafe_fields(call, key)


def _unsafe_fields(call: RequestTable, key: str) -> Problems:
    """Name what cannot be a field of a form, or would look like another one."""
    if not call.body:
        yield f"{key}.body_form", "has no meaning without body"
    for place, leaf in leaves(call.body, f"{key}.body"):
        if isinstance(leaf, str) and NUMBER in {hole.name for hole in _holes(leaf)}:
            yield place, f"must not have {{{NUMBER}}} in a form: use {{amount_decimal}}"
    if any(_BRACKET.search(name) for name in _names(call.body)):
        reason = "nested tables are written so: a = { b = … } is a[b]"
        yield f"{key}.body", f"must have no name with [ or ]: {reason}"


def _names(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield name
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)


def unsafe_headers(
    headers: Mapping[str, str], key: str, vocabulary: frozenset[str]
) -> Problems:
    """Name every header that cannot be sent."""
    for name, text in headers.items():
        ours = name.lower() in OUR_HEADERS - {IDEMPOTENCY_KEY}
        if ours or not HEADER_NAME.fullmatch(name):
            yield f"{key}.{name}", "must not be a header"
        yield from unsafe_template(text, f"{key}.{name}", vocabulary)
        if not HEADER_VALUE.fullmatch(text):
            yield f"{key}.{name}", "must be printable ASCII"


def unsafe_template(
    text: str, key: str, vocabulary: frozenset[str], *, body: bool = False
) -> Problems:
    """Name what is wrong with one template."""
    try:
        template = parse_template(text)
    except BadTemplate as error:
        yield key, str(error)
        return
    for hole in template.holes:
        if (problem := _unsafe_hole(hole, template, vocabulary, body=body)) is not None:
            yield key, problem


def holes_of(call: RequestTable, *, needed: bool = False) -> set[str]:
    """Return the placeholders of a call, as far as it can be read.

    ``needed``: those alone without which it cannot be made.
    """
    texts = [call.path, *call.query.values(), *call.headers.values()]
    texts += [leaf for _, leaf in leaves(call.body, "") if isinstance(leaf, str)]
    holes = [hole for text in texts for hole in _holes(text)]
    return {hole.name for hole in holes if not (needed and hole.optional)}


def is_sent_whole(call: RequestTable, name: str) -> bool:
    """True where a placeholder is a value of its own, or a step of the path.

    Headers count only where nothing else says it: providers repeat what the body says.
    """
    leafs = [leaf for _, leaf in leaves(call.body, "") if isinstance(leaf, str)]
    texts = [*call.path.split("/"), *call.query.values(), *leafs]
    saying = [text for text in texts if f"{{{name}" in text] or call.headers.values()
    return any(text in {f"{{{name}}}", f"{{{name}?}}"} for text in saying)


def leaves(value: object, key: str) -> Iterator[tuple[str, object]]:
    """Return everything in a body that holds nothing else, by its key."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from leaves(inner, f"{key}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{key}[{number}]")
    else:
        yield key, value


def _unsafe_leaf(leaf: object, key: str, vocabulary: frozenset[str]) -> Problems:
    if isinstance(leaf, str):
        yield from unsafe_template(leaf, key, vocabulary, body=True)
    elif not isinstance(leaf, int):
        yield key, "must be text, an integer, true or false"
    elif not -(2**63) <= leaf < 2**63:
        yield key, "must fit into 64 bits"


def _unsafe_path(text: str, key: str, vocabulary: frozenset[str]) -> Problems:
    yield from unsafe_template(text, key, vocabulary)
    try:
        template = parse_template(text)
    except BadTemplate:
        return
    plain = "".join(p if isinstance(p, str) else "_" for p in template.pieces)
    if not plain.startswith("/") or _NOT_IN_PATHS.search(plain):
        yield key, "must be a path like /v1/payouts/{reference}; a query has its key"
    if _DOTS.search(plain) or "//" in plain:
        yield key, "must have no empty step, no . and no .."
    if any(hole.optional for hole in template.holes):
        yield key, "must have no optional placeholder"


def _unsafe_hole(
    hole: Hole, template: Template, vocabulary: frozenset[str], *, body: bool
) -> str | None:
    if not is_known(hole.name, vocabulary):
        known = ", ".join(sorted(vocabulary))
        return f"unknown placeholder {{{hole.name}}}; there are {known}"
    if hole.name in ONLY_ALONE and not (body and template.alone):
        return f"{{{hole.name}}} must be a value of its own in body"
    return None


def _holes(text: str) -> tuple[Hole, ...]:
    try:
        return parse_template(text).holes
    except BadTemplate:
        return ()
