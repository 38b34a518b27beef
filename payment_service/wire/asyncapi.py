"""Draws the AsyncAPI 3 document of section 3 of the contract."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from fsm.domain import request_kinds
from fsm.domain.dead_letters import Reason
from fsm.domain.messages import (
    DEAD_LETTER,
    LOAD_DUE,
    MANUAL_RESOLVED,
    NOTIFICATION_DUE,
    QUEUE_CANCEL,
    RECHECK_TICK,
    SCHEDULES,
    STATUS_TICK,
    STATUS_TIMEOUT,
    STEP_DUE,
    TASK_CANCEL,
    WEBHOOK_RECEIVED,
    WEBHOOK_TIMEOUT,
    WITHDRAWAL_CANCEL,
)
from fsm.domain.request_kinds import SUBJECTS
from fsm.engine.steps import Announced
from fsm.engine.words import Kind
from payment_service.release import version
from payment_service.wire import cancel_message, webhook_message
from payment_service.wire.cancel_message import WithdrawalCancel
from payment_service.wire.readers import READERS
from payment_service.wire.webhook_message import WebhookMessage

Json = dict[str, Any]
SCHEMAS: Final = "#/components/schemas/{model}"
STREAMS: Final[dict[str, Json]] = {
    "PAYMENT_REQUESTS": {"subjects": [*request_kinds.ALL]},
    "ORDER_TASKS": {
        "subjects": [
            "order.task.*.*",
            "order.queue.*.*",
            "order.lane.*.>",
            f"{SCHEDULES}.>",
        ]
    },
    "ORDER_EVENTS": {"subjects": ["order.event.>"], "maxAge": "7d"},
    "ORDER_DLQ": {"subjects": [DEAD_LETTER], "maxAge": "30d"},
}

SIGNED_CANCEL: Final = "With a forwarder's headers and a reason it is the wish itself."
_TASK_WAKEUPS: Final = {
    STEP_DUE: "The next call of a task is due.",
    RECHECK_TICK: "Ask again what became of an unclear attempt.",
    WEBHOOK_TIMEOUT: "No webhook came in time.",
    STATUS_TICK: "Ask the provider for the status.",
    STATUS_TIMEOUT: "The time for asking is over.",
    MANUAL_RESOLVED: "A person's decision is in the row.",
    TASK_CANCEL: f"A cancellation of a task is in the row. {SIGNED_CANCEL}",
}
_QUEUE_WAKEUPS: Final = {
    QUEUE_CANCEL: f"A cancellation of an order is in the row. {SIGNED_CANCEL}",
    NOTIFICATION_DUE: "Core is to be told the outcome.",
    LOAD_DUE: "What the order's steps need is to be fetched.",
}
_TRACE: Final[Json] = {
    "type": "object",
    "properties": {"traceparent": {"type": "string"}},
}
_LETTER_HEADERS: Final[Json] = {
    "type": "object",
    "properties": {
        "X-Original-Subject": {"type": "string"},
        "X-Reason": {"type": "string", "enum": [reason.value for reason in Reason]},
        "X-Error": {"type": "string"},
        "X-Deliveries": {"type": "string", "pattern": "^[0-9]+$"},
        "X-Task-Id": {"type": "string"},
        "X-Queue-Id": {"type": "string"},
        "traceparent": {"type": "string"},
    },
    "required": ["X-Original-Subject", "X-Reason", "X-Error", "X-Deliveries"],
}
_REQUEST_HEADERS: Final[Json] = {
    "type": "object",
    "properties": {
        "X-Reply-To": {
            "type": "string",
            "description": "the subject that is answered once the request is stored",
        },
        "X-Wait": {
            "type": "string",
            "description": "a duration, at most 60s (a longer one is cut to that, and "
            "a warning says so): a second answer holds the order, as soon as it is "
            "final or when the time is over",
        },
        "traceparent": {"type": "string"},
    },
}


_FORWARDER: Final[Json] = {
    "X-Forwarder": {"type": "string", "description": "its name in [forwarders.*]"},
    "X-Forwarder-Timestamp": {"type": "string", "pattern": "^[0-9]{1,12}$"},
    "X-Forwarder-Signature": {
        "type": "string",
        "description": "v1,BASE64, several apart by a space: HMAC-SHA256 of "
        "{subject}.{timestamp}.{body}, the subject without a prefix",
    },
}
_FORWARDER_HEADERS: Final[Json] = {
    "type": "object",
    "properties": {**_FORWARDER, **_TRACE["properties"]},
}
_CANCEL_HEADERS: Final[Json] = {
    "type": "object",
    "properties": {**_FORWARDER, **_REQUEST_HEADERS["properties"]},
}


class TaskWakeup(BaseModel):
    """A task's version to go on with; a stale one is acknowledged and counted."""

    task_id: str
    queue_id: str
    version: int


