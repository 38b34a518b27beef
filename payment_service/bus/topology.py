"""The streams and durable consumers, as data; `ensure` makes and judges them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

from fsm.domain import messages, request_kinds
from payment_service.bus.api import Json
from payment_service.bus.subjects import Names

REQUESTS: Final = "PAYMENT_REQUESTS"
TASKS: Final = "ORDER_TASKS"
EVENTS: Final = "ORDER_EVENTS"
DEAD: Final = "ORDER_DLQ"

TASK_CONSUMER: Final = "payment-tasks"
TIMER_CONSUMER: Final = "payment-timers"
REQUEST_CONSUMER: Final = "payment-requests"

# Those of later versions too: replicas that want different filters would rewrite each
# other's consumer.
REQUEST_SUBJECTS: Final = request_kinds.ALL
TASK_SUBJECTS: Final = ("order.task.*.*", "order.queue.*.*", "order.lane.*.>")
# What time has made due has a consumer of its own: a hundred thousand timers that ring
# in one second must not stand before a new order. A work queue's consumers may not
# overlap, so both name what they take; what neither does is a stray, see `strays`.
TIMER_FILTER: Final = (
    "order.task.recheck.*",
    "order.task.status.*",
    messages.WEBHOOK_TIMEOUT,
)
TASK_FILTER: Final = (
    "order.task.step.*",
    "order.task.cancel.*",
    "order.task.manual.*",
    messages.WEBHOOK_RECEIVED,
    "order.queue.*.*",
)
OWN_FIRST_TOKENS: Final = frozenset(
    subject.split(".")[0] for subject in (*REQUEST_SUBJECTS, *TASK_SUBJECTS)
)

EVENTS_KEPT: Final = timedelta(days=7)
DEAD_LETTERS_KEPT: Final = timedelta(days=30)
ACK_PENDING_MAX: Final = 10_000
"""Messages a consumer may have out with all replicas, those on back-off included."""

WORDS: Final = {REQUESTS: "REQUESTS", TASKS: "TASKS", EVENTS: "EVENTS", DEAD: "DLQ"}
"""As the settings call them."""

SPACE_SHARES: Final = {REQUESTS: 8, TASKS: 4, EVENTS: 4, DEAD: 16}
"""An account's storage is divided by it where nobody has said how large a stream is."""

GIB: Final = 1 << 30
SPACE: Final = {REQUESTS: GIB, TASKS: GIB, EVENTS: 8 * GIB, DEAD: GIB}
"""Bytes where the account has no limit that could be divided."""

