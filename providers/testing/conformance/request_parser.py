"""Reads requests as a declared provider does: its templates, backwards."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import chain
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from fsm.domain.money import EXPONENTS, Money
from fsm.domain.reading import UnreadableField
from providers.config import ProviderTable
from providers.config.forms import CallTable, RequestTable
from providers.config.templates import Template, parse_template
from providers.config.vocabulary import NUMBER, REFERENCE
from providers.rest.amounts import decimal_of, minor_in
from providers.rest.form_body import FORM_TYPE
from providers.rest.requests import ours
from providers.testing.conformance.vocabulary import (
    Asked,
    Call,
    ReceivedRequest,
    Unreadable,
)

Found = tuple[str, object]
"""A placeholder, and what stood in its place."""

Known = Callable[[Mapping[str, object]], Iterable[Found]]
"""Tells by the values of a call what was said in those before it."""

_HEX: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_DECIMALS: Final = frozenset({"amount_decimal", NUMBER})
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "amount": (int,),
    "amount_minor": (int,),
    "amount_decimal": (str,),
    NUMBER: (int, Decimal),
}


class Reader:
    """The calls of one table, each known by its method and path."""

    def __init__(self, calls: Mapping[Call, CallTable], table: ProviderTable) -> None:
        self._calls = calls
        self._base = urlsplit(table.base_url or "").path
        self._reference_form = table.reference_form

    def read(self, request: ReceivedRequest, known: Known | None = None) -> Asked:
        """Say what is asked for; ``known`` says what was asked in calls before it.

        :raises Unreadable: no call of the table is like it.
        """
        problems = [f"{request.method} {request.target} is no call of its own"]
        for call, table in self._calls.items():
            if not self.is_for(table, request):
                continue
            try:
                values = self.values(table, request)
                before = () if known is None else known(values)
                both = self._once(chain(values.items(), before))
                return self._asked(call, dict(both))
            except Unreadable as problem:
                problems.append(f"{call}: {problem}")
        raise Unreadable(problems[-1])

    def values(
        self, table: RequestTable, request: ReceivedRequest
    ) -> dict[str, object]:
        """Return what stands in the place of each placeholder of one call.

        :raises Unreadable: the request is not as it has to be.
        """
        return dict(self._once(self._found(table, request)))

    def is_for(self, table: RequestTable, request: ReceivedRequest) -> bool:
        """Tell whether a request goes where this call goes."""
        path = urlsplit(request.target).path
        expression = self._base + _expression(parse_template(table.path), "[^/]+")
        return table.method == request.method and bool(re.fullmatch(expression, path))

    def _found(self, table: RequestTable, request: ReceivedRequest) -> Iterator[Found]:
        parts = urlsplit(request.target)
        path = parts.path.removeprefix(self._base)
        yield from _of_text(parse_template(table.path), path, "path", "[^/]+")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        for name, text in table.query.items():
            yield from _of_leaf(text, query.get(name), f"query.{name}")
        for name, text in table.headers.items():
            told = request.headers.get(name.lower())
            yield from _of_leaf(text, told, f"headers.{name}")
        if table.body:
            if table.body_form == "urlencoded":
                yield from _of_tree(_as_text(table.body), _fields(request), "form")
            else:
                yield from _of_tree(table.body, _json(request.body), "body")

    @staticmethod
    def _once(found: Iterable[Found]) -> Iterator[Found]:
        known: dict[str, object] = {}
        for name, value in found:
            if known.setdefault(name, value) != value:
                raise Unreadable(f"it carries two different {{{name}}}")
            yield name, value

    def _asked(self, call: Call, values: Mapping[str, object]) -> Asked:
        reference = values.get(REFERENCE)
        theirs = values.get("provider_reference")
        currency = _currency(values)
        return Asked(
            call=call,
            reference=self._ours(reference),
            provider_reference=None if theirs is None else str(theirs),
            amount=_amount(values, currency),
            currency=currency,
        )

    def _ours(self, reference: object) -> str | None:
        """Return our reference, where it is written as this provider wants it."""
        if not isinstance(reference, str):
            return None
        is_hex = _HEX.fullmatch(reference) is not None
        if is_hex is not (self._reference_form == "hex"):
            return None
        return ours(reference, self._reference_form)


def _json(body: bytes) -> object:
    try:
        return json.loads(body, parse_float=Decimal)
    except ValueError:
        raise Unreadable("its body is not JSON") from None


def _fields(request: ReceivedRequest) -> object:
    """Read a form back, as far as names and brackets say what is in what."""
    if request.headers.get("content-type") != FORM_TYPE["Content-Type"]:
        raise Unreadable("its content type is not that of a form")
    told: dict[str, Any] = {}
    for name, value in parse_qsl(request.body.decode(), keep_blank_values=True):
        *above, last = name.replace("]", "").split("[")
        inner = told
        for step in above:
            inner = inner.setdefault(step, {})
        if last in inner:
            raise Unreadable(f"its form says {name} twice")
        inner[last] = value
    return told


def _as_text(node: object) -> object:
    """Return what a form can hold of a body: texts, and lists by their numbers."""
    if isinstance(node, Mapping):
        return {name: _as_text(inner) for name, inner in node.items()}
    if isinstance(node, list):
        return {str(number): _as_text(inner) for number, inner in enumerate(node)}
    if isinstance(node, bool):
        return "true" if node else "false"
    return str(node)


def _of_tree(node: object, told: object, key: str) -> Iterator[Found]:
    if isinstance(node, Mapping):
        for name, inner in node.items():
            below = told.get(name) if isinstance(told, dict) else None
            yield from _of_tree(inner, below, f"{key}.{name}")
    elif isinstance(node, list):
        listed = told if isinstance(told, list) else []
        for number, inner in enumerate(node):
            below = listed[number] if number < len(listed) else None
            yield from _of_tree(inner, below, f"{key}[{number}]")
    elif isinstance(node, str):
        yield from _of_leaf(node, told, key)
    elif told != node:
        raise Unreadable(f"{key} is not {node!r}")


def _of_leaf(text: str, told: object, key: str) -> Iterator[Found]:
    template = parse_template(text)
    hole = template.alone
    if told is None:
        if all(hole.optional for hole in template.holes) and template.holes:
            return
        raise Unreadable(f"{key} is missing")
    if hole is None:
        yield from _of_text(template, str(told), key, ".*")
    else:
        types = _TYPES.get(hole.name) if key.startswith("body") else None
        yield hole.name, told if types is None or type(told) in types else None


def _of_text(template: Template, told: str, key: str, anything: str) -> Iterator[Found]:
    found = re.fullmatch(_expression(template, anything), told, re.DOTALL)
    if found is None:
        raise Unreadable(f"{key} is not as it has to be")
    for hole, value in zip(template.holes, found.groups(), strict=True):
        yield hole.name, unquote(value) if key == "path" else value


def _expression(template: Template, anything: str) -> str:
    pieces = template.pieces
    return "".join(
        re.escape(piece) if isinstance(piece, str) else f"({anything})"
        for piece in pieces
    )


def _currency(values: Mapping[str, object]) -> str | None:
    if isinstance(capitals := values.get("currency"), str):
        return capitals
    small = values.get("currency_lower")
    return small.upper() if isinstance(small, str) and small.islower() else None


def _amount(values: Mapping[str, object], currency: str | None) -> int | None:
    """Return the amount, if it is written as it has to be, and only so."""
    found = {n: v for n, v in values.items() if n.startswith("amount")}
    read = {_minor(name, value, currency) for name, value in found.items()}
    return read.pop() if len(read) == 1 else None


def _minor(name: str, value: object, currency: str | None) -> int | None:
    if value is None or currency not in EXPONENTS:
        return None
    text = str(value)
    try:
        amount = minor_in(text, "decimal" if name in _DECIMALS else "minor", currency)
    except UnreadableField:
        return None
    exact = decimal_of(Money(amount, currency)) if name in _DECIMALS else str(amount)
    return amount if text == exact else None