class QueueWakeup(BaseModel):
    """An order queue's version to go on with."""

    queue_id: str
    version: int


class OtherRequest(BaseModel):
    """A request of a kind that this version answers as rejected."""

    order_id: str


class Answer(BaseModel):
    """What became of a request; a second one, to who waits, holds the order."""

    order_id: str | None = None
    queue_id: str | None = None
    status: str
    error: str | None = None
    order: dict[str, Any] | None = None
    warnings: list[dict[str, str]] | None = None


class OrderEvent(BaseModel):
    """What happened to an order; ``type`` is the subject after ``order.event.``."""

    event_id: str
    type: str
    at: str
    order_id: str
    queue_id: str | None = None
    task_id: str | None = None
    merchant_id: str | None = None
    customer_id: str | None = None
    amount: int | None = None
    currency: str | None = None
    provider: str | None = None
    code: str | None = None
    message: str | None = None
    result: str | None = None


_MODELS: Final[tuple[type[BaseModel], ...]] = (
    *(reader.model for reader in READERS.values()),
    WithdrawalCancel,
    OtherRequest,
    WebhookMessage,
    TaskWakeup,
    QueueWakeup,
    Answer,
    OrderEvent,
)


def asyncapi(subject_prefix: str = "") -> Json:
    """Return the document; with a prefix, subjects and streams are named as then."""
    channels = _Channels(subject_prefix)
    _requests(channels)
    _tasks(channels)
    _events(channels)
    _letters(channels)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "payment-service",
            "version": version(),
            "description": "Executes money movements; NATS JetStream, contract 1.",
        },
        "defaultContentType": "application/json",
        "channels": channels.channels,
        "operations": channels.operations,
        "components": {"messages": channels.messages, "schemas": _schemas()},
        "x-jetstream-streams": {
            f"{subject_prefix}_{name}" if subject_prefix else name: {
                **stream,
                "subjects": [channels.named(s) for s in stream["subjects"]],
            }
            for name, stream in STREAMS.items()
        },
    }


