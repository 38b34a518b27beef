"""Draws the AsyncAPI documents of section 3 of the contract: the public one, and ours.

The public one has what others send and hear; the internal one what the service tells
itself, for whoever operates it. Nothing stands in either that is only refused.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from pydantic import BaseModel, TypeAdapter

from fsm.domain import request_kinds
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
from payment_service.release import version
from payment_service.wire import asyncapi_models as parts
from payment_service.wire import cancel_message, webhook_message
from payment_service.wire.asyncapi_models import (
    Answer,
    QueueWakeup,
    TaskWakeup,
    WebhookHere,
    header_example,
    headers,
)
from payment_service.wire.cancel_message import (
    QueueCancel,
    TaskCancel,
    WithdrawalCancel,
)
from payment_service.wire.event_schemas import (
    EVENTS,
    PROVIDER_EVENTS,
    event_example,
    event_schema,
    model_of,
    provider_event_example,
    provider_event_schema,
    provider_model_of,
    summary_of,
)
from payment_service.wire.json_schemas import REF, drop_unused, ref, tidied
from payment_service.wire.readers import READERS
from payment_service.wire.webhook_message import WebhookMessage

Json = dict[str, Any]
Action = Literal["send", "receive"]
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
_TASK_WAKEUPS: Final = {
    STEP_DUE: "The next call of a task is due.",
    RECHECK_TICK: "Ask again what became of an unclear attempt.",
    WEBHOOK_TIMEOUT: "No webhook came in time.",
    STATUS_TICK: "Ask the provider for the status.",
    STATUS_TIMEOUT: "The time for asking is over.",
    MANUAL_RESOLVED: "A person's decision is in the row.",
    TASK_CANCEL: "A cancellation of a task is in the row.",
}
_QUEUE_WAKEUPS: Final = {
    QUEUE_CANCEL: "A cancellation of an order is in the row.",
    NOTIFICATION_DUE: "Core is to be told the outcome.",
    LOAD_DUE: "What the order's steps need is to be fetched.",
}
_MODELS: Final[tuple[type[BaseModel], ...]] = (
    *(reader.model for reader in READERS.values()),
    WithdrawalCancel,
    TaskCancel,
    QueueCancel,
    WebhookMessage,
    TaskWakeup,
    QueueWakeup,
    WebhookHere,
)
_FORWARDED: Final = headers(parts.FORWARDER, parts.MESSAGE_ID)
_TOLD: Final = headers(parts.EVENT_ID, required=("Nats-Msg-Id",))
_REQUESTED: Final = headers(parts.MESSAGE_ID, parts.REPLY)
_OURS: Final = headers(parts.MESSAGE_ID, required=("Nats-Msg-Id",))
_DEAD: Final = headers(parts.DEAD, required=(*parts.DEAD,)[:4])
PUBLIC: Final = "Executes money movements: what others send it on NATS, and hear of it."
INTERNAL: Final = "What payment-service tells itself on NATS; nobody else sends it."


def asyncapi(subject_prefix: str = "") -> Json:
    """Return the public document; with a prefix, subjects and streams have it."""
    channels = _Channels(subject_prefix)
    _requests(channels)
    _forwarders(channels)
    _events(channels)
    _letters(channels)
    return channels.document(PUBLIC, "")


def internal_asyncapi(subject_prefix: str = "") -> Json:
    """Return the document of the service's own messages."""
    channels = _Channels(subject_prefix)
    _wakeups(channels)
    return channels.document(INTERNAL, ", internal")


