"""What NATS loses in silence is noticed, mended, or said."""

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from payment_service.bus import (
    JetStreamApi,
    JetStreamPublisher,
    Names,
    StreamTerms,
    Watchdog,
    WatchListeners,
    WatchTimes,
    connect,
    ensure,
    wanted,
)
from payment_service.bus.watchdog import _is_ahead
from tests.bus.servers import account, serving
from tests.bus.stage import (
    ACK_WAIT,
    LIMITS,
    SOON,
    Proxy,
    Stage,
    a_message,
    is_empty,
    soon,
    until,
)

TIMES = WatchTimes(
    look_seconds=0.2,
    answer_seconds_max=0.5,
    dead_seconds_max=30.0,
    starving_seconds_max=0.6,
)


class Kennel:
    """A watchdog and what it said."""

    def __init__(self, wire, topology, consumers=(), times=TIMES):
        self.healed: asyncio.Queue[Any] = asyncio.Queue()
        self.troubles: asyncio.Queue[str] = asyncio.Queue()
        self.notices: asyncio.Queue[str] = asyncio.Queue()
        self.given_up: asyncio.Queue[str] = asyncio.Queue()
        self.dog = Watchdog(
            wire,
            topology,
            consumers,
            listeners=WatchListeners(
                on_healed=self.healed.put_nowait,
                on_trouble=self.troubles.put_nowait,
                give_up=self.given_up.put_nowait,
                on_notice=self.notices.put_nowait,
            ),
            times=times,
        )

    @asynccontextmanager
    async def watching(self):
        task = asyncio.create_task(self.dog.run())
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def names_of(healed, count):
    return {(await soon(healed.get())).name for _ in range(count)}


async def test_all_is_made_when_nothing_is_there(wire, api, topology):
    async with Kennel(wire, topology).watching() as kennel:
        assert len(await names_of(kennel.healed, 6)) == 6

    assert await ensure(api, topology) == ()


async def test_a_sound_bus_is_left_alone(wire, names, streams):
    stage = Stage()
    async with stage.running(wire, names) as consumer:
        kennel = Kennel(wire, streams, [consumer])
        for _ in range(3):
            await kennel.dog.look()

    assert kennel.healed.empty()
    assert kennel.troubles.empty()


async def test_a_vanished_stream_is_made_again(
    wire, api, names, tasks, streams, publisher
):
    stage = Stage()
    async with (
        stage.running(wire, names) as consumer,
        Kennel(wire, streams, [consumer]).watching() as kennel,
    ):
        await api.call(f"STREAM.DELETE.{tasks}")

        healed = await names_of(kennel.healed, 2)
        assert healed == {tasks, f"{tasks}.payment-tasks"}
        await publisher.publish([a_message()])
        await soon(stage.deliveries.get())


async def test_a_vanished_consumer_is_made_again_at_a_nudge(
    wire, api, names, tasks, streams, publisher
):
    stage = Stage()
    async with stage.running(wire, names) as consumer:
        rarely = replace(TIMES, look_seconds=3_600.0)
        kennel = Kennel(wire, streams, [consumer], rarely)
        async with kennel.watching():
            await publisher.publish([a_message()])
            await soon(stage.deliveries.get())
            await api.call(f"CONSUMER.DELETE.{tasks}.payment-tasks")
            await soon(stage.gone.wait())
            kennel.dog.nudge()

            await soon(kennel.healed.get())
            await publisher.publish([a_message()])
            await soon(stage.deliveries.get())


@pytest.mark.usefixtures("streams")
async def test_a_changed_consumer_is_set_right(wire, names):
    slow = wanted(names, replicas=1, ack_wait=ACK_WAIT * 2)

    async with Kennel(wire, slow).watching() as kennel:
        change = await soon(kennel.healed.get())

    assert change.name.endswith("payment-tasks") or change.name.endswith("-requests")
    assert "ack_wait" in change.what


async def test_a_store_wiped_in_mid_flight_is_made_again(own_server, own_wire, names):
    topology = wanted(names, replicas=1, ack_wait=ACK_WAIT)
    api = JetStreamApi(own_wire)
    await ensure(api, topology)
    publisher = JetStreamPublisher(
        own_wire, names, schedules=True, on_refused=lambda *_: None
    )
    await publisher.start()
    stage = Stage()
    stage.may_end.clear()
    async with (
        stage.running(own_wire, names) as consumer,
        Kennel(own_wire, topology, [consumer]).watching(),
    ):
        await publisher.publish([a_message() for _ in range(30)])
        for _ in range(LIMITS.in_flight_max):
            await soon(stage.deliveries.get())
        await asyncio.to_thread(own_server.wipe)
        stage.may_end.set()
        await until(lambda: is_published(publisher, "after the flood"))

        await until(lambda: has_seen(stage, b"after the flood"))
        await until(lambda: is_empty(api, names.stream("ORDER_TASKS")))


