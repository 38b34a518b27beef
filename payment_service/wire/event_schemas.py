"""One schema for each order event: what it carries, always or where there is one.

Tests hold real events to them, and they hold no more: a field that is added to an event
is added here. Whoever listens passes over what it does not know.
"""

from collections.abc import Mapping
from typing import Any, Final, get_args

from fsm.domain.money import AMOUNT_MAX
from fsm.engine.steps import Announced
from fsm.engine.words import WITHOUT_MONEY, CaseKind, CaseState, Kind
from payment_service.wire.shapes import LinkResult

Json = dict[str, Any]

_UUID: Final[Json] = {"type": "string", "format": "uuid"}
_TEXT: Final[Json] = {"type": "string"}
FIELDS: Final[Mapping[str, Json]] = {
    "event_id": _UUID | {"description": "stable, and the `Nats-Msg-Id` too"},
    "type": _TEXT | {"description": "the subject after `order.event.`"},
    "at": {"type": "string", "format": "date-time", "description": "when it happened"},
    "order_id": _TEXT | {"description": "the caller's own id"},
    "queue_id": _UUID | {"description": "our id of the order"},
    "task_id": _UUID | {"description": "the attempt"},
    "merchant_id": _TEXT,
    "customer_id": _TEXT,
    "amount": {
        "type": "integer",
        "minimum": 1,
        "maximum": AMOUNT_MAX,
        "description": "in minor units of the currency",
    },
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "provider": _TEXT | {"description": "who was asked: a provider or a partner"},
    "terminal_id": _TEXT | {"description": "the terminal at the provider"},
    "provider_reference": _TEXT | {"description": "the provider's own id of it"},
    "attempts": {
        "type": "integer",
        "minimum": 0,
        "description": "how many were sent to providers, with the one it is about",
    },
    "case_id": _UUID | {"description": "the case at `/v1/cases`"},
    "case_kind": {"type": "string", "enum": [kind.value for kind in CaseKind]},
    "case_state": {"type": "string", "enum": [state.value for state in CaseState]},
    "code": _TEXT | {"description": "why, in one word"},
    "message": _TEXT | {"description": "why, in words"},
    "result": {
        "type": "string",
        "enum": [*get_args(LinkResult.__value__)],
        "description": "how it has ended, in the flow's own word",
    },
}
"""What an event can carry."""

_WHOSE: Final = ("merchant_id", "customer_id")
_EVENT: Final = ("event_id", "type", "at", "order_id")
_MONEY: Final = ("amount", "currency")
_REASON: Final = ("code?", "message?")
_ASKED: Final = ("provider", "terminal_id", "provider_reference")
_CASE: Final = ("case_id", "case_kind", "case_state")
_CASES: Final = frozenset({Announced.CASE_OPENED, Announced.CASE_CLOSED})
_PARTNERS: Final = frozenset({Kind.PARTNER_LINK, Kind.PARTNER_UNLINK})
_ABOUT: Final[Mapping[Announced, tuple[str, ...]]] = {
    Announced.ACCEPTED: (),
    Announced.ATTEMPT_STARTED: ("task_id", "provider"),
    Announced.ATTEMPT_FAILED: ("task_id", "provider", *_REASON),
    Announced.MANUAL_CHECK: ("task_id", "provider", *_REASON),
    Announced.RETURNED: ("task_id", "provider", "case_id"),
    Announced.COMPLETED: (),
    Announced.FAILED: ("code?",),
    Announced.CANCELLED: ("code?",),
}
"""What an order's event tells beside whose it is; with a ``?`` where there is one."""

_DOES: Final[Mapping[Announced, str]] = {
    Announced.ACCEPTED: "is stored, and will be carried out",
    Announced.REJECTED: "was refused, and is none: its request could not be accepted",
    Announced.ATTEMPT_STARTED: "is tried: an attempt has begun",
    Announced.ATTEMPT_FAILED: "goes on without an attempt that has come to nothing",
    Announced.MANUAL_CHECK: "waits for a person's decision about an attempt",
    Announced.RETURNED: "came back after its success: a person decides, or a policy",
    Announced.CASE_OPENED: "has a case that was opened, for a person to see to",
    Announced.CASE_CLOSED: "has a case that is over: closed, or settled by core",
    Announced.COMPLETED: "is completed: its last event",
    Announced.FAILED: "has failed: its last event",
    Announced.CANCELLED: "was given up: its last event",
}
_CALLED: Final[Mapping[Kind, str]] = {
    Kind.WITHDRAWAL: "A withdrawal",
    Kind.CHECKOUT: "A checkout",
    Kind.PARTNER_LINK: "A partner link",
    Kind.PARTNER_UNLINK: "A removal of a partner link",
}
EVENTS: Final = tuple(
    (kind, announced)
    for kind in Kind
    for announced in Announced
    # A partner's no is an answer: what it came to stands in the last event.
    if not (kind in _PARTNERS and announced is Announced.ATTEMPT_FAILED)
    if kind is Kind.WITHDRAWAL or announced is not Announced.RETURNED
)
"""Every event that there is."""