class _Channels:
    """Collects channels, the operations on them and their messages."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.channels: Json = {}
        self.operations: Json = {}
        self.messages: Json = {}

    def named(self, subject: str) -> str:
        return f"{self._prefix}.{subject}" if self._prefix else subject

    def add(  # noqa: PLR0913 - one argument for each part of a channel
        self,
        subject: str,
        model: str,
        text: str,
        *,
        actions: tuple[Action, ...],
        head: Json,
        example: object,
        key: str | None = None,
        media: str = "application/json",
        reply: bool = False,
    ) -> None:
        """Add a channel with its message, and what is done on it."""
        key = key or _key(subject)
        self.messages[key] = {
            "name": key,
            "title": subject,
            "summary": text,
            "contentType": media,
            "headers": head,
            "payload": ref(model),
            "examples": [
                {"name": key, "headers": header_example(head), "payload": example}
            ],
        }
        self.channels[key] = {
            "address": self.named(subject),
            "title": subject,
            "description": text,
            "messages": {key: {"$ref": f"#/components/messages/{key}"}},
            "x-jetstream-stream": stream_of(subject),
        }
        for action in actions:
            self._operate(action, subject, key, _REPLY if reply else {})

    def _operate(self, action: Action, subject: str, key: str, more: Json) -> None:
        way = "To" if action == "receive" else "From"
        self.operations[f"{action}{key}"] = {
            "action": action,
            "summary": self.messages[key]["summary"],
            "description": f"{way} the service on `{subject}`, at least once.",
            "channel": {"$ref": f"#/channels/{key}"},
            "messages": [{"$ref": f"#/channels/{key}/messages/{key}"}],
            **more,
        }

    def document(self, description: str, which: str) -> Json:
        """Return all of it."""
        told = {
            "asyncapi": "3.1.0",
            "info": {
                "title": f"payment-service{which}",
                "version": version(),
                "description": description,
                "contact": {"name": "The maintainers of payment-service"},
                "license": {"name": "Apache-2.0"},
                "tags": [{"name": "payments"}],
            },
            "defaultContentType": "application/json",
            "servers": {
                "nats": {
                    "host": "127.0.0.1:4222",
                    "protocol": "nats",
                    "description": "Whatever PAYMENT_NATS_URL says; with JetStream.",
                }
            },
            "channels": self.channels,
            "operations": self.operations,
            "components": {"messages": self.messages, "schemas": _schemas()},
            "x-jetstream-streams": self._streams(),
        }
        drop_unused(told)
        return told

    def _streams(self) -> Json:
        return {
            f"{self._prefix}_{name}" if self._prefix else name: {
                **stream,
                "subjects": [self.named(s) for s in stream["subjects"]],
            }
            for name, stream in STREAMS.items()
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


_REPLY: Final[Json] = {
    "reply": {
        "address": {
            "location": "$message.header#/X-Reply-To",
            "description": "The subject that the request named.",
        },
        "channel": {"$ref": "#/channels/Answer"},
        "messages": [{"$ref": "#/channels/Answer/messages/Answer"}],
    }
}


def _requests(channels: _Channels) -> None:
    """Let each request name its reply: the subject in its own header."""
    for kind, reader in READERS.items():
        channels.add(
            SUBJECTS[kind],
            reader.model.__name__,
            reader.does,
            actions=("receive",),
            head=_REQUESTED,
            example=reader.example,
            reply=True,
        )
    channels.add(
        WITHDRAWAL_CANCEL,
        "WithdrawalCancel",
        "Give up an order that is not final; a forwarder's word, or nobody's.",
        actions=("receive",),
        head=headers(parts.FORWARDER, parts.MESSAGE_ID, parts.REPLY),
        example=cancel_message.EXAMPLE,
        reply=True,
    )
    channels.messages["Answer"] = {
        "name": "Answer",
        "summary": "What became of a request: accepted, duplicate, conflict, rejected; "
        "to who waits, ended or running.",
        "contentType": "application/json",
        "payload": ref("Answer"),
        "examples": [{"name": "accepted", "payload": parts.ANSWER}],
    }
    channels.channels["Answer"] = {
        "address": None,
        "description": "The subject that the request named in X-Reply-To.",
        "messages": {"Answer": {"$ref": "#/components/messages/Answer"}},
    }


def _forwarders(channels: _Channels) -> None:
    """Tell what another service of ours may say, by its signature."""
    cancel = "{} is given up: with a forwarder's signature, else it is a wake-up."
    reason = {"reason": cancel_message.EXAMPLE["reason"]}
    for subject, model, text, example in (
        (
            *(WEBHOOK_RECEIVED, "WebhookMessage"),
            "A webhook that a forwarder has verified: its word, or nobody's.",
            webhook_message.EXAMPLE,
        ),
        (
            *(TASK_CANCEL, "TaskCancel", cancel.format("An attempt")),
            {"task_id": parts.WAKEUP["task_id"], **reason},
        ),
        (
            *(QUEUE_CANCEL, "QueueCancel", cancel.format("An order")),
            {"queue_id": parts.WAKEUP["queue_id"], **reason},
        ),
    ):
        channels.add(
            *(subject, model, text),
            actions=("receive",),
            head=_FORWARDED,
            example=example,
        )


def _wakeups(channels: _Channels) -> None:
    both = get_args(Action)
    task, queue = parts.WAKEUP, {**parts.WAKEUP}
    del queue["task_id"]
    for texts, model, example in (
        (_TASK_WAKEUPS, "TaskWakeup", task),
        (_QUEUE_WAKEUPS, "QueueWakeup", queue),
        ({WEBHOOK_RECEIVED: "A webhook is stored."}, "WebhookHere", parts.STORED),
    ):
        for subject, text in texts.items():
            channels.add(
                *(subject, model, text), actions=both, head=_OURS, example=example
            )


def _events(channels: _Channels) -> None:
    for kind, announced in EVENTS:
        channels.add(
            f"order.event.{kind.value}.{announced.value}",
            model_of(kind, announced),
            summary_of(kind, announced),
            actions=("send",),
            head=_TOLD,
            example=event_example(kind, announced),
            key=model_of(kind, announced),
        )
    for word, text in PROVIDER_EVENTS.items():
        channels.add(
            f"order.event.provider.{word}",
            provider_model_of(word),
            text,
            actions=("send",),
            head=_TOLD,
            example=provider_event_example(word),
            key=provider_model_of(word),
        )


def _letters(channels: _Channels) -> None:
    channels.add(
        DEAD_LETTER,
        "DeadLetterBytes",
        "A message that could not be handled: its original bytes.",
        actions=("send",),
        head=_DEAD,
        example='{"order_id": "w-1002"}',
        media="application/octet-stream",
    )


def _schemas() -> Json:
    adapters: list[tuple[str, Literal["validation"], TypeAdapter[Any]]] = [
        (model.__name__, "validation", TypeAdapter(model)) for model in _MODELS
    ]
    adapters.append(("Answer", "validation", TypeAdapter(Answer)))
    _, found = TypeAdapter.json_schemas(adapters, ref_template=REF)
    schemas: Mapping[str, Json] = {
        **tidied(found["$defs"]),
        **{model_of(*each): event_schema(*each) for each in EVENTS},
        **{provider_model_of(w): provider_event_schema(w) for w in PROVIDER_EVENTS},
        "DeadLetterBytes": parts.LETTER,
    }
    return dict(schemas)