async def has_seen(stage, body):
    delivery, _ = await soon(stage.deliveries.get())
    return delivery.body == body


async def is_published(publisher, body):
    return await publisher.publish([a_message(body=body.encode())]) == [True]


@pytest.mark.parametrize(
    ("delivered", "floor", "last", "ahead"),
    [(5, 5, 5, False), (5, 3, 9, False), (6, 2, 5, True), (2, 6, 5, True)],
)
def test_a_consumer_ahead_of_its_stream_is_told_apart(delivered, floor, last, ahead):
    info = {"delivered": {"stream_seq": delivered}, "ack_floor": {"stream_seq": floor}}

    assert _is_ahead(info, {"state": {"last_seq": last}}) is ahead


class Liar(JetStreamApi):
    """Claims once that a stream has fewer messages than its consumer has seen."""

    lies = 1

    async def find(self, verb, body=None):
        found = await super().find(verb, body)
        if self.lies and verb.startswith("STREAM.INFO") and "ORDER_TASKS" in verb:
            if self.asked_twice:
                type(self).lies = 0
                (found or {})["state"]["last_seq"] = 0
            self.asked_twice = True
        return found

    asked_twice = False


async def test_a_consumer_ahead_of_its_stream_gets_all_again(
    wire, names, streams, publisher
):
    stage = Stage()
    stage.may_end.clear()
    async with stage.running(wire, names) as consumer:
        await publisher.publish([a_message()])
        first, _ = await soon(stage.deliveries.get())
        kennel = Kennel(wire, streams, [consumer])
        kennel.dog._api = Liar(wire)

        await kennel.dog.look()

        again, _ = await soon(stage.deliveries.get())
        assert (again.identity, again.deliveries) == (first.identity, 1)
        assert "ahead" in (await soon(kennel.healed.get())).what


async def test_a_lost_subscription_is_made_again(wire, names, streams, publisher):
    stage = Stage()
    times = replace(stage.consumer(wire, names)._times, heartbeat_seconds=2.0)
    async with stage.running(wire, names, times=times) as consumer:
        sid = consumer._pulls._subscription._id
        wire.send(b"UNSUB %d\r\n" % sid)
        async with Kennel(wire, streams, [consumer]).watching() as kennel:
            await publisher.publish([a_message()])

            await soon(stage.deliveries.get())
            assert "asked again" in (await soon(kennel.healed.get())).what


async def test_a_backlog_that_others_work_off_is_no_alarm(
    wire, names, streams, publisher
):
    stage = Stage()
    stage.may_end.clear()
    async with stage.running(wire, names) as consumer:
        await publisher.publish([a_message() for _ in range(50)])
        for _ in range(LIMITS.in_flight_max):
            await soon(stage.deliveries.get())
        at_once = replace(TIMES, starving_seconds_max=0)
        kennel = Kennel(wire, streams, [consumer], at_once)
        for _ in range(5):
            await kennel.dog.look()

    assert kennel.healed.empty()


async def test_a_connection_that_goes_silent_is_given_up_in_time(
    nats_server, names, closed
):
    times = replace(TIMES, dead_seconds_max=2.0)
    async with Proxy(int(nats_server.url.rpartition(":")[2])) as proxy:
        wire = await connect([proxy.url], name="test", on_closed=closed.put_nowait)
        topology = wanted(names, replicas=1, ack_wait=ACK_WAIT)
        await ensure(JetStreamApi(wire), topology)
        async with Kennel(wire, topology, times=times).watching() as kennel:
            await wire.round_trip(SOON)
            loop = asyncio.get_running_loop()
            proxy.go_silent()
            silent_at = loop.time()

            reason = await soon(kennel.given_up.get())

            assert loop.time() - silent_at < 4.0
            assert "silent" in reason
        await wire.close()


