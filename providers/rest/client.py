"""Makes the HTTP calls of the rest wire form, and returns what came back as it is."""

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote

import orjson

from providers.http.outbound import ConnectionLimit, Lost, RequestNotSent, Response


class RestClient:
    """The calls of contract section 5; the reference is also the idempotency key."""

    def __init__(
        self,
        lane: ConnectionLimit,
        *,
        base_url: str,
        headers: Mapping[str, str],
        timeout: timedelta,
        place: str = "payouts",
    ) -> None:
        self._lane = lane
        self._place = f"{base_url}/{place}"
        self._headers = headers
        self._seconds = timeout.total_seconds()

    async def create(
        self, reference: str, body: Mapping[str, object]
    ) -> Response | RequestNotSent | Lost:
        """Ask for one, a payout or a charge, under the key ``reference``."""
        return await self._lane.request(
            "POST",
            self._place,
            json_body=orjson.dumps(body),
            headers={**self._headers, "Idempotency-Key": reference},
            timeout=self._seconds,
        )

    async def status(self, reference: str) -> Response | RequestNotSent | Lost:
        """Ask what became of it."""
        return await self._lane.request(
            "GET",
            self._one(reference),
            headers=self._headers,
            timeout=self._seconds,
        )

    async def cancel(self, reference: str) -> Response | RequestNotSent | Lost:
        """Ask not to pay it."""
        return await self._lane.request(
            "POST",
            f"{self._one(reference)}/cancel",
            headers=self._headers,
            timeout=self._seconds,
        )

    async def refund(
        self, reference: str, body: Mapping[str, object], *, key: str
    ) -> Response | RequestNotSent | Lost:
        """Ask to give a charge back, under a key that is not the charge's."""
        return await self._lane.request(
            "POST",
            f"{self._one(reference)}/refund",
            json_body=orjson.dumps(body),
            headers={**self._headers, "Idempotency-Key": key},
            timeout=self._seconds,
        )

    def _one(self, reference: str) -> str:
        return f"{self._place}/{quote(reference, safe='')}"
