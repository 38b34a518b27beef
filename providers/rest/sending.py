"""Sends the requests of a declared form: as whom, and what a refused token is worth."""

import asyncio
from typing import Final, TypeAlias

from providers.config.called import CalledTable
from providers.http.outbound import ConnectionLimit, Lost, RequestNotSent, Response
from providers.rest.auth import RequestAuth, proof_of
from providers.rest.requests import PreparedRequest
from providers.rest.tokens import BearerToken, TokenSource

UNAUTHORIZED: Final = 401
# Of a call's time limit, what the token may take of it: the call is to have its own.
TOKEN_SHARE: Final = 0.5
# Less than this is no time to ask in: it would only be lost.
LEFT_MIN: Final = 0.5

Sent: TypeAlias = Response | RequestNotSent | Lost


class RequestSender:
    """Proves who asks and sends, by the table of whom is asked."""

    def __init__(self, table: CalledTable, lane: ConnectionLimit) -> None:
        self._lane = lane
        self._seconds: Final = table.timeout.total_seconds()
        self._proof: RequestAuth = proof_of(table)
        auth = None if table.auth is None else table.auth.oauth2
        self._tokens = (
            None if auth is None else TokenSource(auth, lane, seconds=self._seconds)
        )

    async def send(
        self,
        request: PreparedRequest,
        *,
        again: bool = False,
        seconds: float | None = None,
    ) -> Sent:
        """Send it once, within the table's time limit, or another.

        ``again``: that it may be sent a second time, with a new token, where the first
        was refused. A 401 does not prove that nothing was done.

        :raises Unsendable: a header would not be one.
        """
        limit = self._seconds if seconds is None else seconds
        if self._tokens is None:
            return await self._sent(request, None, limit)
        clock = asyncio.get_running_loop().time
        ends = clock() + limit
        token = await self._tokens.get(limit * TOKEN_SHARE)
        if isinstance(token, RequestNotSent):
            return token
        answer = await self._sent(request, token, ends - clock())
        if not isinstance(answer, Response) or answer.status != UNAUTHORIZED:
            return answer
        self._tokens.drop(token)
        left = ends - clock()
        if not again or left < limit * LEFT_MIN:
            return answer
        fresh = await self._tokens.get(left * TOKEN_SHARE)
        if isinstance(fresh, RequestNotSent):
            # The first was sent: that the second was not says nothing of it.
            return answer
        repeated = await self._sent(request, fresh, ends - clock())
        if isinstance(repeated, RequestNotSent):
            return answer
        if isinstance(repeated, Response) and repeated.status == UNAUTHORIZED:
            self._tokens.drop(fresh)
        return repeated

    async def _sent(
        self, request: PreparedRequest, token: BearerToken | None, seconds: float
    ) -> Sent:
        headers = {**request.headers, **self._proof.headers(request)}
        if token is not None:
            headers["Authorization"] = f"Bearer {token.text}"
        return await self._lane.request(
            request.method,
            request.url,
            json_body=request.body,
            headers=headers,
            timeout=seconds,
        )
