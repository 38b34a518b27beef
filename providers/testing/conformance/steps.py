"""Plays the calls that come before a create: each is answered well, and remembered.

What a provider was asked for stands in all calls of a create, so what one of them said
is found again by the value that its answer gave, where a later call carries it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

from providers.config import ProviderTable
from providers.config.creates import BeforeTable, FindTable
from providers.config.forms import RequestTable
from providers.config.places import WHOLE
from providers.config.vocabulary import KEPT, PROVIDER_REFERENCE
from providers.testing.conformance.request_parser import Found, Reader
from providers.testing.conformance.response_writer import put, reply
from providers.testing.conformance.vocabulary import (
    THEIRS,
    ReceivedRequest,
    Reply,
    Unreadable,
)

ABSENT: Final = 404
REFUSED: Final = 400
_SHOWN: Final = 12


class Steps:
    """The calls before the one that pays, as the provider hears and answers them."""

    def __init__(self, table: ProviderTable, reader: Reader) -> None:
        self._before = () if table.create is None else table.create.before
        self._reader = reader
        self._known: dict[str, dict[str, object]] = {}

    def reply(self, request: ReceivedRequest) -> Reply | None:
        """Answer a call that comes before; None for any other.

        One that is not as it has to be is refused, and so nothing is paid.
        """
        try:
            return self._reply(request)
        except Unreadable as problem:
            return reply(REFUSED, {"error": str(problem)})

    def _reply(self, request: ReceivedRequest) -> Reply | None:
        for call in self._before:
            if call.find is not None and self._reader.is_for(call.find, request):
                return _nothing(call.find)
            if self._reader.is_for(call, request):
                return self._answered(call, request)
        return None

    def known(self, values: Mapping[str, object]) -> Iterator[Found]:
        """Return what was said in the calls whose values are carried on in these."""
        for name, value in values.items():
            if name.startswith(KEPT):
                yield from self._known.get(f"{name}={value}", {}).items()

    def _answered(self, call: BeforeTable, request: ReceivedRequest) -> Reply:
        said = self._reader.values(call, request)
        said = dict([*said.items(), *self.known(said)])
        body: dict[str, object] = {}
        for name, place in call.keep.items():
            value = _given(name, request)
            self._known[f"{KEPT}{name}={value}"] = said
            put(body, place, value)
        return reply(min(call.answers.success_codes, default=200), body)


def _given(name: str, request: ReceivedRequest) -> str:
    """Return a value that is another for each content, and the same for the same."""
    if name == PROVIDER_REFERENCE:
        return THEIRS
    content = f"{request.target}\n".encode("latin-1") + request.body
    return f"{name}-{hashlib.sha256(content).hexdigest()[:_SHOWN]}"


def _nothing(find: FindTable) -> Reply:
    if find.absent or find.items_at is None:
        return reply(min(find.absent, default=ABSENT), {})
    if find.items_at == WHOLE:
        return reply(200, [])
    body: dict[str, object] = {}
    put(body, find.items_at, [])
    return reply(200, body)


def asked_by(table: ProviderTable) -> Iterator[RequestTable]:
    """Return every call that a create makes before it, its questions too."""
    for call in () if table.create is None else table.create.before:
        yield call
        if call.find is not None:
            yield call.find
