"""An embedded NATS keeps its streams, forgets them on demand, dies with its parent."""

import signal
from importlib import metadata

import nats
import pytest
from nats.js.errors import NotFoundError

from payment_service.playground.embedded import EmbeddedNats, EmbeddedServerError
from payment_service.playground.embedded.process import free_port
from tests.playground.embedded.processes import a_parent, processes_of, wait_until

EMBEDDED = "payment_service.playground.embedded"

PARENT = """
import time
from payment_service.playground.embedded import EmbeddedNats
server = EmbeddedNats()
server.start()
print(server.folder, flush=True)
time.sleep(600)
"""


@pytest.fixture
def server():
    with EmbeddedNats() as running:
        yield running


async def publish(server):
    async with await nats.connect(server.url) as client:
        stream = client.jetstream()
        await stream.add_stream(name="kept", subjects=["kept.>"])
        await stream.publish("kept.one", b"42")


async def messages(server):
    async with await nats.connect(server.url) as client:
        info = await client.jetstream().stream_info("kept")
        return info.state.messages


async def test_a_started_server_keeps_messages(server):
    await publish(server)

    assert await messages(server) == 1


async def test_it_knows_message_schedules(server):
    async with await nats.connect(server.url) as client:
        version = client.connected_server_version

    assert (version.major, version.minor) >= (2, 12)


async def test_a_restart_keeps_data_and_address(server):
    before = server.url
    await publish(server)

    server.restart()

    assert server.url == before
    assert await messages(server) == 1


async def test_a_kill_loses_no_acknowledged_message(server):
    await publish(server)

    server.kill()

    assert not server.running
    assert not processes_of(server.folder)
    server.start()
    assert await messages(server) == 1


async def test_a_wiped_server_knows_nothing(server):
    await publish(server)

    server.wipe()

    with pytest.raises(NotFoundError):
        await messages(server)


def test_a_wiped_server_that_was_down_stays_down(server):
    server.stop()

    server.wipe()

    assert not server.running


async def test_configuration_reaches_the_server():
    with EmbeddedNats(configuration="max_payload: 4096") as server:
        async with await nats.connect(server.url) as client:
            assert client.max_payload == 4096


def test_an_unknown_setting_is_named():
    with (
        pytest.raises(EmbeddedServerError, match="nonsense"),
        EmbeddedNats(configuration="nonsense: 1"),
    ):
        pass


async def test_a_given_folder_outlives_the_server(tmp_path):
    with EmbeddedNats(tmp_path) as first:
        await publish(first)

    with EmbeddedNats(tmp_path) as second:
        assert await messages(second) == 1


def test_a_temporary_folder_goes_with_the_server():
    with EmbeddedNats() as server:
        folder = server.folder

    assert not folder.exists()


def test_a_port_lost_to_another_is_chosen_again(server, monkeypatch):
    ports = iter([server.port, free_port()])
    monkeypatch.setattr(f"{EMBEDDED}.server.free_port", lambda: next(ports))

    with EmbeddedNats() as other:
        assert other.port != server.port


def test_a_missing_wheel_is_named(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)

    with (
        pytest.raises(EmbeddedServerError, match=r"payment-service\[embedded\]"),
        EmbeddedNats(),
    ):
        pass


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_parent(death):
    with a_parent(PARENT) as (parent, folder):
        assert processes_of(folder)

        parent.send_signal(death)
        parent.wait()

        wait_until(lambda: not processes_of(folder))
        wait_until(lambda: not folder.exists())
