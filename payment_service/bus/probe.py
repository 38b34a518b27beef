"""Finds out what this user may publish, by messages that nobody keeps or obeys."""

from collections.abc import Iterable

from fsm.domain import messages
from payment_service.bus.nats_client import NatsClient, PermissionRefused
from payment_service.bus.protocol import publication, publication_with_headers
from payment_service.bus.subjects import Names
from payment_service.bus.topology import Topology

ANSWER_SECONDS_MAX = 5.0
NOWHERE = (("Nats-Expected-Stream", "PAYMENT_PROBE"),)
"""No stream has this name, so none stores what bears it."""

UNREADABLE = b"?"
EVENT = "order.event.doctor.probe"


async def probe(wire: NatsClient, names: Names, topology: Topology) -> frozenset[str]:
    """Return the subjects that this user needs and may not publish to.

    :raises BusUnavailable: NATS did not answer.
    """
    denied: set[str] = set()
    subjects: dict[str, str] = {}

    def hear(refused: PermissionRefused) -> None:
        denied.add(subjects.get(refused.subject.lower(), refused.subject))

    wire.on_denied.append(hear)
    try:
        for subject, frame in _frames(wire.api, names, topology):
            subjects[subject.lower()] = subject
            wire.send(frame)
        await wire.round_trip(ANSWER_SECONDS_MAX)
    finally:
        wire.on_denied.remove(hear)
    return frozenset(denied)


def may_make_stream(api: str, name: str) -> str:
    """Return the subject that makes a stream."""
    return f"{api}.STREAM.CREATE.{name}"


def may_make_consumer(api: str, stream: str, name: str) -> str:
    """Return the subject that makes a consumer."""
    return f"{api}.CONSUMER.CREATE.{stream}.{name}"


def _frames(api: str, names: Names, topology: Topology) -> Iterable[tuple[str, bytes]]:
    for stream in topology.streams:
        subject = may_make_stream(api, stream.name)
        yield subject, publication(subject, UNREADABLE)
    for durable in topology.consumers:
        at = f"{durable.stream}.{durable.name}"
        pull, ack = f"{api}.CONSUMER.MSG.NEXT.{at}", f"$JS.ACK.{at}.0.0.0.0.0"
        make = may_make_consumer(api, durable.stream, durable.name)
        yield make, publication(make, UNREADABLE)
        yield pull, publication(pull, UNREADABLE)
        # That message nought is still being worked on: there is none.
        yield ack, publication(ack, b"+WPI")
    for bare in (messages.STEP_DUE, EVENT, messages.DEAD_LETTER):
        subject = names.subject(bare)
        frame = publication_with_headers(subject, b"", reply="", headers=NOWHERE)
        yield subject, frame
