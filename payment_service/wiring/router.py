"""Turns deliveries into handler calls, each in its trace, logged in one line."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Self

import orjson
import structlog
from opentelemetry.trace import SpanKind

from fsm.domain.dead_letters import Reason
from fsm.domain.durations import parse_duration
from fsm.domain.orders import Order, Request
from fsm.domain.request_kinds import KINDS
from fsm.engine.records import replace
from handlers.commit import Ports
from handlers.dead_letters import dead_letter, ids_of
from handlers.ports.bus import Delivery, Publisher
from handlers.ports.outcomes import Done, Outcome, Park, Retry
from handlers.route import (
    ANSWERED,
    KNOWN,
    Dispatch,
    Forwarded,
    Told,
    nothing_to_do,
)
from payment_service.api.awaiting import WAIT_MAX
from payment_service.observability import tracing
from payment_service.observability.measured import child
from payment_service.observability.metrics import Metrics
from payment_service.observability.repeats import Repeats
from payment_service.wire.readers import read_message
from payment_service.wire.views import order_view
from payment_service.wiring.results import EndsWatch, Results, Tell

REPLY_TO: Final = "X-Reply-To"
WAIT: Final = "X-Wait"
STORED: Final = frozenset({"accepted", "duplicate"})
NOT_ANSWERED: Final = f"{REPLY_TO} is no inbox, and not in PAYMENT_REPLY_SUBJECTS"
LOG: Final = structlog.get_logger("payment_service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """Handles the messages of all consumers, and answers who waits to hear of it."""

    dispatch: Dispatch
    publisher: Publisher
    metrics: Metrics
    repeats: Repeats = field(default_factory=Repeats)

    @classmethod
    def of(
        cls,
        ports: Ports,
        *,
        forwarded: Forwarded,
        publisher: Publisher,
        metrics: Metrics,
        store_lost: Callable[[], None] = nothing_to_do,
    ) -> Self:
        """Make it; ``store_lost`` hears of a store that is away."""
        results = Results(ports)

        async def answer(delivery: Delivery, told: Told) -> None:
            wait, told = _wait(delivery, told)
            await _reply(publisher, delivery, told)
            queue_id = told.get("queue_id")
            if wait is not None and isinstance(queue_id, str):
                results.promise(queue_id, wait, _teller(publisher, delivery))

        dispatch = Dispatch(
            ports=replace(ports, watch=EndsWatch(ports.watch, results.ends)),
            read_request=_reader(ports),
            answer=answer,
            forwarded=forwarded,
            store_lost=store_lost,
        )
        return cls(dispatch=dispatch, publisher=publisher, metrics=metrics)

    async def handle(self, delivery: Delivery) -> Outcome:
        """Handle one delivery in its trace, count it and log it in one line."""
        began = time.perf_counter()
        parent = delivery.header("traceparent")
        with tracing.span(delivery.subject, parent, kind=SpanKind.CONSUMER) as trace:
            outcome = await self.dispatch.handle(delivery, trace)
        self._note(delivery, outcome, time.perf_counter() - began, trace)
        return outcome

    async def dead_letter(self, delivery: Delivery, reason: Reason, error: str) -> None:
        """Keep a dead letter; tell the sender of a request that it was refused."""
        rejected = None
        order_id = ids_of(delivery).get("order_id") or None
        kind = KINDS.get(delivery.subject)
        if kind is not None and order_id is not None and reason is Reason.INVALID:
            rejected = (kind, order_id)
        is_whole = await dead_letter(
            delivery,
            reason,
            error,
            store=self.dispatch.ports.store,
            clock=self.dispatch.ports.clock,
            rejected=rejected,
        )
        if not is_whole:
            self.metrics.dead_letters_reduced.inc()
        if delivery.subject in ANSWERED:
            answer = {"order_id": order_id, "status": "rejected", "error": error}
            await _reply(self.publisher, delivery, answer)

    def _note(
        self, delivery: Delivery, outcome: Outcome, seconds: float, trace: str | None
    ) -> None:
        what = _word(outcome)
        known = delivery.subject if delivery.subject in KNOWN else "unknown"
        child(self.metrics.messages, known, what).inc()
        if what == "stale":
            self.metrics.timers_stale.inc()
        # What is no id is no label either: a sender could write a megabyte there. A
        # request was read by another reader, and its outcome says whose it was.
        is_request = delivery.subject in KINDS and outcome.order_id
        ids = {} if is_request else ids_of(delivery)
        line: dict[str, Any] = {
            "subject": delivery.subject,
            "outcome": what,
            "deliveries": delivery.deliveries,
            "milliseconds": round(seconds * 1000, 2),
            "order_id": outcome.order_id or ids.get("order_id"),
            "queue_id": ids.get("queue_id"),
            "task_id": ids.get("task_id"),
            "trace_id": trace.split("-")[1] if trace else None,
        }
        if isinstance(outcome, Done) and not outcome.because:
            LOG.info("message.handled", **line)
            return
        why = outcome.because if isinstance(outcome, Done) else ""
        untold = self.repeats.admit((known, what, why))
        if untold is None:
            return
        if untold:
            line["untold"] = untold
        LOG.warning("message.not_handled", because=outcome.because, **line)


def _word(outcome: Outcome) -> str:
    match outcome:
        case Done(what=what):
            return what
        case Retry():
            return "retry"
        case Park(reason=reason):
            return reason.value


def _reader(ports: Ports) -> Callable[[Delivery], Request]:
    def read(delivery: Delivery) -> Request:
        return read_message(delivery.subject, delivery.body, ports)

    return read


def _wait(delivery: Delivery, told: Told) -> tuple[timedelta | None, Told]:
    """Return how long the sender of a request waits, if at all, and the answer to it.

    The request is stored, and no header is a reason to refuse it: who wants to wait for
    longer than anybody may is told so, and hears of the order when that time is over.
    """
    said = delivery.header(WAIT)
    if said is None or told.get("status") not in STORED:
        return None, told
    try:
        wait = parse_duration(said)
    except ValueError as wrong:
        return None, {**told, "error": f"{WAIT} is passed over: {wrong}"}
    if wait <= WAIT_MAX:
        return wait, told
    cut = {"parameter": WAIT, "detail": f"{said!r} is over the most: 60s are waited"}
    known = told.get("warnings")
    warnings = [*(known if isinstance(known, list) else []), cut]
    return WAIT_MAX, {**told, "warnings": warnings}


def _teller(publisher: Publisher, delivery: Delivery) -> Tell:
    async def tell(order: Order) -> None:
        told = {
            "order_id": order.order_id,
            "queue_id": order.queue_id,
            "status": "ended" if order.queue.final else "running",
            "order": order_view(order),
        }
        await _reply(publisher, delivery, told)

    return tell


async def _reply(
    publisher: Publisher, delivery: Delivery, answer: Mapping[str, object]
) -> None:
    subject = delivery.header(REPLY_TO)
    if subject:
        told = {name: value for name, value in answer.items() if value is not None}
        if not await publisher.reply(subject, orjson.dumps(told)):
            LOG.warning("answer.refused", because=NOT_ANSWERED)
