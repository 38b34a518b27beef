"""Reads request bodies: counted while they come, within a time, never unpacked."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from fsm.domain.strict_json import SIZE_MAX, parse_strict
from payment_service.api.strict import warn
from payment_service.wire.media import MediaType, parse_media_type
from payment_service.wire.models import M, validated
from payment_service.wire.unknown import unknown_in

DRAINED_MAX: Final = 8 * SIZE_MAX
"""So much of a body that is too large is read and thrown away: a sender who is
still sending would see a broken connection in place of the answer."""

CHARSET_LENGTH_MAX: Final = 40
JSON: Final = MediaType("application/json")
_CLOSE: Final = {"Connection": "close"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyReader:
    """Reads bodies; ``late_status`` answers one that does not come in time."""

    time_limit: timedelta
    size_max: int = SIZE_MAX
    late_status: int = 408

    async def read(self, request: Request) -> bytes:
        """Return the body.

        :raises HTTPException: 413, 415, or ``late_status``.
        """
        require_uncompressed(request)
        self._require_modest(request)
        try:
            async with asyncio.timeout(self.time_limit.total_seconds()):
                return await self._collected(request)
        except TimeoutError:
            late = "The body did not come in time."
            raise HTTPException(self.late_status, late, _CLOSE) from None
        except ClientDisconnect:
            raise HTTPException(400, "The body broke off.", _CLOSE) from None

    def _require_modest(self, request: Request) -> None:
        declared = request.headers.get("content-length", "")
        size = int(declared) if declared.isascii() and declared.isdigit() else 0
        waits = "expect" in request.headers
        if size > (self.size_max if waits else DRAINED_MAX):
            raise self._too_large(_CLOSE)

    async def _collected(self, request: Request) -> bytes:
        held = bytearray()
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > DRAINED_MAX:
                raise self._too_large(_CLOSE)
            if size > self.size_max:
                held.clear()
            else:
                held += chunk
        if size > self.size_max:
            raise self._too_large(None)
        return bytes(held)

    def _too_large(self, headers: dict[str, str] | None) -> HTTPException:
        return HTTPException(413, f"The body is over {self.size_max} bytes.", headers)


def require_uncompressed(request: Request) -> None:
    """Refuse what would have to be unpacked."""
    for encoding in request.headers.getlist("content-encoding"):
        if encoding.strip().lower() not in {"", "identity"}:
            raise HTTPException(415, "Send the body uncompressed.", _CLOSE)


def require_json(request: Request) -> None:
    """Refuse what says that it is not JSON in UTF-8; silence is taken for JSON."""
    for told in request.headers.getlist("content-type"):
        media = parse_media_type(told) if told.strip() else JSON
        if media is None or not media.is_json:
            raise HTTPException(415, "Send application/json.", _CLOSE)
        if (charset := media.foreign_charset) is not None:
            detail = f"Send JSON in UTF-8, and not in {charset[:CHARSET_LENGTH_MAX]}."
            raise HTTPException(415, detail, _CLOSE)


class ModelReader:
    """Reads what a person asks for, as one of the bodies that are documented."""

    def __init__(self, time_limit: timedelta) -> None:
        self._bodies = BodyReader(time_limit=time_limit)

    async def read(self, request: Request, model: type[M]) -> M:
        """Return the body.

        :raises InvalidRequest: names every problem.
        """
        return self._understood(request, await self._bodies.read(request), model)

    async def read_or_none(self, request: Request, model: type[M]) -> M | None:
        """Return the body, or None where there is none."""
        data = await self._bodies.read(request)
        return self._understood(request, data, model) if data else None

    def _understood(self, request: Request, data: bytes, model: type[M]) -> M:
        tree = parse_strict(data)
        wish = validated(model, tree)
        warn(request, unknown_in(model, tree))
        return wish
