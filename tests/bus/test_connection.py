"""A connection refuses old servers, mends itself, and says when it cannot."""

import asyncio
import os
import signal
from urllib.parse import urlparse

import pytest
from nats.aio.client import Client

from fsm.domain.errors import BusUnavailable
from payment_service.bus import Access, OldServer, connect
from payment_service.bus.transport import Transport
from payment_service.playground.embedded.process import free_port
from tests.bus.stage import SOON, forget, soon, until

OLD = b'INFO {"version":"2.11.9","headers":true,"max_payload":1048576}\r\n'


def never(_webhook):
    raise AssertionError


async def serve_old(reader, writer):
    writer.write(OLD)
    while line := await reader.readline():
        if line.startswith(b"PING"):
            writer.write(b"PONG\r\n")
    writer.close()


async def test_an_old_server_is_refused_with_both_versions():
    async with await asyncio.start_server(serve_old, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OldServer, match=r"2\.11\.9.* 2\.12 "):
            await connect([f"nats://127.0.0.1:{port}"], name="test", on_closed=never)


async def test_nobody_there_is_said_in_time():
    url = f"nats://user:secret@127.0.0.1:{free_port()}"

    with pytest.raises(BusUnavailable) as caught:
        await connect([url], name="test", on_closed=never, seconds_max=0.5)

    assert "secret" not in str(caught.value)


async def test_credentials_that_cannot_be_used_are_said(tmp_path, nats_server):
    with pytest.raises(BusUnavailable, match="credentials"):
        await connect(
            [nats_server.url],
            name="test",
            on_closed=never,
            access=Access(creds=tmp_path / "absent"),
        )


async def test_a_connection_that_the_server_ends_with_a_word_is_made_again(nats_server):
    errors: list[str] = []
    again = asyncio.Event()
    wire = await connect(
        [nats_server.url], name="test", on_closed=never, on_error=errors.append
    )
    wire.on_reconnected.append(again.set)

    wire.send(b"NONSENSE\r\n")

    await soon(again.wait())
    await wire.round_trip(SOON)
    assert "protocol" in errors[0].lower()
    await wire.close()


async def test_the_end_for_good_is_told(wire, closed):
    await Client.close(wire)

    assert await soon(closed.get())


async def test_an_end_that_was_asked_for_is_not_told(nats_server, closed):
    wire = await connect([nats_server.url], name="test", on_closed=closed.put_nowait)

    await wire.close()

    assert closed.empty()


async def test_a_restarted_server_is_found_again(own_server, own_wire):
    again = asyncio.Event()
    own_wire.on_reconnected.append(again.set)

    await asyncio.to_thread(own_server.restart)

    await soon(again.wait())
    await own_wire.round_trip(SOON)


async def test_nothing_can_be_sent_without_a_connection(own_server, own_wire):
    lost = asyncio.Event()
    own_wire.on_disconnected.append(lost.set)

    await asyncio.to_thread(own_server.stop)
    await soon(lost.wait())

    with pytest.raises(BusUnavailable):
        own_wire.send(b"PING\r\n")


async def test_a_pong_that_nobody_waits_for_any_more_does_no_harm(wire):
    gone = asyncio.get_running_loop().create_future()
    gone.cancel()
    wire._pongs.append(gone)
    wire.send(b"PING\r\n")

    await wire.round_trip(SOON)
    await wire.round_trip(SOON)


async def test_what_was_not_sent_does_not_turn_up_later(own_server, own_wire):
    again = asyncio.Event()
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    own_wire.on_reconnected.append(again.set)
    await own_wire.subscribe_raw("news", lambda *frame: heard.put_nowait(frame[2]))
    await own_wire.round_trip(SOON)
    own_wire._flusher_task.cancel()
    await asyncio.sleep(0)
    own_wire.send(b"PUB news 3\r\nold\r\n")

    await asyncio.to_thread(own_server.restart)
    await soon(again.wait())
    own_wire.send(b"PUB news 3\r\nnew\r\n")

    assert await soon(heard.get()) == b"new"


async def test_nothing_is_left_of_a_tap(wire):
    subscriptions = dict(wire._subs)
    raw = dict(wire._raw_subscriptions)
    subscription = await wire.subscribe_raw("news", forget)

    await wire.unsubscribe_raw(subscription)

    assert (wire._subs, wire._raw_subscriptions) == (subscriptions, raw)


async def test_an_attempt_that_failed_leaves_no_socket(nats_server):
    transport = Transport()
    uri = urlparse(nats_server.url)
    await transport.connect(uri, 1_024, 2)
    first = transport._io_writer
    assert first is not None

    await transport.connect(uri, 1_024, 2)

    assert first.is_closing()
    transport.close()
    await transport.wait_closed()


async def test_an_older_server_of_the_cluster_is_passed_over(own_server):
    errors: list[str] = []
    async with await asyncio.start_server(serve_old, "127.0.0.1", 0) as old:
        wire = await connect(
            [own_server.url], name="test", on_closed=never, on_error=errors.append
        )
        port = old.sockets[0].getsockname()[1]
        await wire._process_info({"connect_urls": [f"127.0.0.1:{port}"]})
        await asyncio.to_thread(own_server.stop)

        async def refused():
            return any("2.11.9 is too old" in error for error in errors)

        await until(refused)
        assert not wire.is_connected
        await wire.close()


async def test_a_server_that_is_about_to_stop_says_so(own_server):
    errors: list[str] = []
    wire = await connect(
        [own_server.url], name="test", on_closed=never, on_error=errors.append
    )
    os.kill(own_server.pid, signal.SIGUSR2)

    async def told():
        return any("lame duck" in error for error in errors)

    await until(told)
    await wire.close()
