"""Makes the requests of a declared wire form: templates filled, escaped and bounded."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote
from uuid import UUID

import orjson

from fsm.domain.ids import is_uuid
from providers.config.forms import RequestTable
from providers.config.templates import (
    MissingValue,
    Template,
    parse_template,
    value_of,
)
from providers.config.unsafe_calls import holes_of
from providers.config.values import HEADER_VALUE
from providers.http.connection import Method
from providers.port import Payout
from providers.rest.amounts import decimal_of
from providers.rest.form_body import FORM_TYPE, form_body

Values = Mapping[str, object]
Node = Template | int | dict[str, "Node"] | list["Node"]

_DOTS: Final = re.compile(r"/\.{1,2}(/|$)")
NO_STEP: Final = "a value cannot be a step of a path"

_REFERENCE: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


class Unsendable(Exception):
    """What is known of a payout does not fit into a template."""


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """A call, ready to be signed and sent."""

    method: Method
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


class CallTemplate:
    """One call of one provider, its templates read once."""

    def __init__(self, table: RequestTable, base_url: str) -> None:
        self._base_url = base_url
        self._method: Final[Method] = table.method
        self._path = parse_template(table.path)
        self._query = {n: parse_template(text) for n, text in table.query.items()}
        self._headers = {n: parse_template(text) for n, text in table.headers.items()}
        self._body = _read(table.body) if table.body else None
        is_form = self._body is not None and table.body_form == "urlencoded"
        self._write = _form if is_form else _json
        self._type = FORM_TYPE if is_form else {}
        self.holes: Final = frozenset(holes_of(table))

    def request(self, values: Values) -> PreparedRequest:
        """Fill it in.

        :raises Unsendable: a value is not known, or does not fit its place.
        """
        try:
            return PreparedRequest(
                method=self._method,
                url=self._base_url + self._target(values),
                headers=self._filled_headers(values) | self._type,
                body=None if self._body is None else self._write(self._body, values),
            )
        except MissingValue as error:
            raise Unsendable(str(error)) from None

    def _target(self, values: Values) -> str:
        path = self._path.filled(values, _step) or ""
        if _DOTS.search(path):
            raise Unsendable(NO_STEP)
        query = {n: t.filled(values, _escaped) for n, t in self._query.items()}
        pairs = [f"{_escaped(n)}={v}" for n, v in query.items() if v is not None]
        return f"{path}?{'&'.join(pairs)}" if pairs else path

    def _filled_headers(self, values: Values) -> dict[str, str]:
        filled = {n: t.filled(values) for n, t in self._headers.items()}
        return {n: sendable(text) for n, text in filled.items() if text is not None}


def sendable(text: str) -> str:
    """Return the text of a header.

    :raises Unsendable: it would end the header, or is not ASCII.
    """
    if not HEADER_VALUE.fullmatch(text):
        raise Unsendable("a value cannot be a header")
    return text


def values_of(payout: Payout, callback_url: str | None, form: str) -> dict[str, object]:
    """Return what the templates of a call about a payout can say."""
    amount = decimal_of(payout.money)
    values: dict[str, object] = {
        "reference": theirs(payout.reference, form),
        "amount": payout.money.amount,
        "amount_minor": payout.money.amount,
        "amount_decimal": amount,
        # Digits of its own making: no binary number comes near it.
        "amount_number": orjson.Fragment(amount.encode("ascii")),
        "currency": payout.money.currency,
        "currency_lower": payout.money.currency.lower(),
        "terminal_id": payout.terminal_id,
        "provider_reference": payout.provider_reference,
        "callback_url": callback_url,
        "destination": dict(payout.destination),
    }
    return values | {f"destination.{n}": v for n, v in payout.destination.items()}


def theirs(reference: str, form: str) -> str:
    """Write our reference as the provider is to know it."""
    return reference.replace("-", "") if form == "hex" else reference


def ours(reference: str, form: str) -> str:
    """Read our reference back, in either case; what is none stays what it is."""
    digits = reference.lower()
    if form == "hex" and _REFERENCE.fullmatch(digits):
        return str(UUID(hex=digits))
    return digits if is_uuid(digits) else reference


def _escaped(value: str) -> str:
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise Unsendable("a value is not Unicode") from None


def _step(value: str) -> str:
    if not value:
        raise Unsendable(NO_STEP)
    return _escaped(value)


def _read(value: object) -> Node:
    if isinstance(value, Mapping):
        return {str(name): _read(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_read(inner) for inner in value]
    if isinstance(value, int):
        return value
    return parse_template(str(value))


class _LeftOut:
    """Stands for a leaf whose optional hole stays empty."""


_LEFT_OUT: Final = _LeftOut()


def _json(node: Node, values: Values) -> bytes:
    try:
        return orjson.dumps(_filled(node, values))
    except TypeError as error:
        raise Unsendable("a value cannot be JSON") from error


def _form(node: Node, values: Values) -> bytes:
    filled = _filled(node, values)
    try:
        return form_body(filled if isinstance(filled, dict) else {})
    except (TypeError, ValueError) as error:
        raise Unsendable("a value cannot be in a form") from error


def _filled(node: Node, values: Values) -> object:
    if isinstance(node, Template):
        return _leaf(node, values)
    if isinstance(node, dict):
        named = {name: _filled(inner, values) for name, inner in node.items()}
        return {n: v for n, v in named.items() if v is not _LEFT_OUT}
    if isinstance(node, list):
        listed = [_filled(inner, values) for inner in node]
        return [v for v in listed if v is not _LEFT_OUT]
    return node


def _leaf(template: Template, values: Values) -> object:
    hole = template.alone
    value = template.filled(values) if hole is None else value_of(hole, values)
    return _LEFT_OUT if value is None else value
