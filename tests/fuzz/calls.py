"""Calls the API as somebody may who has a key, a wrong one, or none; any route of it.

Which routes there are it reads in the service's own document, so a new one is called
at once. Whoever may decide is never let near an honest order: what such a key changes
it may change.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from urllib.parse import quote

import orjson

from tests.fuzz.frames import ODD, Known, changed_request, odd_checkout, odd_link

AT_ONCE: Final = 20
"""Requests that are sent before the first answer is read."""

BODY_MAX: Final = 4_000
UNHEARD_SECONDS: Final = 60.0
SERVER_ERROR: Final = 500
ODD_KEYS: Final = ("", "Bearer", "Bearer ", "Bearer é", "Basic YTpi", "Bearer x\ty")
ODD_VALUES: Final = (
    "",
    "%00",
    "%FF%FE",
    "..",
    "%2e%2e%2fv1%2forders",
    "a%0d%0aX-Y: z",
    "9" * 400,
    "-1",
    "60s",
    "1h",
    "2026-01-31T23:59:59Z",
    "0195f1de-0000-7000-8000-000000000000",
    "x" * 3_000,
    "%F0%9F%92%A5",
    "ACTIVE",
    "acme",
)
ODD_BODIES: Final = (
    b"",
    b"null",
    b"[]",
    b"{",
    b"\xff\xfe",
    b'{"a": NaN}',
    b'{"a": 1, "a": 2}',
    b"[" * 2_000,
    b'{"reason": "\\u0000"}',
    b'{"reason": "\\ud800"}',
)
BODY_FIELDS: Final = ("decision", "reason", "evidence", "for", "owner", "name", "role")
PARAMETER: Final = re.compile(r"\{\w+\}")
STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3})")
LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and whether its key is one of the service's."""

    data: bytes
    path: str
    has_key: bool


@dataclass(slots=True)
class Caller:
    """Invents calls; ``wrong`` says which answers must never be given."""

    port: int
    keys: Mapping[str, str]
    dice: Random
    operations: Sequence[tuple[str, str, Sequence[str]]] = ()
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    async def learn(self) -> None:
        """Read the service's document of its calls."""
        _, body = (await self._exchange([_request("GET", "/openapi.json", {}, b"")]))[0]
        self.operations = [
            (method.upper(), path, _names(operation))
            for path, operations in sorted(orjson.loads(body)["paths"].items())
            for method, operation in sorted(operations.items())
        ]

    async def call(self, count: int, known: Known, letters: Sequence[str]) -> None:
        """Send so many; each has an answer, or the service is at fault."""
        for begun in range(0, count, AT_ONCE):
            size = min(AT_ONCE, count - begun)
            calls = [self._invented(known, letters) for _ in range(size)]
            answers = await self._exchange([each.data for each in calls])
            for call, (status, _) in zip(calls, answers, strict=True):
                self._judge(call, status)

    def _judge(self, call: Call, status: int) -> None:
        self.statuses[status] += 1
        guarded = call.path.startswith("/v1/")
        if status >= SERVER_ERROR or status == 0:
            self.wrong.append(f"{status} for {call.data[:300]!r}")
        elif guarded and not call.has_key and status < 400:
            self.wrong.append(f"{status} without a key for {call.data[:300]!r}")

    def _invented(self, known: Known, letters: Sequence[str]) -> Call:
        dice = self.dice
        method, path, names = dice.choice(self.operations)
        role = dice.choice((None, None, "odd", "wrong", "upstream", "support"))
        harmless = method == "GET" or role not in self.keys
        ids = _ids(known) if harmless else ()
        if "dead-letters" in path:
            ids = letters
        filled = PARAMETER.sub(lambda _: self._value(ids), path)
        asked = "&".join(
            f"{name}={self._value(ids)}" for name in names if dice.random() < 0.3
        )
        body = self._body(path, known) if method != "GET" else b""
        data = _request(
            method, f"{filled}?{asked}" if asked else filled, self._head(role), body
        )
        return Call(data, path, role in self.keys)

    def _value(self, ids: Sequence[str]) -> str:
        if ids and self.dice.random() < 0.6:
            return quote(self.dice.choice(ids), safe="")
        return self.dice.choice(ODD_VALUES)

    def _head(self, role: str | None) -> dict[str, str]:
        dice = self.dice
        head = {"Content-Type": dice.choice(("application/json", "text/plain", ""))}
        if role in self.keys:
            head |= {"Content-Type": "application/json"}
            head["Authorization"] = f"Bearer {self.keys[str(role)]}"
        elif role is not None:
            wrong = f"Bearer {dice.randbytes(16).hex()}"
            head["Authorization"] = wrong if role == "wrong" else dice.choice(ODD_KEYS)
        if dice.random() < 0.2:
            name = dice.choice(("traceparent", "X-Person", "Idempotency-Key", "Expect"))
            head[name] = dice.choice(("00-a-b-01", "é", "x" * 500, "100-continue"))
        return head

    def _body(self, path: str, known: Known) -> bytes:
        if path.startswith("/v1/checkouts") and self.dice.random() < 0.8:
            return odd_checkout(self.dice, known)[1][:BODY_MAX]
        if path == "/v1/partner-links" and self.dice.random() < 0.8:
            return odd_link(self.dice, known)[1][:BODY_MAX]
        if path.startswith(("/v1/withdrawals", "/v1/checkouts", "/v1/partner")):
            # Never a new order: that one would rightly be paid.
            return changed_request(self.dice, known)[1][:BODY_MAX]
        if self.dice.random() < 0.4:
            return self.dice.choice(ODD_BODIES)
        names = self.dice.sample(BODY_FIELDS, k=3)
        words = ("positive", "negative", "why", *ODD)
        return orjson.dumps({name: self.dice.choice(words) for name in names})

    async def _exchange(self, requests: Sequence[bytes]) -> list[tuple[int, bytes]]:
        """Send all of them, then read the answers; what is hung up on is sent alone."""
        try:
            async with asyncio.timeout(UNHEARD_SECONDS):
                return await self._sent(requests)
        except (OSError, EOFError, TimeoutError) as error:
            if len(requests) > 1:
                return [(await self._exchange([each]))[0] for each in requests]
            # To hang up on what is no request is an answer, too.
            return [(0 if isinstance(error, TimeoutError) else 400, b"")]

    async def _sent(self, requests: Sequence[bytes]) -> list[tuple[int, bytes]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"".join(requests))
            return [await _answer(reader) for _ in requests]
        finally:
            writer.transport.abort()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        status = STATUS.match(head)
        if status is None:
            raise EOFError
        if status[1] != b"100":
            break
    length = LENGTH.search(head)
    body = await reader.readexactly(int(length[1])) if length else b""
    return int(status[1]), body


def _request(method: str, path: str, head: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x"]
    lines += [f"{name}: {value}" for name, value in head.items() if value]
    if method != "GET":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _names(operation: Mapping[str, Any]) -> Sequence[str]:
    parameters = operation.get("parameters", ())
    # Waiting is no invention: it would only take time.
    return [p["name"] for p in parameters if p["in"] == "query" and p["name"] != "wait"]


def _ids(known: Known) -> Sequence[str]:
    rows = known.rows[:50]
    return [each for row in rows for each in (row.task_id, row.queue_id, row.order_id)]
