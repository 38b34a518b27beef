"""Takes anchors at intervals and brings them out, beside the sweeper's other work."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from fsm.domain.audit_keys import AuditKeys
from fsm.domain.errors import PaymentServiceError
from handlers.anchor import SentAnchors, send_anchors, take_anchors
from handlers.ports.anchors import AnchorBook, AnchorSink
from payment_service import bus
from payment_service.observability.metrics import Metrics
from payment_service.settings import Settings
from payment_service.storage.anchor_file import FileSink
from payment_service.storage.anchors import PostgresAnchors
from payment_service.storage.database import Database
from payment_service.wiring.nats import access_of

LOG: Final = structlog.get_logger("payment_service")
CONNECT_SECONDS_MAX: Final = 5.0


class Anchoring:
    """The anchors of one process; every sweeper has one, and each finds what is left.

    A place that takes nothing keeps no other from its lines.
    """

    def __init__(
        self,
        book: AnchorBook,
        sinks: Sequence[AnchorSink],
        metrics: Metrics,
        *,
        every: timedelta,
    ) -> None:
        self._book = book
        self._sinks = sinks
        self._metrics = metrics
        self._every = every
        self._newest = {sink.name: time.time() for sink in sinks}
        for sink in sinks:
            age = metrics.anchor_age.labels(sink.name)
            age.set_function(partial(self._age, sink.name))

    async def go_on(self) -> None:
        """Take an anchor if one is due, and bring out all that are not out yet."""
        try:
            await take_anchors(self._book, every=self._every)
        except PaymentServiceError as error:
            LOG.warning("anchor.failed", because=str(error))
        for sink in self._sinks:
            await self._send(sink)

    async def _send(self, sink: AnchorSink) -> None:
        try:
            sent = await send_anchors(self._book, sink)
        except PaymentServiceError as error:
            self._metrics.anchors.labels(sink.name, "failed").inc()
            LOG.warning("anchors.failed", sink=sink.name, because=str(error))
            return
        self._note(sink.name, sent)

    def _note(self, name: str, sent: SentAnchors) -> None:
        self._metrics.anchors.labels(name, "sent").inc(sent.lines)
        if sent.newest is not None:
            self._newest[name] = sent.newest.timestamp()
        if sent.strange:
            # Seen once: what was brought out now stands behind them.
            self._metrics.anchors.labels(name, "strange").inc(sent.strange)
            LOG.error("anchors.strange", sink=name, lines=sent.strange)

    def _age(self, name: str) -> float:
        return max(0.0, time.time() - self._newest[name])


def anchoring_of(
    settings: Settings, database: Database, metrics: Metrics
) -> Anchoring | None:
    """Return what the settings ask for; None where there is no place for anchors."""
    sinks = sinks_of(settings)
    if not sinks:
        return None
    book = book_of(database, settings.audit_keys)
    return Anchoring(book, sinks, metrics, every=settings.anchor_interval)


def book_of(database: Database, keys: AuditKeys) -> AnchorBook:
    """Return the anchors of a database."""
    return PostgresAnchors(database, keys)


def sinks_of(settings: Settings) -> list[AnchorSink]:
    """Return the places that the settings name."""
    sinks: list[AnchorSink] = []
    if settings.anchor_file is not None:
        sinks.append(FileSink(settings.anchor_file))
    if settings.anchor_stream is not None:
        sinks.append(stream_of(settings, settings.anchor_stream))
    return sinks


def stream_of(settings: Settings, subject: str) -> bus.StreamSink:
    """Return the stream of anchors, in whatever account it is."""

    async def connect() -> bus.NatsClient:
        return await bus.connect(
            settings.anchor_nats_urls,
            name="payment-service anchors",
            access=_anchor_access(settings),
            on_closed=_ignore,
            seconds_max=CONNECT_SECONDS_MAX,
        )

    return bus.StreamSink(subject, connect)


def _anchor_access(settings: Settings) -> bus.Access:
    """Return who we are there: what is said of it alone, or else what is said of all.

    What an address says itself is not mixed with the service's own credentials.
    """
    access = access_of(settings)
    url, creds = settings.anchor_nats_url, settings.anchor_nats_creds
    if url is not None:
        access = replace(access, domain="")
    if creds is not None or (url is not None and "@" in url.get_secret_value()):
        access = replace(access, creds=creds, nkey=None)
    return access


def _ignore(_webhook: str) -> None:
    """Do nothing with it: the next anchor connects anew."""
