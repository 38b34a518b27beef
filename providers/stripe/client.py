"""Makes the calls of Stripe's API, and returns what came back as it is."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from providers.http.outbound import ConnectionLimit, Lost, RequestNotSent, Response
from providers.stripe.requests import Form

# What is left of a time limit is never so short that a call fails for that alone.
SECONDS_MIN: Final = 0.05

Heard = Response | RequestNotSent | Lost


class StripeClient:
    """Calls by one secret key, in one version of the API."""

    def __init__(
        self,
        lane: ConnectionLimit,
        *,
        base_url: str,
        headers: Mapping[str, str],
        timeout: timedelta,
    ) -> None:
        self._lane = lane
        self._base_url = base_url
        self._headers = headers
        self._seconds = timeout.total_seconds()

    def deadline(self) -> float:
        """Return until when all requests of one call of the port have to be over."""
        return asyncio.get_running_loop().time() + self._seconds

    async def post(
        self,
        path: str,
        form: Form,
        *,
        account: str | None,
        key: str | None = None,
        until: float | None = None,
    ) -> Heard:
        """Send a form; ``key`` is its idempotency key, ``until`` a :meth:`deadline`."""
        headers = self._for(account)
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self._lane.request(
            "POST",
            self._base_url + path,
            form_body=urlencode(form).encode("ascii"),
            headers=headers,
            timeout=self._seconds if until is None else _left(until),
        )

    async def get(
        self, path: str, query: Form, *, account: str | None, until: float
    ) -> Heard:
        """Ask; ``until`` is a :meth:`deadline`."""
        asked = f"{path}?{urlencode(query)}" if query else path
        return await self._lane.request(
            "GET",
            self._base_url + asked,
            headers=self._for(account),
            timeout=_left(until),
        )

    def _for(self, account: str | None) -> dict[str, str]:
        if account is None:
            return dict(self._headers)
        return {**self._headers, "Stripe-Account": account}


def _left(until: float) -> float:
    return max(until - asyncio.get_running_loop().time(), SECONDS_MIN)
