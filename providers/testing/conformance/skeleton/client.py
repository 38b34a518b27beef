"""Makes the HTTP calls to Acme, and returns what came back as it is."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal
from urllib.parse import quote

import orjson

from providers.http.outbound import ConnectionLimit, Lost, RequestNotSent, Response


class AcmeClient:
    """The calls of Acme's page; it judges nothing and repeats nothing."""

    def __init__(
        self,
        lane: ConnectionLimit,
        *,
        base_url: str,
        headers: Mapping[str, str],
        timeout: timedelta,
    ) -> None:
        self._lane = lane
        self._payouts = f"{base_url}/payouts"
        self._headers = headers
        self._seconds = timeout.total_seconds()

    async def create(
        self, reference: str, body: Mapping[str, object]
    ) -> Response | RequestNotSent | Lost:
        """Ask for a payout under the key ``reference``."""
        return await self._lane.request(
            "POST",
            self._payouts,
            json_body=orjson.dumps(body),
            headers={**self._headers, "Idempotency-Key": reference},
            timeout=self._seconds,
        )

    async def status(self, reference: str) -> Response | RequestNotSent | Lost:
        """Ask what became of it."""
        return await self._about(reference, "GET")

    async def cancel(self, reference: str) -> Response | RequestNotSent | Lost:
        """Ask not to pay it."""
        return await self._about(reference, "DELETE")

    async def _about(
        self, reference: str, method: Literal["GET", "DELETE"]
    ) -> Response | RequestNotSent | Lost:
        return await self._lane.request(
            method,
            f"{self._payouts}/{quote(reference, safe='')}",
            headers=self._headers,
            timeout=self._seconds,
        )
