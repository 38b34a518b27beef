"""Deliveries become handler calls, and outcomes become acks: never too early."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from fsm.domain.dead_letters import Reason
from handlers.ports.outcomes import Done, Park, Retry
from payment_service.bus import (
    ConsumerLimits,
    JetStreamApi,
    JetStreamPublisher,
    ensure,
    wanted,
)
from payment_service.bus.consumer import _bounded, _origin
from tests.bus.stage import (
    LIMITS,
    QUICK_ACK_WAIT,
    SOON,
    Stage,
    a_message,
    is_empty,
    soon,
    state_of,
    until,
)

SHORTLY = timedelta(milliseconds=50)
QUICK = replace(LIMITS, ack_wait=QUICK_ACK_WAIT)


@pytest.fixture
async def quick_streams(api, names):
    """Make consumers whose deliveries run out after a second."""
    await ensure(api, wanted(names, replicas=1, ack_wait=QUICK_ACK_WAIT))


async def deliver_and_leave(wire, tasks):
    """Let somebody take a message who is never heard of again."""
    taken = asyncio.Event()
    inbox = wire.new_inbox()
    subscription = await wire.subscribe_raw(inbox, lambda *_: taken.set())
    await wire.publish(
        f"$JS.API.CONSUMER.MSG.NEXT.{tasks}.payment-tasks", b"1", reply=inbox
    )
    await soon(taken.wait())
    await wire.unsubscribe_raw(subscription)


@pytest.mark.usefixtures("streams")
async def test_what_is_done_is_gone(api, wire, names, tasks, publisher):
    stage = Stage()
    async with stage.running(wire, names):
        await publisher.publish([a_message() for _ in range(100)])

        for _ in range(100):
            _, outcome, seconds = await soon(stage.handled.get())
            assert (outcome, seconds < SOON) == (Done(), True)

    assert await is_empty(api, tasks)


@pytest.mark.usefixtures("streams")
async def test_a_delivery_says_what_it_is(wire, names, publisher):
    stage = Stage(Retry(because="not yet", delay=SHORTLY))
    message = a_message(body=b"\xff\x00", headers={"traceparent": "00-ab: c"})
    async with stage.running(wire, names):
        await publisher.publish([message])
        first, _ = await soon(stage.deliveries.get())
        again, _ = await soon(stage.deliveries.get())

    assert (first.subject, first.body) == (message.subject, message.body)
    assert first.headers["traceparent"] == "00-ab: c"
    assert (first.deliveries, again.deliveries) == (1, 2)
    assert first.identity == again.identity


async def test_an_identity_does_not_outlive_its_stream(
    api, wire, names, tasks, streams, publisher
):
    stage = Stage()
    async with stage.running(wire, names):
        await publisher.publish([a_message()])
        first, _ = await soon(stage.deliveries.get())
        await api.call(f"STREAM.DELETE.{tasks}")
        await ensure(api, streams)
        await publisher.publish([a_message()])
        second, _ = await soon(stage.deliveries.get())

    assert first.identity.split(".")[:2] == second.identity.split(".")[:2]
    assert first.identity != second.identity


def test_origins_of_newer_servers_are_understood():
    old = "$JS.ACK.S.C.3.17.20.1700.5"
    new = "$JS.ACK.hub.ACCOUNT.S.C.3.17.20.1700.5.random"

    assert _origin(old) == _origin(new) == (3, "S.17.1700")


@pytest.mark.usefixtures("streams")
async def test_a_retry_waits_as_long_as_asked(wire, names, publisher, acks):
    stage = Stage(Retry(because="not yet", delay=timedelta(seconds=0.4)))
    async with stage.running(wire, names):
        await publisher.publish([a_message()])
        _, first = await soon(stage.deliveries.get())
        _, again = await soon(stage.deliveries.get())

    assert again - first >= 0.4
    assert await soon(acks.get()) == b'-NAK {"delay":400000000}'


@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize("asked", [0.0, -5.0, 0.001])
async def test_no_retry_is_without_delay(wire, names, publisher, acks, asked):
    stage = Stage(Retry(because="now", delay=timedelta(seconds=asked)))
    async with stage.running(wire, names):
        await publisher.publish([a_message()])
        answer = await soon(acks.get())

    assert orjson.loads(answer.removeprefix(b"-NAK "))["delay"] >= 50_000_000


@pytest.mark.parametrize("deliveries", range(1, 40))
def test_back_off_grows_within_bounds(deliveries):
    ceiling = min(2.0 ** (deliveries - 1), 30.0)

    for _ in range(100):
        assert max(1.0, ceiling / 2) <= _bounded(None, deliveries) <= ceiling


def test_a_long_delay_does_not_fill_the_consumer():
    assert _bounded(timedelta(days=1), 1) == 300.0


@pytest.mark.usefixtures("streams")
async def test_what_the_handler_refuses_is_buried_before_it_is_gone(
    api, wire, names, tasks, publisher, acks
):
    stage = Stage(Park(because="unreadable"))
    stage.may_dead_letter.clear()
    async with stage.running(wire, names):
        await publisher.publish([a_message()])
        delivery, reason, because = await soon(stage.dead_lettered.get())
        await wire.round_trip(SOON)
        assert not await is_empty(api, tasks)
        assert acks.empty()

        stage.may_dead_letter.set()
        assert await soon(acks.get()) == b"+TERM invalid"
        await until(lambda: is_empty(api, tasks))

    assert (reason, because) == (Reason.INVALID, "unreadable")
    assert delivery.body == b'{"version": 1}'


@pytest.mark.usefixtures("streams")
async def test_the_last_retry_in_vain_is_exhausted(wire, names, publisher):
    again = Retry(because="core is down", delay=SHORTLY)
    stage = Stage(again, again, again)
    async with stage.running(wire, names):
        await publisher.publish([a_message()])
        delivery, reason, because = await soon(stage.dead_lettered.get())

    assert delivery.deliveries == LIMITS.max_deliver
    assert (reason, because) == (Reason.EXHAUSTED, "core is down")
    assert stage.deliveries.qsize() == LIMITS.max_deliver


@pytest.mark.usefixtures("streams")
async def test_what_only_waited_is_left_to_the_sweeper_the_last_time(
    api, wire, names, tasks, publisher
):
    early = Retry(because="the timer rang early", delay=SHORTLY, in_vain=False)
    stage = Stage(early, early, early, early)
    async with stage.running(wire, names):
        await publisher.publish([a_message()])
        await until(lambda: is_empty(api, tasks))

    assert stage.deliveries.qsize() == LIMITS.max_deliver
    assert stage.dead_lettered.empty()


@pytest.mark.usefixtures("streams")
async def test_the_last_delivery_may_still_succeed(api, wire, names, tasks, publisher):
    again = Retry(because="core is down", delay=SHORTLY)
    stage = Stage(again, again, Done())
    async with stage.running(wire, names):
        await publisher.publish([a_message()])
        await until(lambda: is_empty(api, tasks))

    assert stage.dead_lettered.empty()


@pytest.mark.usefixtures("quick_streams")
async def test_what_kills_its_workers_is_not_opened_again(
    api, wire, names, tasks, publisher, acks
):
    await publisher.publish([a_message()])
    await deliver_and_leave(wire, tasks)
    stage = Stage()
    async with stage.running(wire, names, limits=replace(QUICK, max_deliver=1)):
        delivery, reason, _ = await soon(stage.dead_lettered.get())
        assert await soon(acks.get()) == b"+TERM crashed"
        await until(lambda: is_empty(api, tasks))

    assert (reason, delivery.deliveries) == (Reason.CRASHED, 2)
    assert stage.deliveries.empty()


@pytest.mark.usefixtures("streams")
async def test_without_a_grave_a_message_lives(
    api, wire, names, tasks, publisher, acks
):
    stage = Stage(Retry(because="core is down"))
    stage.dead_letterings_to_fail = 1
    async with stage.running(wire, names, limits=replace(LIMITS, max_deliver=1)):
        await publisher.publish([a_message()])
        first = await soon(stage.dead_lettered.get())
        assert (await soon(acks.get())).startswith(b"-NAK")
        assert not await is_empty(api, tasks)

        second = await soon(stage.dead_lettered.get())
        assert await soon(acks.get()) == b"+TERM exhausted"

    # Its handler came to an end, so it has not crashed, whatever the count says.
    assert first[1] == second[1] == Reason.EXHAUSTED
    assert isinstance(stage.errors[0][1], OSError)
    assert stage.deliveries.qsize() == 1


@pytest.mark.usefixtures("streams")
async def test_an_error_is_told_once_and_tried_again(
    api, wire, names, tasks, publisher
):
    stage = Stage(ZeroDivisionError("what was that"))
    async with stage.running(wire, names):
        await publisher.publish([a_message()])
        _, outcome, _ = await soon(stage.handled.get())
        assert outcome == Retry(because="ZeroDivisionError: what was that")
        await until(lambda: is_empty(api, tasks))

    assert len(stage.errors) == 1


@pytest.mark.usefixtures("quick_streams")
async def test_a_slow_handler_keeps_its_message(wire, names, publisher, acks):
    stage = Stage()
    stage.may_end.clear()
    async with stage.running(wire, names, limits=QUICK):
        await publisher.publish([a_message()])
        for _ in range(5):
            assert await soon(acks.get()) == b"+WPI"
        stage.may_end.set()
        assert await soon(acks.get()) == b"+ACK"

    assert stage.deliveries.qsize() == 1


@pytest.mark.usefixtures("quick_streams")
async def test_a_message_that_waits_for_its_turn_is_kept_too(
    api, wire, names, tasks, publisher
):
    stage = Stage()
    stage.may_end.clear()
    async with stage.running(wire, names, limits=replace(QUICK, in_flight_max=1)):
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await publisher.publish([a_message() for _ in range(3)])
        await until(lambda: passed(begun + 2.5 * QUICK_ACK_WAIT.total_seconds()))
        stage.may_end.set()
        await until(lambda: is_empty(api, tasks))

    seen = [(await stage.deliveries.get())[0].deliveries for _ in range(3)]
    assert seen == [1, 1, 1]


async def passed(moment):
    return asyncio.get_running_loop().time() >= moment


@pytest.mark.usefixtures("quick_streams")
async def test_a_handler_that_never_ends_is_left_alone(wire, names, publisher):
    stage = Stage()
    stage.may_end.clear()
    limits = replace(QUICK, handler_seconds_max=0.2)
    async with stage.running(wire, names, limits=limits):
        await publisher.publish([a_message()])
        first, _ = await soon(stage.deliveries.get())
        again, _ = await soon(stage.deliveries.get())

    assert (first.identity, again.deliveries) == (again.identity, 2)


@pytest.mark.usefixtures("streams")
async def test_no_more_run_at_once_than_allowed(api, wire, names, tasks, publisher):
    stage = Stage()
    stage.may_end.clear()
    limits = replace(LIMITS, in_flight_max=3, prefetch=2)
    async with stage.running(wire, names, limits=limits) as consumer:
        await publisher.publish([a_message() for _ in range(50)])
        for _ in range(3):
            await soon(stage.deliveries.get())
        await wire.round_trip(SOON)
        assert consumer.in_flight == 3
        # Others may take what this process has no hands for.
        info = await api.call(f"CONSUMER.INFO.{tasks}.payment-tasks")
        assert info["num_ack_pending"] <= limits.capacity

        stage.may_end.set()
        await until(lambda: is_empty(api, tasks))

    assert stage.at_once_max == 3


@pytest.mark.usefixtures("streams")
async def test_replicas_share_the_work(api, wire, names, tasks, publisher):
    one, other = Stage(), Stage()
    async with one.running(wire, names), other.running(wire, names):
        await publisher.publish([a_message() for _ in range(200)])
        await until(lambda: is_empty(api, tasks))

    assert one.deliveries.qsize() + other.deliveries.qsize() == 200
    assert min(one.deliveries.qsize(), other.deliveries.qsize()) > 0


@pytest.mark.usefixtures("streams")
async def test_a_stop_finishes_what_runs_and_hands_back_the_rest(
    api, wire, names, tasks, publisher
):
    stage, successor = Stage(), Stage()
    stage.may_end.clear()
    limits = replace(LIMITS, in_flight_max=2, prefetch=8)
    consumer = stage.consumer(wire, names, limits=limits)
    await consumer.start()
    await publisher.publish([a_message() for _ in range(6)])
    await soon(stage.deliveries.get())
    await soon(stage.deliveries.get())

    stopping = asyncio.create_task(consumer.stop(timedelta(seconds=SOON)))
    async with successor.running(wire, names):
        for _ in range(4):
            await soon(successor.deliveries.get(), 3.0)
        assert not stopping.done()
        stage.may_end.set()
        await soon(stopping)
        await until(lambda: is_empty(api, tasks))

    assert stage.handled.qsize() == 2
    assert stage.deliveries.empty()


@pytest.mark.usefixtures("streams")
async def test_a_stop_does_not_wait_for_ever(api, wire, names, tasks, publisher):
    stage = Stage()
    stage.may_end.clear()
    consumer = stage.consumer(wire, names)
    await consumer.start()
    await publisher.publish([a_message()])
    await soon(stage.deliveries.get())

    await soon(consumer.stop(timedelta(milliseconds=50)), 2.0)

    assert consumer.in_flight == 0
    assert (await state_of(api, tasks))["messages"] == 1


@pytest.mark.usefixtures("streams")
async def test_a_pause_wears_nothing_out(api, wire, names, tasks, publisher):
    stage = Stage()
    async with stage.running(wire, names) as consumer:
        consumer.pause()
        await publisher.publish([a_message() for _ in range(40)])
        await until(lambda: has_received(consumer, LIMITS.capacity))
        assert stage.deliveries.empty()

        consumer.resume()
        await until(lambda: is_empty(api, tasks))

    seen = [(await stage.deliveries.get())[0].deliveries for _ in range(40)]
    assert seen == [1] * 40


async def has_received(consumer, count):
    return consumer.received >= count


async def test_a_consumer_that_is_missing_is_told_and_found_later(
    api, wire, names, topology, publisher
):
    stage = Stage()
    async with stage.running(wire, names):
        await soon(stage.gone.wait())
        await ensure(api, topology)
        await publisher.publish([a_message()])

        await soon(stage.deliveries.get())


async def test_a_deleted_consumer_is_told_and_found_again(
    api, wire, names, tasks, streams, publisher
):
    stage = Stage()
    async with stage.running(wire, names):
        await publisher.publish([a_message()])
        await soon(stage.deliveries.get())
        await api.call(f"CONSUMER.DELETE.{tasks}.payment-tasks")
        await soon(stage.gone.wait())
        await ensure(api, streams)
        await publisher.publish([a_message()])

        await soon(stage.deliveries.get())


@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize(
    "status",
    ["409 Leadership Change", "409 Exceeded MaxWaiting", "409 Server Shutdown"],
)
async def test_a_request_that_is_cut_short_is_made_again(
    wire, names, publisher, status
):
    stage = Stage()
    async with stage.running(wire, names) as consumer:
        pulls = consumer._pulls
        generation = pulls._generation
        header = f"NATS/1.0 {status}\r\n\r\n"
        size = len(header)
        to = f"{pulls._inbox}{generation}"
        wire.send(f"HPUB {to} {size} {size}\r\n{header}\r\n".encode())

        await until(lambda: is_newer(pulls, generation + 1))
        await publisher.publish([a_message()])
        await soon(stage.deliveries.get())

    assert not stage.gone.is_set()


async def is_newer(pulls, generation):
    return pulls._generation > generation and pulls.outstanding == LIMITS.capacity


@pytest.mark.usefixtures("streams")
async def test_a_request_that_runs_out_is_made_again(wire, names, publisher):
    stage = Stage()
    times = replace(Stage().consumer(wire, names)._times, expires_seconds=1.0)
    async with stage.running(wire, names, times=times) as consumer:
        ran_out = asyncio.Event()
        hear = consumer._pulls._hear

        def listen(generation, headers):
            hear(generation, headers)
            if b" 408 " in headers:
                ran_out.set()

        consumer._pulls._hear = listen
        await soon(ran_out.wait())
        assert consumer._pulls.outstanding == LIMITS.capacity
        await publisher.publish([a_message()])

        await soon(stage.deliveries.get(), 0.5)


@pytest.mark.usefixtures("streams")
async def test_forged_webhook_are_not_believed(wire, names, publisher):
    stage = Stage()
    async with stage.running(wire, names) as consumer:
        for body in (b"", b"x"):
            await wire.publish(f"{consumer._pulls._inbox}nonsense", body)
        await wire.publish(f"{consumer._pulls._inbox}0", b"", headers={"a": "b"})
        await publisher.publish([a_message()])

        await soon(stage.deliveries.get())


async def test_a_restarted_server_delivers_without_a_pause(own_server, own_wire, names):
    await ensure(
        JetStreamApi(own_wire), wanted(names, replicas=1, ack_wait=QUICK_ACK_WAIT)
    )
    publisher = JetStreamPublisher(
        own_wire, names, schedules=True, on_refused=lambda *_: None
    )
    await publisher.start()
    again = asyncio.Event()
    own_wire.on_reconnected.append(again.set)
    stage = Stage()
    async with stage.running(own_wire, names, limits=QUICK):
        await asyncio.to_thread(own_server.restart)
        await soon(again.wait())
        await until(lambda: is_published(publisher))

        await soon(stage.deliveries.get(), 3.0)


async def is_published(publisher):
    return await publisher.publish([a_message()]) == [True]


def test_capacity_is_hands_and_pockets():
    limits = ConsumerLimits(
        in_flight_max=5, prefetch=2, ack_wait=timedelta(seconds=3), max_deliver=8
    )

    assert (limits.capacity, limits.beat_seconds) == (7, 1.0)