async def test_a_silence_that_ends_is_survived(nats_server, names, closed):
    times = replace(TIMES, dead_seconds_max=9.0)
    async with Proxy(int(nats_server.url.rpartition(":")[2])) as proxy:
        wire = await connect([proxy.url], name="test", on_closed=closed.put_nowait)
        topology = wanted(names, replicas=1, ack_wait=ACK_WAIT)
        await ensure(JetStreamApi(wire), topology)
        again = asyncio.Event()
        wire.on_reconnected.append(again.set)
        async with Kennel(wire, topology, times=times).watching() as kennel:
            proxy.go_silent()
            await soon(kennel.troubles.get())
            await until(lambda: is_down(wire))
            proxy.speak_again()

            await soon(again.wait())
            await wire.round_trip(SOON)
            assert kennel.given_up.empty()
        await wire.close()


async def is_down(wire):
    return not wire.is_connected


async def test_what_cannot_be_mended_is_said(wire, api, names, tasks, topology):
    config = {"name": tasks, "subjects": [names.subject("order.task.*.*")]}
    await api.call(f"STREAM.CREATE.{tasks}", config | {"storage": "memory"})

    async with Kennel(wire, topology).watching() as kennel:
        assert tasks in await soon(kennel.troubles.get())
        assert kennel.given_up.empty()


async def test_a_consumer_that_somebody_paused_stays_so(
    wire, api, names, streams, publisher
):
    at = f"{names.stream('ORDER_TASKS')}.payment-tasks"
    stage = Stage()
    until_then = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    await api.call(f"CONSUMER.PAUSE.{at}", {"pause_until": until_then})
    async with (
        stage.running(wire, names) as consumer,
        Kennel(wire, streams, [consumer]).watching() as kennel,
    ):
        await publisher.publish([a_message()])
        # More often than it takes to make one anew that seems to starve.
        for _ in range(12):
            assert "paused" in await soon(kennel.notices.get())

    assert (await api.call(f"CONSUMER.INFO.{at}"))["paused"]
    assert kennel.healed.empty()


@pytest.mark.usefixtures("streams")
async def test_a_queue_that_is_nearly_full_is_told(wire, api, names, tasks, publisher):
    config = (await api.call(f"STREAM.INFO.{tasks}"))["config"]
    await publisher.publish([a_message(body=b"x" * 20_000) for _ in range(50)])
    await api.call(f"STREAM.UPDATE.{tasks}", config | {"max_bytes": 1_050_000})
    small = wanted(
        names,
        replicas=1,
        ack_wait=ACK_WAIT,
        terms={"ORDER_TASKS": StreamTerms(bytes_max=1_050_000)},
    )
    kennel = Kennel(wire, small)

    await kennel.dog.look()

    assert "ORDER_TASKS is 9" in kennel.notices.get_nowait()


async def test_who_may_ask_for_nothing_is_not_taken_for_dead():
    blind = account('publish: ["x"], subscribe: ["_INBOX.>"]')
    with serving(blind) as server:
        wire = await connect(
            [server.url_of("svc:pw")], name="test", on_closed=lambda _: None
        )
        topology = wanted(Names("p"), replicas=1, ack_wait=ACK_WAIT)
        quick = replace(TIMES, dead_seconds_max=1.0)
        async with Kennel(wire, topology, times=quick).watching() as kennel:
            for _ in range(10):
                await kennel.dog.look()
                await asyncio.sleep(0.2)

        assert kennel.given_up.empty()
        await wire.close()


async def test_whoever_starves_is_not_well_until_it_is_fed(
    wire, names, streams, publisher, monkeypatch
):
    stage = Stage()
    well = asyncio.Event()
    async with stage.running(wire, names) as consumer:
        # The server has lost the request, and every one that follows.
        monkeypatch.setattr(consumer._pulls, "_ask", lambda _: None)
        wire.send(b"UNSUB %d\r\n" % consumer._pulls._subscription._id)
        await wire.round_trip(SOON)
        kennel = Kennel(wire, streams, [consumer])
        kennel.dog._listeners = replace(
            kennel.dog._listeners, on_well=lambda *_: well.set()
        )
        async with kennel.watching():
            await publisher.publish([a_message()])
            trouble = await soon(kennel.troubles.get())
            well.clear()
            while not kennel.troubles.empty():
                kennel.troubles.get_nowait()
            # Also once it was made anew.
            for _ in range(12):
                assert "none is delivered" in await soon(kennel.troubles.get())
            assert not well.is_set()
            monkeypatch.undo()
            consumer.renew()
            await soon(stage.deliveries.get())
            await soon(well.wait())

    assert "payment-tasks" in trouble
