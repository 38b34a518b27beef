"""Sends a request to the desk by NATS until it is answered, as upstream systems do.

What NATS has acknowledged may still be lost with it: only an answer says that it is
stored. So it is sent again with the same `order_id`, which starts nothing new.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any, Final

import nats
import orjson
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NoStreamResponseError

from payment_service.cli.context import read_settings
from payment_service.cli.errors import Usage, Wrong
from providers.http.targets import is_here

SUBJECTS: Final = {
    "destination": "withdrawal.requested",
    "payment_method": "checkout.requested",
    "card": "partner.link.requested",
}
"""Where a request goes, by the field that only its kind has."""

TRIES: Final = 3
ANSWER_SECONDS: Final = 5.0
GOOD: Final = frozenset({"accepted", "duplicate"})


def send(request: str) -> int:
    """Send a request, given as JSON, as a file's name, or as `-`: print the answer.

    Return 1 where it was rejected, or is in conflict with an earlier one.

    :raises Usage: it is no request, or the NATS that is set is on another machine.
    :raises Wrong: no answer came.
    """
    urls = read_settings("nats_url").nats_urls
    if not all(map(is_here, urls)):
        raise Usage(
            "PAYMENT_NATS_URL: this command is for a desk on this machine: "
            "start one by `payment-service dev`, and set what it prints"
        )
    body = _body(request)
    answer = asyncio.run(_sent(urls, _subject(body), body))
    sys.stdout.buffer.write(answer + b"\n")
    return 0 if orjson.loads(answer).get("status") in GOOD else 1


def _body(request: str) -> bytes:
    if request.lstrip().startswith("{"):
        return request.encode()
    if request == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(request).read_bytes()
    except OSError as error:
        raise Usage(f"{request}: {error.strerror}") from None


def _subject(body: bytes) -> str:
    try:
        told: Any = orjson.loads(body)
    except ValueError as error:
        raise Usage(f"the request is not JSON: {error}") from None
    found = [subject for field, subject in SUBJECTS.items() if field in dict(told)]
    if len(found) != 1:
        raise Usage(f"the request has not one of {', '.join(SUBJECTS)}")
    return found[0]


async def _sent(urls: list[str], subject: str, body: bytes) -> bytes:
    try:
        client = await nats.connect(urls, max_reconnect_attempts=1)
    except (OSError, NatsError, TimeoutError) as error:
        raise Wrong(f"cannot reach NATS at {urls[0]}: is the desk up?") from error
    try:
        return await _answered(client, subject, body)
    finally:
        await client.close()


async def _answered(client: Client, subject: str, body: bytes) -> bytes:
    inbox = client.new_inbox()
    answers = await client.subscribe(inbox)
    for _ in range(TRIES):
        try:
            await client.jetstream().publish(
                subject, body, headers={"X-Reply-To": inbox}
            )
            return (await answers.next_msg(ANSWER_SECONDS)).data
        except NoStreamResponseError:
            raise Wrong(f"no stream takes {subject}: is the desk up?") from None
        except (NatsError, TimeoutError):
            continue
    raise Wrong(f"no answer to {subject} after {TRIES} tries: is the desk up?")