_EXAMPLES: Final[Mapping[str, object]] = {
    "event_id": "0195f2c4-7c1e-5d52-b3a6-5f0f3f1d2a77",
    "at": "2026-01-31T12:00:04.210Z",
    "queue_id": "0195f2c4-7c1e-7d52-b3a6-5f0f3f1d2a01",
    "task_id": "0195f2c4-7c1e-7d52-b3a6-5f0f3f1d2a10",
    "merchant_id": "m-1",
    "customer_id": "c-9",
    "amount": 12550,
    "currency": "EUR",
    "provider": "acme",
    "terminal_id": "t-1",
    "provider_reference": "po_1001",
    "attempts": 1,
    "case_id": "0195f2c4-7c1e-5d52-b3a6-5f0f3f1d2a99",
    "case_kind": "late_success",
    "case_state": "open",
    "code": "insufficient_funds",
    "message": "The account has too little on it.",
}
_OF_KIND: Final[Mapping[Kind, Json]] = {
    Kind.WITHDRAWAL: {"order_id": "w-1001"},
    Kind.CHECKOUT: {"order_id": "c-1001"},
    Kind.PARTNER_LINK: {
        "order_id": "l-1001",
        "provider": "northbank",
        "code": "bin_not_covered",
        "result": "not_eligible",
    },
    Kind.PARTNER_UNLINK: {
        "order_id": "u-1001",
        "provider": "northbank",
        "code": "already_unlinked",
        "result": "unlinked",
    },
}


def model_of(kind: Kind, announced: Announced) -> str:
    """Return the name of an event's schema, as ``WithdrawalAttemptStarted``."""
    parts = f"{kind.value}_{announced.value}".split("_")
    return "".join(part.capitalize() for part in parts)


def summary_of(kind: Kind, announced: Announced) -> str:
    """Return what an event says."""
    return f"{_CALLED[kind]} {_DOES[announced]}."


def carried(kind: Kind, announced: Announced) -> tuple[str, ...]:
    """Return the fields of an event; with a ``?`` those that it may lack."""
    if announced is Announced.REJECTED:
        return (*_EVENT, "code", "message")
    money = () if kind in WITHOUT_MONEY else _MONEY
    if announced in _CASES:
        # Of rows that another hand has changed no more is told than which they are.
        unsure = (f"{name}?" for name in (*_WHOSE, *money, *_ASKED, *_counted(kind)))
        closed = ("message?",) if announced is Announced.CASE_CLOSED else ()
        return (*_EVENT, "queue_id", "task_id", *unsure, *_CASE, *closed)
    about = _ABOUT[announced]
    if announced is Announced.COMPLETED and kind in _PARTNERS:
        about = ("task_id", "provider", "code?", "result")
    if announced is Announced.COMPLETED and kind is Kind.WITHDRAWAL:
        about = ("task_id", "provider")
    if "task_id" in about:
        about = (*about, "terminal_id?", "provider_reference?")
    if announced is not Announced.ACCEPTED:
        about = (*about, *_counted(kind))
    if kind is Kind.CHECKOUT:
        # A service does a step without a name of its own.
        about = tuple("provider?" if name == "provider" else name for name in about)
    return (*_EVENT, "queue_id", *_WHOSE, *money, *about)


def _counted(kind: Kind) -> tuple[str, ...]:
    """Return the field of a kind whose attempts follow one another."""
    return ("attempts",) if kind is Kind.WITHDRAWAL else ()


def event_schema(kind: Kind, announced: Announced) -> Json:
    """Return the schema of an event."""
    names = carried(kind, announced)
    properties = {name: FIELDS[name] for name in map(_plain, names)}
    properties["type"] = {
        **FIELDS["type"],
        "const": f"{kind.value}.{announced.value}",
    }
    if announced is Announced.REJECTED:
        properties["code"] = {**FIELDS["code"], "const": "invalid"}
    return {
        "type": "object",
        "description": summary_of(kind, announced),
        "properties": properties,
        "required": [name for name in names if not name.endswith("?")],
    }


def event_example(kind: Kind, announced: Announced) -> Json:
    """Return an event with all that it can carry."""
    told = {**_EXAMPLES, **_OF_KIND[kind], "type": f"{kind.value}.{announced.value}"}
    if announced is Announced.REJECTED:
        problem = "metadata: must be an object"
        told |= {"code": "invalid", "message": problem}
    return {name: told[name] for name in map(_plain, carried(kind, announced))}


def _plain(name: str) -> str:
    return name.removesuffix("?")


PROVIDER_EVENTS: Final[Mapping[str, str]] = {
    "paused": "A provider gets no new work: somebody has paused it.",
    "resumed": "A provider gets new work again: somebody has resumed it.",
}
"""What is told of a provider, which is about no order."""
_STEERED: Final[Mapping[str, Json]] = {
    **{name: FIELDS[name] for name in ("event_id", "type", "at")},
    "provider": _TEXT | {"description": "its name in the configuration"},
    "actor": _TEXT | {"description": "who: `key:NAME`, or `user:NAME` at a shell"},
    "message": _TEXT | {"description": "the reason that was given"},
}
_UNTIL: Final[Json] = {
    "type": "string",
    "format": "date-time",
    "description": "when the pause ends by itself, without an event; not there: not",
}


def provider_model_of(word: str) -> str:
    """Return the name of its schema, as ``ProviderPaused``."""
    return f"Provider{word.capitalize()}"


def provider_event_schema(word: str) -> Json:
    """Return the schema of an event about a provider."""
    typed = {**FIELDS["type"], "const": f"provider.{word}"}
    more = {"until": _UNTIL} if word == "paused" else {}
    return {
        "type": "object",
        "description": PROVIDER_EVENTS[word],
        "properties": {**_STEERED, "type": typed, **more},
        "required": [*_STEERED],
    }


def provider_event_example(word: str) -> Json:
    """Return one with all that it can carry."""
    told = {name: _EXAMPLES[name] for name in ("event_id", "at", "provider")}
    told |= {"type": f"provider.{word}", "actor": "key:ops", "message": "they said so"}
    return told | ({"until": "2026-01-31T14:00:00Z"} if word == "paused" else {})
