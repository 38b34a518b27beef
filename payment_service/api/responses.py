"""The two bodies that the API answers with: JSON, and a problem document."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import orjson
from starlette.responses import JSONResponse, Response

from fsm.domain.masking import masked
from fsm.domain.votes import Vote

SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
PROBLEM_TYPE: Final = "application/problem+json"
RETRY_AFTER: Final = {"Retry-After": "1"}
"""What is said with every 503, whoever makes it: seconds."""


class Json(JSONResponse):
    """A JSON answer that nobody caches, frames or sniffs."""

    media_type = "application/json"

    def __init__(
        self,
        content: object = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(content, status_code, {**SECURITY_HEADERS, **(headers or {})})

    def render(self, content: object) -> bytes:
        """Write the content in UTF-8."""
        return orjson.dumps(content)


class ProblemResponse(Json):
    """An RFC 9457 problem document; ``members`` are what this kind adds."""

    media_type = PROBLEM_TYPE

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, object] | None = None,
    ) -> None:
        document = {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            **(members or {}),
        }
        again = RETRY_AFTER if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        super().__init__(masked(document), status, {**again, **(headers or {})})


class Plain(Response):
    """A text answer with the same headers."""

    media_type = "text/plain"

    def __init__(self, content: bytes, media_type: str) -> None:
        super().__init__(content, 200, SECURITY_HEADERS, media_type)


def status_of(vote: Vote) -> int:
    """Return 202 where a second person must agree."""
    return 202 if vote is Vote.WAITS else 200
