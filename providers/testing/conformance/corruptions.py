"""Spoils good answers: everything that a broken server or a proxy can send instead."""

import json
from collections.abc import Iterator
from typing import Final

from providers.http.outbound import BODY_BYTES_MAX
from providers.testing.conformance.vocabulary import Reply

PAGE: Final = b"<!DOCTYPE html><html><body><h1>It works!</h1></body></html>"
HTML: Final = {"Content-Type": "text/html; charset=utf-8"}
SERVER_ERRORS: Final = (500, 502, 503, 504)
# 409 says that it exists, the others that it may be asked again.
NEVER_A_NO: Final = (408, 409, 425, 429, *SERVER_ERRORS)

Named = tuple[str, Reply]


def an_error(status: int, body: bytes = b"") -> Reply:
    """Return an error that is not in the provider's own form."""
    retry = {"Retry-After": "7"} if status in {429, 503} else {}
    return Reply(status=status, body=body, headers=HTML | retry)


def errors(*statuses: int) -> Iterator[Named]:
    """Return errors as a proxy makes them, with a page and without."""
    for status in statuses:
        yield f"HTTP {status} with an empty body", an_error(status)
        yield f"HTTP {status} with a page of HTML", an_error(status, PAGE)


def broken(reply: Reply) -> Iterator[Named]:
    """Return what cannot be read, made of what can."""
    body, status = reply.body, reply.status
    yield "an empty body", Reply(status=status)
    yield "a page of HTML", Reply(status=status, body=PAGE, headers=HTML)
    yield "half of its body", Reply(status=status, body=body[: len(body) // 2])
    yield "its body without the last sign", Reply(status=status, body=body[:-1])
    yield "two bodies", Reply(status=status, body=body + body)
    if _is_object(body):
        for name, spoilt in _broken_json(body):
            yield name, Reply(status=status, body=spoilt)


def huge(reply: Reply) -> Reply:
    """Return the same answer, padded beyond all measure."""
    padded = reply.body + b" " * (BODY_BYTES_MAX + 1)
    return Reply(status=reply.status, body=padded, headers=reply.headers)


def _broken_json(body: bytes) -> Iterator[tuple[str, bytes]]:
    first = json.dumps(next(iter(json.loads(body)))).encode()
    yield "a name that occurs twice", b"{" + first + b":null," + body[1:]
    yield "a NaN", b'{"conformance":NaN,' + body[1:]
    yield "bytes that are not UTF-8", b'{"conformance":"\xff",' + body[1:]
    yield "a list around it", b"[" + body + b"]"
    yield "a depth without end", b'{"conformance":' + b"[" * 100_000


def _is_object(body: bytes) -> bool:
    try:
        return bool(json.loads(body)) and body.startswith(b"{")
    except ValueError:
        return False
