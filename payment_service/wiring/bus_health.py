"""What NATS refuses of this process: counted, told now and then, shown as unready."""

import time
from collections.abc import Sequence
from typing import Final

import structlog

from fsm.domain.messages import Message
from payment_service import bus
from payment_service.bus.topology import stream_of
from payment_service.observability.metrics import Metrics

LOG: Final = structlog.get_logger("payment_service")
TOLD_AGAIN_SECONDS: Final = 30.0
"""What is refused a thousand times a second is not logged a thousand times."""

TOLD_MAX: Final = 1_000
PULL: Final = ".CONSUMER.MSG.NEXT."


class BusHealth:
    """Hears of refusals and troubles; the watchdog says when all is well again."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._told: dict[str, float] = {}
        self.trouble: str | None = None

    def refused(
        self, message: Message, because: str, reason: bus.PublishRefusal
    ) -> None:
        """Count a message that is not in its stream, as far as is known."""
        stream = stream_of(message.subject)
        self._metrics.messages_refused.labels(stream, reason.value).inc()
        if self._is_new(f"{stream} {reason} {because}"):
            LOG.error(
                "message.refused",
                subject=message.subject,
                stream=stream,
                reason=reason.value,
                because=because,
            )

    def unreadable(self, because: str) -> None:
        """Count a message that the reading stumbled at: it was let go."""
        self._metrics.messages_unreadable.inc()
        if self._is_new(because):
            LOG.error("message.unreadable", because=because)

    def troubled(self, trouble: str) -> None:
        """Hear what keeps streams or consumers from being as they must."""
        self.trouble = trouble
        if self._is_new(trouble):
            LOG.warning("bus.trouble", trouble=trouble)

    def well(self) -> None:
        """Hear that streams and consumers are as they must be."""
        self.trouble = None

    def notice(self, what: str) -> None:
        """Tell what an operator may have meant, or should know."""
        if self._is_new(what):
            LOG.warning("bus.notice", what=what)

    def is_deaf(self, wire: bus.NatsClient) -> bool:
        """Tell whether this process is known to be delivered nothing."""
        may_not_pull = any(PULL in denied for denied in wire.denied)
        return not wire.is_connected or self.trouble is not None or may_not_pull

    def problems(
        self, wire: bus.NatsClient, publisher: bus.JetStreamPublisher
    ) -> Sequence[str]:
        """Return what keeps a process that lives by NATS from its work."""
        if not wire.is_connected:
            return ["NATS is not connected"]
        found = [
            f"NATS refuses messages for {stream}: {because}"
            for stream, because in sorted(publisher.refused.items())
        ]
        found += wire.denied
        if self.trouble is not None:
            found.append(self.trouble)
        return list(dict.fromkeys(found))

    def _is_new(self, text: str) -> bool:
        now = time.monotonic()
        told_at = self._told.get(text)
        if told_at is not None and now - told_at < TOLD_AGAIN_SECONDS:
            return False
        if len(self._told) >= TOLD_MAX:
            self._told.clear()
        self._told[text] = now
        return True
