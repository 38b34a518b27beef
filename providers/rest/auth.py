"""Proves to a provider that a request is ours: fixed headers, or a signature."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import urlsplit

from providers.config.called import CalledTable
from providers.config.forms import AuthTable, HmacAuth
from providers.config.templates import parse_template
from providers.config.unsafe_proofs import key_of
from providers.rest.requests import PreparedRequest, sendable

NONCE_BYTES: Final = 16

Clock = Callable[[], int]
"""Nanoseconds since 1970."""


class RequestAuth(Protocol):
    """What is put into the headers of every request."""

    def headers(self, request: PreparedRequest) -> Mapping[str, str]:
        """Return them for one request, just before it is sent."""
        ...


class Fixed:
    """Headers that are always the same."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    def headers(self, request: PreparedRequest) -> Mapping[str, str]:
        """Return them, whatever the request."""
        del request
        return self._headers


class RequestSignature:
    """A signature over the request as it is sent, byte for byte."""

    def __init__(
        self, auth: HmacAuth, fixed: Mapping[str, str], clock: Clock = time.time_ns
    ) -> None:
        self._key = key_of(auth)
        self._algorithm = auth.algorithm
        self._encoding = auth.encoding
        self._time = auth.timestamp
        self._signed = parse_template(auth.signed)
        self._sent = {n: parse_template(text) for n, text in auth.headers.items()}
        self._fixed = dict(fixed)
        self._clock = clock

    def headers(self, request: PreparedRequest) -> Mapping[str, str]:
        """Return the signature and what it needs to be checked.

        :raises Unsendable: a header would not be one.
        """
        body = request.body or b""
        values: dict[str, object] = {
            "timestamp": stamped(self._clock(), self._time),
            "nonce": secrets.token_hex(NONCE_BYTES),
            "body_sha256": hashlib.sha256(body).hexdigest(),
        }
        content = self._content(request, values, body)
        mac = hmac.digest(self._key, content, self._algorithm)
        hexadecimal = self._encoding == "hex"
        values["signature"] = mac.hex() if hexadecimal else _base64(mac)
        sent = {n: sendable(t.filled(values) or "") for n, t in self._sent.items()}
        return self._fixed | sent

    def _content(
        self, request: PreparedRequest, values: Mapping[str, object], body: bytes
    ) -> bytes:
        parts = urlsplit(request.url)
        known = {
            **values,
            "method": request.method,
            "path": parts.path,
            "query": parts.query,
            "target": f"{parts.path}?{parts.query}" if parts.query else parts.path,
            "body": body.decode(),
        }
        return (self._signed.filled(known) or "").encode()


def proof_of(table: CalledTable, clock: Clock = time.time_ns) -> RequestAuth:
    """Return how whoever is called is to know us."""
    fixed = fixed_headers(table)
    if table.auth is not None and table.auth.hmac is not None:
        return RequestSignature(table.auth.hmac, fixed, clock)
    return Fixed(fixed)


def fixed_headers(table: CalledTable) -> dict[str, str]:
    """Return the headers that all requests to one party have in common."""
    fixed = {n: value.get_secret_value() for n, value in table.headers.items()}
    return fixed if table.auth is None else fixed | _authorization(table.auth)


def stamped(nanoseconds: int, form: str) -> str:
    """Write a time as seconds, milliseconds or RFC 3339 in UTC."""
    seconds = nanoseconds // 10**9
    if form == "rfc3339":
        at = datetime.fromtimestamp(seconds, UTC)
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(seconds if form == "seconds" else nanoseconds // 10**6)


def _authorization(auth: AuthTable) -> dict[str, str]:
    if auth.bearer is not None:
        return {"Authorization": f"Bearer {auth.bearer.token.get_secret_value()}"}
    if auth.basic is not None:
        pair = f"{auth.basic.user}:{auth.basic.password.get_secret_value()}"
        return {"Authorization": f"Basic {_base64(pair.encode())}"}
    return {}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
