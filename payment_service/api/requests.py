"""What handlers take from a request besides its body: ids in the path, the trace."""

import re
from typing import Final
from urllib.parse import unquote

from starlette.requests import Request

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
