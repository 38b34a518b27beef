"""Fetches the OAuth2 token that requests carry, once for all who wait for it.

A token is as good as the client's secret until it ends: it stands in memory alone, and
the masking knows it.
"""

import asyncio
import base64
import re
import time
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus, urlencode

from fsm.domain.masking import KNOWN
from handlers.pace import releases_slot
from providers.config.oauth2 import OAuth2Auth
from providers.http.outbound import ConnectionLimit, Lost, RequestNotSent, Response

OK: Final = 200
# After a failure nobody asks again for so long: a flood of orders is no flood of these.
PAUSE_SECONDS: Final = 1.0
LIFETIME_MAX: Final = 366 * 86400.0
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=:-]{1,8192}", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
# RFC 6749, section 5.2: whatever else stands there may be anything.
_ERRORS: Final = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)

Clock = Callable[[], float]
"""Seconds that never go back."""


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A token to bear: renewed after ``renew_at``, of no use after ``ends_at``."""

    text: str = field(repr=False)
    renew_at: float
    ends_at: float


class TokenSource:
    """The token of one client, kept until shortly before its end."""

    def __init__(
        self,
        auth: OAuth2Auth,
        lane: ConnectionLimit,
        *,
        seconds: float,
        clock: Clock = time.monotonic,
    ) -> None:
        self._auth = auth
        self._lane = lane
        self._seconds = seconds
        self._clock = clock
        self._token: BearerToken | None = None
        self._known = ""
        self._failed: tuple[float, RequestNotSent] | None = None
        self._fetching: asyncio.Task[BearerToken | RequestNotSent] | None = None

    async def get(self, seconds: float) -> BearerToken | RequestNotSent:
        """Return a token, within so many seconds; without one nothing may be sent."""
        kept, now = self._token, self._clock()
        if kept is not None and now < kept.renew_at:
            return kept
        got = await self._renewed(seconds)
        if isinstance(got, RequestNotSent) and kept is not None:
            # Who cannot be asked for the next one has not taken this one back.
            still = kept is self._token and self._clock() < kept.ends_at
            return kept if still else got
        return got

    def drop(self, token: BearerToken) -> None:
        """Forget a token that was refused, unless another has come since."""
        if self._token is token:
            self._token = None

    @releases_slot
    async def _renewed(self, seconds: float) -> BearerToken | RequestNotSent:
        if self._failed is not None and self._clock() < self._failed[0]:
            return self._failed[1]
        if self._fetching is None:
            # In a context of its own: it has nobody's place to give up and wait for.
            self._fetching = asyncio.create_task(self._fetch(), context=Context())
            self._fetching.add_done_callback(self._end)
        try:
            # Others wait for it too: who gives up waiting does not end it.
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._fetching)
        except TimeoutError:
            return RequestNotSent("no token came in time")

    def _end(self, task: asyncio.Task[BearerToken | RequestNotSent]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # told to who waits; looked at, so that nobody warns

    async def _fetch(self) -> BearerToken | RequestNotSent:
        began = self._clock()
        answer = await self._lane.request(
            "POST",
            self._auth.token_url,
            form_body=urlencode(self._auth.fields).encode(),
            headers=self._headers(),
            timeout=self._seconds,
        )
        got = self._read(answer, began)
        if isinstance(got, RequestNotSent):
            self._failed = (self._clock() + PAUSE_SECONDS, got)
            return got
        self._failed, self._token = None, got
        KNOWN.learn([got.text], instead_of=[self._known])
        self._known = got.text
        return got

    def _headers(self) -> dict[str, str]:
        if self._auth.client_auth == "body":
            return {}
        # Encoded as a form before they are joined: RFC 6749, section 2.3.1.
        secret = self._auth.client_secret.get_secret_value()
        pair = f"{quote_plus(self._auth.client_id)}:{quote_plus(secret)}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def _read(
        self, answer: Response | RequestNotSent | Lost, began: float
    ) -> BearerToken | RequestNotSent:
        """Read the answer; nothing of it is repeated but a code of the RFC."""
        if isinstance(answer, RequestNotSent):
            because = f"no token: {answer.because}"
            return RequestNotSent(because, ours=answer.ours, lacking=answer.lacking)
        if isinstance(answer, Lost):
            return RequestNotSent(f"no token: {answer.because}")
        told = answer.read_object() or {}
        if answer.status != OK:
            code = told.get("error")
            why = f" {code}" if isinstance(code, str) and code in _ERRORS else ""
            return RequestNotSent(f"no token: it answered {answer.status}{why}")
        text, kind = told.get("access_token"), told.get("token_type", "bearer")
        if not isinstance(text, str) or not _TOKEN.fullmatch(text):
            return RequestNotSent("no token: the answer has none that can be sent")
        if str(kind).lower() != "bearer":
            return RequestNotSent("no token: it is of another kind than bearer")
        return self._made(text, _lifetime(told.get("expires_in")), began)

    def _made(
        self, text: str, told: float | None, began: float
    ) -> BearerToken | RequestNotSent:
        """Count from before it was asked for; of a short life half is used."""
        life = self._auth.lifetime.total_seconds() if told is None else told
        if life <= 0:
            return RequestNotSent("no token: it has ended already")
        early = min(self._auth.early.total_seconds(), life / 2)
        return BearerToken(text, renew_at=began + life - early, ends_at=began + life)


def _lifetime(told: object) -> float | None:
    """Return how many seconds a token lasts; None where that is not said."""
    if isinstance(told, str):
        told = int(told) if _DIGITS.fullmatch(told) else None
    if isinstance(told, bool) or not isinstance(told, int | float):
        return None
    return min(float(told), LIFETIME_MAX)
