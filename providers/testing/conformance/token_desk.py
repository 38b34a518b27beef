"""Plays the token endpoint of OAuth2: hands out tokens, and knows them again."""

import base64
import itertools
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

import orjson

from providers.config.called import CalledTable
from providers.config.oauth2 import OAuth2Auth
from providers.testing.conformance.fake_server import FakeConnection, head_of
from providers.testing.conformance.vocabulary import (
    ReceivedRequest,
    Reply,
    Unreadable,
)

TOKEN: Final = "conformance-token-5e8b1d0c7a-"  # noqa: S105 - made up
"""What every token begins with; a number follows."""
LASTS: Final = 3600
_FORM: Final = "application/x-www-form-urlencoded"


class TokenDesk:
    """Hands out one token after another to the client of a table."""

    def __init__(self, auth: OAuth2Auth) -> None:
        self._auth = auth
        self._numbers = itertools.count(1)
        self.away = False
        self.wrong: list[str] = []
        self.given = 0

    async def manner(self, line: FakeConnection) -> None:
        """Answer one request for a token."""
        reply = self.reply(await line.hear())
        await line.send(head_of(reply) + reply.body)

    def reply(self, request: ReceivedRequest) -> Reply:
        """Return a token, or what is wrong with how it was asked for."""
        if self.away:
            return Reply(status=503)
        if (problem := self._problem(request)) is not None:
            self.wrong.append(problem)
            return _written(401, {"error": "invalid_client"})
        self.given += 1
        token = f"{TOKEN}{next(self._numbers)}"
        told = {"access_token": token, "token_type": "Bearer", "expires_in": LASTS}
        return _written(200, told)

    def _problem(self, request: ReceivedRequest) -> str | None:
        if request.method != "POST" or request.headers.get("content-type") != _FORM:
            return "a token is asked for by another request than a POST of a form"
        told = parse_qsl(request.body.decode(), keep_blank_values=True)
        if sorted(told) != sorted(self._auth.fields.items()):
            return "the form for a token holds other fields"
        if self._auth.client_auth == "body":
            return None
        return None if self._knows(request.headers) else "the client is unknown"

    def _knows(self, headers: Mapping[str, str]) -> bool:
        scheme, _, told = headers.get("authorization", "").partition(" ")
        name, _, secret = base64.b64decode(told).decode().partition(":")
        known = (self._auth.client_id, self._auth.client_secret.get_secret_value())
        return scheme == "Basic" and (unquote_plus(name), unquote_plus(secret)) == known


def require_token(table: CalledTable, request: ReceivedRequest) -> None:
    """Require that a request carries a token, where the table fetches one.

    :raises Unreadable: it carries none of the desk's.
    """
    if table.auth is None or table.auth.oauth2 is None:
        return
    if not request.headers.get("authorization", "").startswith(f"Bearer {TOKEN}"):
        raise Unreadable("it carries no token of those that were handed out")


def _written(status: int, told: Mapping[str, object]) -> Reply:
    return Reply(status=status, body=orjson.dumps(told))
