"""Reads what the callers of a simulated provider have asked for."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol

from aiohttp import web

from providers.testing.simulator.script import ReceivedCreate
from providers.testing.simulator.wire import (
    BadCallError,
    Json,
    amount_in,
    currency_in,
    page_of,
    reply,
    text_in,
)


def rule_of(*, provider: str, reference: str, destination: str) -> tuple[str, str]:
    names = {"provider": provider, "reference": reference, "destination": destination}
    given = [rule for rule in names.items() if rule[1]]
    if len(given) != 1:
        raise BadCallError("a script is for a provider, a reference or a destination")
    return given[0]


def create_from(request: web.BaseRequest, provider: str, body: Json) -> ReceivedCreate:
    destination = body.get("destination")
    if not isinstance(destination, dict):
        raise BadCallError("destination is not an object")
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        raise BadCallError("there is no Idempotency-Key", code="no_key")
    return ReceivedCreate(
        provider=provider,
        reference=text_in(body, "reference"),
        key=key,
        amount=amount_in(body),
        currency=currency_in(body),
        destination=text_in(destination, "token", ""),
        terminal_id=text_in(body, "terminal_id", ""),
        callback_url=text_in(body, "callback_url", ""),
    )


def same_create(one: ReceivedCreate, other: ReceivedCreate) -> bool:
    return one == replace(other, callback_url=one.callback_url)


def shown(entry: Any) -> Json:  # noqa: ANN401 - a line of either book
    return {name: value for name, value in asdict(entry).items() if value}


class BookedLine(Protocol):
    """A line of any book."""

    @property
    def at(self) -> float: ...


def show_book(request: web.BaseRequest, entries: Sequence[BookedLine]) -> web.Response:
    """Answer with a page of a book, whosever it is."""
    page, cursor = page_of(request, entries, at=lambda entry: entry.at, show=shown)
    return reply({"entries": page, "next_cursor": cursor})


def rule_in(body: Json) -> dict[str, str]:
    """Return for what a script is, as the admin's call says it."""
    return {
        name: text_in(body, name)
        for name in ("provider", "reference", "destination")
        if body.get(name) is not None
    }
