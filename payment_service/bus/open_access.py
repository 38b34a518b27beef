"""Finds out whom NATS lets in without credentials, and what a user may beyond need."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from fsm.domain.errors import PaymentServiceError
from payment_service.bus.access import Access
from payment_service.bus.connection import connect
from payment_service.bus.nats_client import (
    PUBLISH,
    SUBSCRIBE,
    NatsClient,
    PermissionRefused,
)
from payment_service.bus.probe import ANSWER_SECONDS_MAX, NOWHERE, UNREADABLE
from payment_service.bus.protocol import publication, publication_with_headers
from payment_service.bus.subjects import Names

STRANGER_SECONDS_MAX: Final = 3.0
REFUSED: Final = "authorization violation"
NAME: Final = "payment-service, as a stranger"
NOBODYS: Final = "payment-doctor.probe"
"""A subject that nobody uses."""


async def takes_anybody(urls: Sequence[str], access: Access) -> bool:
    """Tell whether one of the servers takes a connection that does not say who it is.

    One that cannot be reached, or that asks for a certificate, takes nobody.
    """
    nobody = replace(access, creds=None, nkey=None, certificate=None, key=None)
    tried = [_is_taken(_without_login(url), nobody) for url in urls]
    return any(await asyncio.gather(*tried))


async def _is_taken(url: str, nobody: Access) -> bool:
    refused = asyncio.Event()

    def hear(error: str) -> None:
        if REFUSED in error.lower():
            refused.set()

    attempt = asyncio.create_task(_attempt(url, nobody, hear))
    no = asyncio.create_task(refused.wait())
    await asyncio.wait({attempt, no}, return_when=asyncio.FIRST_COMPLETED)
    taken = attempt.done() and attempt.result()
    for task in (attempt, no):
        task.cancel()
    await asyncio.gather(attempt, no, return_exceptions=True)
    return taken


async def _attempt(url: str, nobody: Access, hear: Callable[[str], None]) -> bool:
    try:
        wire = await connect(
            [url],
            name=NAME,
            access=nobody,
            on_closed=lambda _: None,
            on_error=hear,
            seconds_max=STRANGER_SECONDS_MAX,
        )
    except PermissionRefused:
        return True
    except PaymentServiceError:
        return False
    await wire.close()
    return True


async def beyond_need(wire: NatsClient, names: Names) -> list[str]:
    """Return in words what this user may do that the service never does.

    :raises BusUnavailable: NATS did not answer.
    """
    away = names.subject(NOBODYS)
    delete = f"{wire.api}.STREAM.DELETE.PAYMENT_PROBE"
    denied: set[tuple[str, str]] = set()

    def hear(refused: PermissionRefused) -> None:
        denied.add((refused.what, refused.subject.lower()))

    wire.on_denied.append(hear)
    try:
        # Nobody hears the one, and no stream has the other's name.
        wire.send(publication_with_headers(away, b"", reply="", headers=NOWHERE))
        wire.send(publication(delete, UNREADABLE))
        listening = await wire.subscribe_raw(away, lambda *_: None)
        await wire.round_trip(ANSWER_SECONDS_MAX)
        await wire.unsubscribe_raw(listening)
    finally:
        wire.on_denied.remove(hear)
    asked = {
        (PUBLISH, away): "publish on any subject",
        (SUBSCRIBE, away): "listen to any subject",
        (PUBLISH, delete): "delete streams",
    }
    return [
        told for (what, at), told in asked.items() if (what, at.lower()) not in denied
    ]


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