class _Channels:
    """Collects channels, the operations on them and their messages."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.channels: Json = {}
        self.operations: Json = {}
        self.messages: Json = {}

    def named(self, subject: str) -> str:
        return f"{self._prefix}.{subject}" if self._prefix else subject

    def add(
        self, subject: str, model: str, text: str, *, actions: str, **more: object
    ) -> None:
        key = _key(subject)
        self.messages[key] = {
            "name": subject,
            "summary": text,
            "contentType": "application/json",
            "payload": {"$ref": SCHEMAS.format(model=model)},
            "headers": _TRACE,
            **more,
        }
        self.channels[key] = {
            "address": self.named(subject),
            "description": text,
            "messages": {key: {"$ref": f"#/components/messages/{key}"}},
            "x-jetstream-stream": stream_of(subject),
        }
        for action in actions.split():
            self.operations[f"{action}-{key}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{key}"},
                "messages": [{"$ref": f"#/channels/{key}/messages/{key}"}],
            }


def stream_of(subject: str) -> str:
    """Return the stream that keeps a subject.

    :raises LookupError: none does.
    """
    for name, stream in STREAMS.items():
        if any(_matches(pattern, subject) for pattern in stream["subjects"]):
            return name
    raise LookupError(subject)


def _matches(pattern: str, subject: str) -> bool:
    wanted, parts = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted, parts = wanted[:-1], parts[: len(wanted) - 1]
    return len(wanted) == len(parts) and all(
        token in {"*", part} for token, part in zip(wanted, parts, strict=True)
    )


def _key(subject: str) -> str:
    return "".join(part.capitalize() for part in subject.replace("_", ".").split("."))


def _requests(channels: _Channels) -> None:
    for kind, reader in READERS.items():
        channels.add(
            SUBJECTS[kind],
            reader.model.__name__,
            reader.does,
            actions="receive",
            headers=_REQUEST_HEADERS,
            examples=[{"payload": reader.example}],
        )
    channels.add(
        WITHDRAWAL_CANCEL,
        "WithdrawalCancel",
        "Give up an order that is not final; a forwarder's word, or nobody's.",
        actions="receive",
        headers=_CANCEL_HEADERS,
        examples=[{"payload": cancel_message.EXAMPLE}],
    )
    for subject in sorted(request_kinds.NOT_BUILT):
        channels.add(
            subject,
            "OtherRequest",
            "Not supported yet.",
            actions="receive",
            headers=_REQUEST_HEADERS,
        )
    _answers(channels)


def _answers(channels: _Channels) -> None:
    """Let each request name its reply: the subject in its own header."""
    channels.messages["Answer"] = {
        "name": "Answer",
        "summary": "What became of a request: accepted, duplicate, conflict, rejected; "
        "to who waits, ended or running.",
        "contentType": "application/json",
        "payload": {"$ref": SCHEMAS.format(model="Answer")},
    }
    channels.channels["Answer"] = {
        "address": None,
        "description": "The subject that the request named in X-Reply-To.",
        "messages": {"Answer": {"$ref": "#/components/messages/Answer"}},
    }
    for operation in channels.operations.values():
        operation["reply"] = {
            "address": {"location": "$message.header#/X-Reply-To"},
            "channel": {"$ref": "#/channels/Answer"},
            "messages": [{"$ref": "#/channels/Answer/messages/Answer"}],
        }


def _tasks(channels: _Channels) -> None:
    for subject, text in _TASK_WAKEUPS.items():
        channels.add(subject, "TaskWakeup", text, actions="send receive")
    for subject, text in _QUEUE_WAKEUPS.items():
        channels.add(subject, "QueueWakeup", text, actions="send receive")
    channels.add(
        WEBHOOK_RECEIVED,
        "WebhookMessage",
        "A webhook that a forwarder has verified: its word, or nobody's.",
        actions="receive",
        headers=_FORWARDER_HEADERS,
        examples=[{"payload": webhook_message.EXAMPLE}],
    )


def _events(channels: _Channels) -> None:
    for kind in Kind:
        for announced in Announced:
            channels.add(
                f"order.event.{kind.value}.{announced.value}",
                "OrderEvent",
                f"A {kind.value} order: {announced.value}.",
                actions="send",
            )


def _letters(channels: _Channels) -> None:
    channels.add(
        DEAD_LETTER,
        "DeadLetter",
        "A message that could not be handled: its original bytes.",
        actions="send",
        headers=_LETTER_HEADERS,
        contentType="application/octet-stream",
    )


def _schemas() -> Json:
    wanted = [(model, "validation") for model in _MODELS]
    _, shown = models_json_schema(wanted, ref_template=SCHEMAS)  # type: ignore[arg-type]
    letter = {
        "description": "The bytes as they came; they may not be JSON.",
        "type": "string",
        "format": "binary",
    }
    return {**shown["$defs"], "DeadLetter": letter}
