"""The streams and durable consumers, as data, and how they come to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from payment_service.bus.api import Api, JetStreamRefused, Json
from payment_service.bus.names import Names
from payment_service.domain import messages
from payment_service.domain.errors import BusUnavailable

REQUESTS: Final = "PAYMENT_REQUESTS"
TASKS: Final = "ORDER_TASKS"
EVENTS: Final = "ORDER_EVENTS"
DEAD: Final = "ORDER_DLQ"

TASK_CONSUMER: Final = "payment-tasks"
TIMER_CONSUMER: Final = "payment-timers"
REQUEST_CONSUMER: Final = "payment-requests"

REQUEST_SUBJECTS: Final = (
    "withdrawal.requested",
    "checkout.requested",
    "partner.link.requested",
)
TASK_SUBJECTS: Final = ("order.task.*.*", "order.queue.*.*")
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

ENSURE_ATTEMPTS_MAX: Final = 5
STREAM_EXISTS: Final = 10058
CONSUMER_EXISTS: Final = 10148

# A limit would evict schedules and unhandled work without a word.
_UNLIMITED: Final[Json] = {
    "max_age": 0,
    "max_msgs": -1,
    "max_bytes": -1,
    "max_msgs_per_subject": -1,
    "discard": "old",
}


class TopologyRefused(BusUnavailable):
    """A stream or consumer is not as it must be, and the server will not change it."""

    def __init__(self, name: str, differences: str, because: str) -> None:
        super().__init__(f"{name} cannot be changed ({differences}): {because}")
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream; `config` has what matters, the rest is the operator's."""

    name: str
    config: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Durable:
    """A durable pull consumer, known to the server by `name` within `stream`."""

    stream: str
    name: str
    config: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """All that has to exist before anything can run."""

    streams: tuple[Stream, ...]
    consumers: tuple[Durable, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something :func:`ensure` had to do."""

    name: str
    what: str


def wanted(names: Names, *, replicas: int, ack_wait: timedelta) -> Topology:
    """Return the streams of the contract for one environment."""
    common: Json = {"storage": "file", "num_replicas": replicas}
    timers = f"{messages.SCHEDULES}.>"
    work: Json = {**common, **_UNLIMITED, "retention": "workqueue"}
    log: Json = {**common, "retention": "limits"}
    tasks: Json = {**work, "allow_msg_schedules": True}
    return Topology(
        streams=(
            _stream(names, REQUESTS, REQUEST_SUBJECTS, work),
            _stream(names, TASKS, (*TASK_SUBJECTS, timers), tasks),
            _stream(names, EVENTS, ("order.event.>",), _kept(log, EVENTS_KEPT)),
            _stream(
                names, DEAD, (messages.DEAD_LETTER,), _kept(log, DEAD_LETTERS_KEPT)
            ),
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


async def ensure(api: Api, topology: Topology) -> tuple[Change, ...]:
    """Make what is missing, mend what differs; any number of replicas may do so.

    Raises :class:`TopologyRefused` for what the server will not change.
    """
    changes = [await _ensure_stream(api, stream) for stream in topology.streams]
    changes += [await _ensure_consumer(api, durable) for durable in topology.consumers]
    return tuple(change for change in changes if change is not None)


async def recreate(api: Api, durable: Durable) -> None:
    """Make a consumer anew: all that is not acknowledged is delivered again."""
    await api.find(f"CONSUMER.DELETE.{durable.stream}.{durable.name}")
    await _ensure_consumer(api, durable)


def differences(live: Mapping[str, object], config: Mapping[str, object]) -> list[str]:
    """Name what differs; extra subjects are a newer replica's and no difference."""
    return [
        f"{key} is {live.get(key)!r}, not {value!r}"
        for key, value in config.items()
        if not _agrees(key, live.get(key), value)
    ]


def _agrees(key: str, live: object, value: object) -> bool:
    if key == "subjects":
        return set(_texts(value)) <= set(_texts(live))
    if key == "filter_subjects":
        return set(_texts(value)) == set(_texts(live))
    return live == value


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


async def _ensure_stream(api: Api, stream: Stream) -> Change | None:
    for _ in range(ENSURE_ATTEMPTS_MAX):
        found = await api.find(f"STREAM.INFO.{stream.name}")
        if found is not None:
            return await _update_stream(api, stream, found["config"])
        try:
            await api.call(f"STREAM.CREATE.{stream.name}", dict(stream.config))
        except JetStreamRefused as refused:
            if refused.err_code == STREAM_EXISTS:
                continue
            raise TopologyRefused(stream.name, "missing", str(refused)) from refused
        return Change(name=stream.name, what="created")
    raise TopologyRefused(stream.name, "missing", "others make it and remove it")


async def _update_stream(api: Api, stream: Stream, live: Json) -> Change | None:
    found = differences(live, stream.config)
    if not found:
        return None
    subjects = {*_texts(live["subjects"]), *_texts(stream.config["subjects"])}
    config = {**live, **stream.config, "subjects": sorted(subjects)}
    try:
        await api.call(f"STREAM.UPDATE.{stream.name}", config)
    except JetStreamRefused as refused:
        because = refused.description
        raise TopologyRefused(stream.name, "; ".join(found), because) from refused
    return Change(name=stream.name, what=f"updated: {'; '.join(found)}")


async def _ensure_consumer(api: Api, durable: Durable) -> Change | None:
    at = f"{durable.stream}.{durable.name}"
    live = await api.find(f"CONSUMER.INFO.{at}")
    found = differences({} if live is None else live["config"], durable.config)
    if not found:
        return None
    body: Json = {
        "stream_name": durable.stream,
        "config": {**(live["config"] if live else {}), **durable.config},
    }
    try:
        # Creates or updates: replicas that do so at the same time agree.
        await api.call(f"CONSUMER.CREATE.{at}", body)
    except JetStreamRefused as refused:
        because = refused.description
        raise TopologyRefused(at, "; ".join(found), because) from refused
    what = "created" if live is None else f"updated: {'; '.join(found)}"
    return Change(name=at, what=what)


def _stream(names: Names, bare: str, subjects: tuple[str, ...], config: Json) -> Stream:
    name = names.stream(bare)
    prefixed = [names.subject(subject) for subject in subjects]
    return Stream(name=name, config={"name": name, "subjects": prefixed, **config})


def _kept(config: Json, time: timedelta) -> Json:
    return {**config, "max_age": _nanoseconds(time)}


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
            "max_ack_pending": ACK_PENDING_MAX,
            "filter_subjects": [names.subject(subject) for subject in subjects],
        },
    )


def _nanoseconds(time: timedelta) -> int:
    return time // timedelta(microseconds=1) * 1_000
