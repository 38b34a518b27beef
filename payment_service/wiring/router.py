"""Turns deliveries into handler calls, each in its trace, logged in one line."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import structlog
from opentelemetry.trace import SpanKind

from fsm.domain import messages as subjects
from fsm.domain.errors import (
    Fault,
    InvalidRequest,
    StoreUnavailable,
    Unstorable,
)
from fsm.domain.ids import is_uuid
from fsm.domain.letters import Reason
from fsm.domain.orders import Submission
from handlers.drive import Doorbell, ring
from handlers.engine import Engine
from handlers.letters import bury, ids_of
from handlers.ports.bus import Delivery, Publisher
from handlers.ports.outcomes import Done, Outcome, Park, Retry
from handlers.request import requested
from handlers.webhook import webhook_received
from payment_service.observability import tracing
from payment_service.observability.measured import child
from payment_service.observability.metrics import Metrics
from payment_service.observability.repeats import Repeats
from payment_service.wire.requests import read_withdrawal, refuse_unsupported
from payment_service.wiring.forwarded import Forwarded

REPLY_TO: Final = "X-Reply-To"
CANCELS: Final = frozenset({subjects.TASK_CANCEL, subjects.QUEUE_CANCEL})
DOORBELLS: Final = frozenset(
    {
        subjects.STEP_DUE,
        subjects.RECHECK_TICK,
        subjects.WEBHOOK_TIMEOUT,
        subjects.STATUS_TICK,
        subjects.STATUS_TIMEOUT,
        subjects.MANUAL_RESOLVED,
        subjects.NOTIFICATION_DUE,
    }
)
REQUEST_KINDS: Final = {
    subjects.WITHDRAWAL_REQUESTED: "withdrawal",
    "checkout.requested": "checkout",
    "partner.link.requested": "partner_link",
}
ANSWERED: Final = frozenset({*REQUEST_KINDS, subjects.WITHDRAWAL_CANCEL})
"""What has a sender who waits to hear what became of it."""

KNOWN: Final = DOORBELLS | CANCELS | ANSWERED | {subjects.WEBHOOK_RECEIVED}
NOT_ANSWERED: Final = f"{REPLY_TO} is no inbox, and not in PAYMENT_REPLY_SUBJECTS"
LOG: Final = structlog.get_logger("payment_service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """Handles the messages of both consumers; ``store_lost`` hears of a dead store."""

    engine: Engine
    forwarded: Forwarded
    publisher: Publisher
    metrics: Metrics
    store_lost: Callable[[], None]
    repeats: Repeats = field(default_factory=Repeats)

    async def handle(self, delivery: Delivery) -> Outcome:
        """Handle one delivery in its trace, count it and log it in one line."""
        began = time.perf_counter()
        parent = delivery.header("traceparent")
        with tracing.span(delivery.subject, parent, kind=SpanKind.CONSUMER) as trace:
            try:
                outcome = await self._route(delivery, trace)
            except InvalidRequest as refusal:
                outcome = Park(because=refusal.problem)
            except Unstorable as refusal:
                # Asked again, the store would say the same for ever.
                outcome = Park(because=str(refusal))
            except StoreUnavailable as fault:
                self.store_lost()
                outcome = Retry(because=str(fault))
            except Fault as fault:
                outcome = Retry(because=str(fault))
        self._note(delivery, outcome, time.perf_counter() - began, trace)
        return outcome

    async def bury(self, delivery: Delivery, reason: Reason, error: str) -> None:
        """Keep a dead letter; tell the sender of a request that it was refused."""
        rejected = None
        order_id = ids_of(delivery.body).get("order_id") or None
        kind = REQUEST_KINDS.get(delivery.subject)
        if kind is not None and order_id is not None and reason is Reason.INVALID:
            rejected = (kind, order_id)
        is_whole = await bury(
            delivery,
            reason,
            error,
            store=self.engine.store,
            clock=self.engine.clock,
            rejected=rejected,
        )
        if not is_whole:
            self.metrics.letters_reduced.inc()
        if delivery.subject in ANSWERED:
            answer = {"order_id": order_id, "status": "rejected", "error": error}
            await self._reply(delivery, answer)

    async def _route(self, delivery: Delivery, trace: str | None) -> Outcome:
        subject = delivery.subject
        if subject in REQUEST_KINDS:
            return await self._request(delivery, trace)
        if subject in DOORBELLS:
            return await ring(_bell(delivery), engine=self.engine)
        if subject in CANCELS:
            # Without a sender it is a wake-up: it does what a committed row says.
            if self.forwarded.forwarders.is_named(delivery):
                return await self.forwarded.cancel_row(delivery)
            return await ring(_bell(delivery), engine=self.engine)
        if subject == subjects.WITHDRAWAL_CANCEL:
            return await self._cancel_withdrawal(delivery)
        if subject == subjects.WEBHOOK_RECEIVED:
            return await self._webhook(delivery)
        return Park(because=f"subject {subject!r} is not known to this version")

    async def _request(self, delivery: Delivery, trace: str | None) -> Outcome:
        if delivery.subject != subjects.WITHDRAWAL_REQUESTED:
            raise refuse_unsupported(delivery.body, delivery.subject)
        request = read_withdrawal(delivery.body, self.engine.providers.names())

        async def answer(done: Submission) -> None:
            told = {
                "order_id": done.order_id,
                "queue_id": done.queue_id,
                "status": done.status,
            }
            if done.status == "conflict":
                told["error"] = "this order_id was used before with another content"
            await self._reply(delivery, told)

        return await requested(
            request,
            engine=self.engine,
            trace_parent=trace,
            again=delivery.deliveries > 1,
            answer=answer,
        )

    async def _cancel_withdrawal(self, delivery: Delivery) -> Outcome:
        outcome, answer = await self.forwarded.cancel_withdrawal(delivery)
        if answer is not None:
            await self._reply(delivery, answer)
        return outcome

    async def _webhook(self, delivery: Delivery) -> Outcome:
        fields = _fields(delivery.body)
        if "body" in fields:
            return await self.forwarded.webhook(delivery)
        provider, event_id = fields.get("provider"), fields.get("event_id")
        if not isinstance(provider, str) or not isinstance(event_id, str):
            raise InvalidRequest("provider and event_id must be strings")
        again = delivery.deliveries > 1
        return await webhook_received(
            provider, event_id, again=again, engine=self.engine
        )

    async def _reply(self, delivery: Delivery, answer: dict[str, str | None]) -> None:
        subject = delivery.header(REPLY_TO)
        if subject:
            told = {name: value for name, value in answer.items() if value is not None}
            if not await self.publisher.reply(subject, orjson.dumps(told)):
                LOG.warning("answer.refused", because=NOT_ANSWERED)

    def _note(
        self, delivery: Delivery, outcome: Outcome, seconds: float, trace: str | None
    ) -> None:
        what = _word(outcome)
        known = delivery.subject if delivery.subject in KNOWN else "unknown"
        child(self.metrics.messages, known, what).inc()
        if what == "stale":
            self.metrics.timers_stale.inc()
        # What is no id is no label either: a sender could write a megabyte there.
        ids = ids_of(delivery.body)
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
        if isinstance(outcome, Done):
            LOG.info("message.handled", **line)
            return
        untold = self.repeats.admit((known, what))
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


def _fields(body: bytes) -> dict[str, object]:
    """Return a message's fields, or refuse it with what is wrong."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidRequest("not a JSON object")
    return fields


def _bell(delivery: Delivery) -> Doorbell:
    fields = _fields(delivery.body)
    task_id, queue_id = fields.get("task_id"), fields.get("queue_id")
    version = fields.get("version")
    if not isinstance(queue_id, str) or not is_uuid(queue_id):
        raise InvalidRequest("queue_id must be a UUID")
    if task_id is not None and not (isinstance(task_id, str) and is_uuid(task_id)):
        raise InvalidRequest("task_id must be a UUID")
    if task_id is None and not delivery.subject.startswith("order.queue."):
        raise InvalidRequest("task_id is missing")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InvalidRequest("version must be a positive integer")
    return Doorbell(
        queue_id=queue_id,
        task_id=task_id if isinstance(task_id, str) else None,
        version=version,
        again=delivery.deliveries > 1,
    )
