"""What calls take from a request besides its body: ids, filters, pages, the trace."""

import hashlib
import re
from typing import Annotated, Final
from urllib.parse import unquote

from fastapi import Header, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request

from fsm.domain.errors import InvalidRequest, UnknownOrder
from fsm.domain.ids import is_uuid
from fsm.domain.orders import Order
from fsm.domain.text import is_id
from handlers.ports.reads import Reads
from payment_service.api.auth import key_of
from payment_service.wire.customer import LANGUAGES

PAGE_SIZE: Final = 50
PAGE_SIZE_MAX: Final = 500
CURSOR_LENGTH_MAX: Final = 512
TAKE_CURSOR: Final = "take it from next_cursor of the page before"
OTHER_SEARCH: Final = (
    "is of another search: take it from next_cursor of the page before, and ask for "
    "the same but for limit"
)
TAG_LENGTH: Final = 8
_OF_A_PAGE: Final = frozenset({"limit", "cursor", "history"})

Limit = Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX)]
Cursor = Annotated[str | None, Query(max_length=CURSOR_LENGTH_MAX)]
History = Annotated[
    bool, Query(description="With the audit trail of each; at most 50 orders.")
]
Accepted = Annotated[
    str | None,
    Header(
        alias="Accept-Language",
        description="The language of `customer_message`: " + " or ".join(LANGUAGES),
        examples=["de-AT, de;q=0.9, en;q=0.5"],
    ),
]
Text = Annotated[str | None, Query(max_length=128)]

_TRACE_PARENT: Final = re.compile(
    r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII
)


def segment(raw: str) -> str:
    """Return one part of the path, decoded once; empty where it is not UTF-8."""
    try:
        return unquote(raw, errors="strict")
    except UnicodeDecodeError:
        return ""


def trace_parent_of(request: Request) -> str | None:
    """Return the caller's trace (W3C Trace Context), where it is a valid one."""
    found = request.headers.getlist("traceparent")
    if len(found) == 1 and _TRACE_PARENT.fullmatch(found[0]):
        return found[0]
    return None


def task_id_of(raw: str) -> str:
    """Return the id of a task in a path.

    :raises UnknownOrder: it is no id.
    """
    found = segment(raw).lower()
    if not is_uuid(found):
        raise UnknownOrder(found)
    return found


def item_id_of(raw: str, missing: str) -> str:
    """Return the id of a case or a dead letter in a path.

    :raises HTTPException: it is no id; ``missing`` says of what.
    """
    found = segment(raw).lower()
    if not is_uuid(found):
        raise HTTPException(404, missing)
    return found


async def find(reads: Reads, asked: str, request: Request) -> Order:
    """Return the order that a path names.

    For a key that is bound to merchants the orders of all others are not there.

    :raises UnknownOrder: there is none.
    :raises AmbiguousOrder: there are several.
    """
    wanted = segment(asked)
    if not is_id(wanted):
        raise UnknownOrder(wanted)
    return await reads.find(wanted, merchants=key_of(request).merchants)


def checked_cursor(request: Request, cursor: str | None) -> str | None:
    """Return where to go on; the rest of a cursor says which search it is of.

    :raises InvalidRequest: it was never handed out, or by a search for something else.
    """
    if cursor is None:
        return None
    place, _, search = cursor.rpartition(".")
    if not (place and cursor.isascii() and cursor.isprintable()):
        raise InvalidRequest.of_parameter("cursor", TAKE_CURSOR)
    if search != _search_of(request):
        raise InvalidRequest.of_parameter("cursor", OTHER_SEARCH)
    return place


def handed_out(request: Request, place: str | None) -> str | None:
    """Return the cursor of the next page, which goes on with the same search alone."""
    return None if place is None else f"{place}.{_search_of(request)}"


def _search_of(request: Request) -> str:
    """Return a short hash of what is searched, however much of it is shown."""
    sought = sorted(
        (name, value)
        for name, value in request.query_params.multi_items()
        if name not in _OF_A_PAGE
    )
    told = repr((request.url.path, sought)).encode()
    return hashlib.sha256(told).hexdigest()[:TAG_LENGTH]


def text_filter(name: str, text: str | None) -> str | None:
    """Return the text to look for.

    :raises InvalidRequest: it can be none.
    """
    if text is not None and not is_id(text):
        raise InvalidRequest.of_parameter(name, "must be 1 to 128 plain characters")
    return text
