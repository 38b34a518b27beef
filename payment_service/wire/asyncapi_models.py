"""What AsyncAPI documents are made of: the models of messages, and their headers."""

from collections.abc import Mapping
from typing import Any, Final, Literal, NotRequired

from pydantic import BaseModel, Field

from fsm.domain.dead_letters import Reason
from payment_service.wire.formats import Uuid
from payment_service.wire.left_out import LeftOut
from payment_service.wire.shapes import OrderShape, Warned

Json = dict[str, Any]


class TaskWakeup(BaseModel):
    """A task's version to go on with; a stale one is acknowledged and counted."""

    task_id: Uuid
    queue_id: Uuid
    version: int = Field(ge=1)


class QueueWakeup(BaseModel):
    """An order queue's version to go on with."""

    queue_id: Uuid
    version: int = Field(ge=1)


class WebhookHere(BaseModel):
    """A webhook that is stored and waits to be applied."""

    provider: str
    event_id: str
    queue_id: Uuid | None = None
    task_id: Uuid | None = None


class Answer(Warned):
    """What became of a request; a second one, to who waits, holds the order."""

    order_id: NotRequired[LeftOut[str]]
    queue_id: NotRequired[LeftOut[Uuid]]
    status: Literal["accepted", "duplicate", "conflict", "rejected", "ended", "running"]
    error: NotRequired[LeftOut[str]]
    order: NotRequired[LeftOut[OrderShape]]


ANSWER: Final[Json] = {
    "order_id": "w-1001",
    "queue_id": "0195f2c4-7c1e-7d52-b3a6-5f0f3f1d2a01",
    "status": "accepted",
}
WAKEUP: Final[Json] = {
    "task_id": "0195f2c4-7c1e-7d52-b3a6-5f0f3f1d2a10",
    "queue_id": "0195f2c4-7c1e-7d52-b3a6-5f0f3f1d2a01",
    "version": 4,
}
STORED: Final[Json] = {
    "provider": "acme",
    "event_id": "evt_71",
    "queue_id": WAKEUP["queue_id"],
    "task_id": WAKEUP["task_id"],
}
LETTER: Final[Json] = {
    "description": "The bytes as they came; they may not be JSON.",
    "type": "string",
    "format": "binary",
}

_TEXT: Final[Json] = {"type": "string"}
TRACE: Final[Json] = {
    "traceparent": {
        "type": "string",
        "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
        "description": "the trace that it belongs to (W3C Trace Context)",
    }
}
MESSAGE_ID: Final[Json] = {
    "Nats-Msg-Id": {
        "type": "string",
        "description": "what the stream tells a repeat of the message by",
    }
}
EVENT_ID: Final[Json] = {
    "Nats-Msg-Id": {
        "type": "string",
        "format": "uuid",
        "description": "the `event_id`: the stream keeps it once for two minutes, and "
        "whoever listens tells a later repeat by it",
    }
}
REPLY: Final[Json] = {
    "X-Reply-To": {
        "type": "string",
        "description": "the subject that is answered once the request is stored",
    },
    "X-Wait": {
        "type": "string",
        "description": "a duration, at most 60s (a longer one is cut to that, and a "
        "warning says so): a second answer holds the order, as soon as it is final or "
        "when the time is over",
    },
}
FORWARDER: Final[Json] = {
    "X-Forwarder": {"type": "string", "description": "its name in [forwarders.*]"},
    "X-Forwarder-Timestamp": {"type": "string", "pattern": "^[0-9]{1,12}$"},
    "X-Forwarder-Signature": {
        "type": "string",
        "description": "v1,BASE64, several apart by a space: HMAC-SHA256 of "
        "{subject}.{timestamp}.{body}, the subject without a prefix",
    },
}
DEAD: Final[Json] = {
    "X-Original-Subject": _TEXT,
    "X-Reason": {"type": "string", "enum": [reason.value for reason in Reason]},
    "X-Error": _TEXT,
    "X-Deliveries": {"type": "string", "pattern": "^[0-9]+$"},
    "X-Task-Id": _TEXT,
    "X-Queue-Id": _TEXT,
}
SAMPLES: Final[Mapping[str, str]] = {
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "Nats-Msg-Id": "0195f2c4-7c1e-5d52-b3a6-5f0f3f1d2a77",
    "X-Reply-To": "_INBOX.shop.7",
    "X-Wait": "20s",
    "X-Forwarder": "provider-service",
    "X-Forwarder-Timestamp": "1769860800",
    "X-Forwarder-Signature": "v1,5mFhvJqF0yQp1lqg3kq0cX0n7pJ3mC8Yb1m0m2Vt0Uo=",
    "X-Original-Subject": "withdrawal.requested",
    "X-Reason": "invalid",
    "X-Error": "amount: is missing",
    "X-Deliveries": "1",
    "X-Task-Id": WAKEUP["task_id"],
    "X-Queue-Id": WAKEUP["queue_id"],
}
"""An example of each header."""


def headers(*parts: Json, required: tuple[str, ...] = ()) -> Json:
    """Return the schema of a message's headers; a trace may always be among them."""
    known = {name: its for part in (*parts, TRACE) for name, its in part.items()}
    told: Json = {"type": "object", "properties": known}
    return told | ({"required": [*required]} if required else {})


def header_example(schema: Json) -> dict[str, str]:
    """Return headers that fit their schema."""
    return {name: SAMPLES[name] for name in schema["properties"]}