Discard = Literal["old", "new"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTerms:
    """What the settings say of one stream; None: it is left to whoever made it."""

    bytes_max: int | None = None
    age_max: timedelta | None = None
    discard: Discard | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream.

    `config` must be so, `asked` is what the settings say; `initial` is for one that is
    made anew, and afterwards the operator's like all that is not named; `word` is what
    the settings call it. `is_work` where
    each message must be handled, else it is an archive whose oldest may go. Of a new
    one's `space` (bytes) half is given up, and again, until the server has the room.
    """

    name: str
    word: str
    config: Mapping[str, object]
    asked: Mapping[str, object] = field(default_factory=dict)
    initial: Mapping[str, object] = field(default_factory=dict)
    is_work: bool = False
    space: int = GIB
    share: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Durable:
    """A durable pull consumer, known to the server by `name` within `stream`.

    `config` must be so; `initial` is for one that is made anew.
    """

    stream: str
    name: str
    config: Mapping[str, object]
    initial: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """All that has to exist before anything can run."""

    streams: tuple[Stream, ...]
    consumers: tuple[Durable, ...]


def wanted(
    names: Names,
    *,
    replicas: int,
    ack_wait: timedelta,
    schedules: bool = True,
    terms: Mapping[str, StreamTerms] | None = None,
) -> Topology:
    """Return the streams of the contract for one environment.

    `terms` are found by a stream's bare name.
    """
    said = {**dict.fromkeys(SPACE, StreamTerms()), **(terms or {})}
    common: Json = {"num_replicas": replicas}
    work: Json = {**common, "storage": "file", "retention": "workqueue"}
    log: Json = {**common, "retention": "limits"}
    tasks: Json = {**work, "allow_msg_schedules": True} if schedules else work
    # A full queue refuses; one with schedules may not: the server would leave them
    # stuck, and lets no such stream be made. What it evicts is driven from its rows.
    full: Discard = "old" if schedules else "new"
    timers = f"{messages.SCHEDULES}.>"
    events, dead = ("order.event.>",), (messages.DEAD_LETTER,)
    return Topology(
        streams=(
            _stream(
                names, REQUESTS, REQUEST_SUBJECTS, work, _queue("new"), said[REQUESTS]
            ),
            _stream(
                names, TASKS, (*TASK_SUBJECTS, timers), tasks, _queue(full), said[TASKS]
            ),
            _stream(names, EVENTS, events, log, _archive(EVENTS_KEPT), said[EVENTS]),
            _stream(names, DEAD, dead, log, _archive(DEAD_LETTERS_KEPT), said[DEAD]),
        ),
        consumers=(
            _durable(names, TASKS, TASK_CONSUMER, TASK_FILTER, ack_wait),
            _durable(names, TASKS, TIMER_CONSUMER, TIMER_FILTER, ack_wait),
            _durable(names, REQUESTS, REQUEST_CONSUMER, REQUEST_SUBJECTS, ack_wait),
        ),
    )


def is_ours(names: Names, subject: str) -> bool:
    """Tell whether a subject belongs to this service, in this environment or none."""
    first = subject.split(".", 1)[0]
    return first in OWN_FIRST_TOKENS or (bool(names.prefix) and first == names.prefix)


def stream_of(subject: str) -> str:
    """Return the bare name of the stream that takes a bare subject of ours."""
    if subject == messages.DEAD_LETTER:
        return DEAD
    if subject in REQUEST_SUBJECTS:
        return REQUESTS
    return EVENTS if subject.startswith("order.event.") else TASKS


def _stream(
    names: Names,
    bare: str,
    subjects: tuple[str, ...],
    config: Json,
    initial: Json,
    terms: StreamTerms,
) -> Stream:
    name = names.stream(bare)
    prefixed = [names.subject(subject) for subject in subjects]
    return Stream(
        name=name,
        word=WORDS[bare],
        config={"name": name, "subjects": prefixed, **config},
        asked=_asked(terms),
        initial=initial,
        is_work=config["retention"] == "workqueue",
        space=SPACE[bare],
        share=SPACE_SHARES[bare],
    )


def _asked(terms: StreamTerms) -> Json:
    said: Json = {
        "max_bytes": terms.bytes_max,
        "max_age": None if terms.age_max is None else _nanoseconds(terms.age_max),
        "discard": terms.discard,
    }
    return {key: value for key, value in said.items() if value is not None}


def _queue(discard: Discard) -> Json:
    return {"storage": "file", "discard": discard}


def _archive(time: timedelta) -> Json:
    return {"storage": "file", "discard": "old", "max_age": _nanoseconds(time)}


def _durable(
    names: Names, stream: str, name: str, subjects: tuple[str, ...], ack_wait: timedelta
) -> Durable:
    return Durable(
        stream=names.stream(stream),
        name=name,
        config={
            "durable_name": name,
            "name": name,
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": _nanoseconds(ack_wait),
            # The service counts: a message that the server gives up on is lost.
            "max_deliver": -1,
            "filter_subjects": [names.subject(subject) for subject in subjects],
        },
        initial={"max_ack_pending": ACK_PENDING_MAX},
    )


def _nanoseconds(time: timedelta) -> int:
    return time // timedelta(microseconds=1) * 1_000
