"""Streams, consumers and permissions for an operator who makes them beforehand."""

from collections.abc import Iterable

from payment_service.bus.access import Access
from payment_service.bus.api import Json
from payment_service.bus.replies import INBOXES
from payment_service.bus.subjects import Names
from payment_service.bus.topology import TASKS, Topology


def blueprint(
    access: Access, names: Names, topology: Topology, answers: Iterable[str] = ()
) -> Json:
    """Return what `nats stream add --config` and its like read, and a user's rights.

    ``streams`` and ``consumers`` are configurations as JetStream takes them; of the
    ``permissions`` those under ``make`` are needed only where the service makes and
    mends them itself; ``answers`` are the subjects that may be answered.
    """
    return {
        "streams": [
            {**stream.config, **stream.initial, **stream.asked}
            for stream in topology.streams
        ],
        "consumers": [
            {
                "stream_name": durable.stream,
                "config": {**durable.initial, **durable.config},
            }
            for durable in topology.consumers
        ],
        "permissions": {
            "publish": sorted(
                {*_publishes(access.api, names, topology), INBOXES, *answers}
            ),
            "subscribe": sorted(
                [f"{access.inbox_prefix}.>", names.subject("order.event.>")]
            ),
            "make": sorted(_makes(access.api, topology)),
        },
    }


def _publishes(api: str, names: Names, topology: Topology) -> Iterable[str]:
    yield f"{api}.INFO"
    for bare in ("order.task.>", "order.queue.>", "order.event.>", "order.timer.>"):
        yield names.subject(bare)
    for stream in topology.streams:
        yield f"{api}.STREAM.INFO.{stream.name}"
    for durable in topology.consumers:
        at = f"{durable.stream}.{durable.name}"
        yield f"{api}.CONSUMER.INFO.{at}"
        yield f"{api}.CONSUMER.MSG.NEXT.{at}"
        yield f"$JS.ACK.{at}.>"
    # Of messages that no consumer takes.
    tasks = names.stream(TASKS)
    yield f"{api}.CONSUMER.LIST.{tasks}"
    yield f"{api}.STREAM.MSG.GET.{tasks}"
    yield f"{api}.STREAM.MSG.DELETE.{tasks}"


def _makes(api: str, topology: Topology) -> Iterable[str]:
    for stream in topology.streams:
        yield f"{api}.STREAM.CREATE.{stream.name}"
        yield f"{api}.STREAM.UPDATE.{stream.name}"
    for durable in topology.consumers:
        at = f"{durable.stream}.{durable.name}"
        yield f"{api}.CONSUMER.CREATE.{at}"
        yield f"{api}.CONSUMER.DELETE.{at}"
    yield f"{api}.STREAM.NAMES"
