import asyncio

import pytest

from payment_service.bus import (
    JetStreamApi,
    JetStreamPublisher,
    Names,
    connect,
    ensure,
    wanted,
)
from payment_service.playground.embedded import EmbeddedNats
from tests.bus.stage import ACK_WAIT, AckSpy
from tests.playground.embedded.processes import memory_folder


@pytest.fixture
def names(subject_prefix):
    return Names(subject_prefix)


@pytest.fixture
def tasks(names):
    return names.stream("ORDER_TASKS")


@pytest.fixture
def closed():
    """Hear why a connection has ended for good."""
    return asyncio.Queue()


@pytest.fixture
async def wire(nats_server, closed):
    wire = await connect([nats_server.url], name="test", on_closed=closed.put_nowait)
    yield wire
    await wire.close()


@pytest.fixture
def api(wire):
    return JetStreamApi(wire)


@pytest.fixture
def topology(names):
    return wanted(names, replicas=1, ack_wait=ACK_WAIT)


@pytest.fixture
async def streams(api, topology):
    await ensure(api, topology)
    return topology


@pytest.fixture
def refused():
    """Hear of messages that were refused."""
    return []


@pytest.fixture
async def publisher(wire, names, refused):
    publisher = JetStreamPublisher(
        wire, names, schedules=True, on_refused=lambda *webhook: refused.append(webhook)
    )
    await publisher.start()
    return publisher


@pytest.fixture
async def acks(wire, tasks):
    spy = AckSpy()
    await spy.listen(wire, tasks)
    return spy.answers


@pytest.fixture
def own_server():
    """Start a server to break."""
    with EmbeddedNats(within=memory_folder()) as server:
        yield server


@pytest.fixture
async def own_wire(own_server, closed):
    wire = await connect([own_server.url], name="test", on_closed=closed.put_nowait)
    yield wire
    await wire.close()
