"""The publisher says of each message whether the server has it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from fsm.domain.messages import RECHECK_TICK
from payment_service.bus import (
    DurableConsumer,
    JetStreamApi,
    JetStreamPublisher,
    connect,
    ensure,
    wanted,
)
from payment_service.bus.subjects import matches
from tests.bus.stage import (
    ACK_WAIT,
    SOON,
    Proxy,
    Stage,
    a_message,
    forget,
    is_empty,
    soon,
    state_of,
    until,
)


def a_timer(seconds, **changes):
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    changes = {"schedule": "order.timer.t-1.7", "at": at, **changes}
    return a_message(changes.pop("subject", RECHECK_TICK), **changes)


@pytest.mark.usefixtures("streams")
async def test_all_of_a_large_batch_are_acknowledged(api, tasks, publisher):
    assert all(await publisher.publish([a_message() for _ in range(2_500)]))

    assert (await state_of(api, tasks))["messages"] == 2_500


async def test_nothing_to_publish_is_no_work(publisher):
    assert await publisher.publish([]) == []


@pytest.mark.usefixtures("streams")
async def test_a_repeat_is_acknowledged_and_stored_once(api, tasks, publisher):
    same = a_message(message_id="once")

    assert await publisher.publish([same, same]) == [True, True]
    assert await publisher.publish([same]) == [True]

    assert (await state_of(api, tasks))["messages"] == 1


def timers(names):
    return DurableConsumer(names.stream("ORDER_TASKS"), "payment-timers")


async def test_without_a_stream_nothing_is_acknowledged(publisher, refused):
    assert await publisher.publish([a_message()]) == [False]

    assert "no stream" in refused[0][1]


@pytest.mark.usefixtures("streams")
async def test_a_timer_rings_and_leaves_nothing_behind(
    api, wire, names, tasks, publisher
):
    stage = Stage()
    async with stage.running(wire, names, source=timers(names)):
        at = a_timer(0.6, headers={"traceparent": "00-ab"})
        assert await publisher.publish([at]) == [True]

        delivery, _ = await soon(stage.deliveries.get())

        assert datetime.now(UTC) >= at.at
        assert delivery.subject == RECHECK_TICK
        assert delivery.headers["traceparent"] == "00-ab"
        await until(lambda: is_empty(api, tasks))


@pytest.mark.usefixtures("streams")
async def test_an_overdue_timer_rings_at_once(wire, names, publisher):
    stage = Stage()
    async with stage.running(wire, names, source=timers(names)):
        await publisher.publish([a_timer(-60)])

        await soon(stage.deliveries.get(), 2.0)


@pytest.mark.usefixtures("streams")
async def test_timers_can_be_switched_off(api, wire, names, tasks):
    publisher = JetStreamPublisher(wire, names, schedules=False, on_refused=forget)
    await publisher.start()

    assert await publisher.publish([a_timer(0.1), a_message()]) == [True, True]

    assert (await state_of(api, tasks))["messages"] == 1


@pytest.mark.usefixtures("streams")
async def test_a_timer_that_can_never_be_set_is_not_tried_again(publisher, refused):
    releases_slot = a_timer(5, subject="order.event.withdrawal.completed")

    assert await publisher.publish([releases_slot]) == [True]

    assert "10190" in refused[0][1]


@pytest.mark.attack("requests", "What goes out cannot forge a line of the protocol")
@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize(
    "changes",
    [
        {"headers": {"X-Error": "a\r\nNats-Rollup: all"}},
        {"headers": {"X-Error": "a\nb"}},
        {"headers": {"X-Error": "zürich"}},
        {"headers": {"X Error": "a"}},
        {"headers": {"X-Error: a\r\nX": "b"}},
        {"message_id": "a\r\nNats-Rollup: all"},
        {"subject": "order.task.a b.c"},
        {"subject": "order.task.a\r\nPUB.c"},
        {"subject": "order.task.*.c"},
        {"subject": "order.task..c"},
        {"subject": f"order.task.{'a' * 65}.c"},
        {"subject": ""},
    ],
)
async def test_forged_lines_are_refused(api, tasks, publisher, refused, changes):
    good = a_message()

    assert await publisher.publish([a_message(**changes), good]) == [False, True]

    assert len(refused) == 1
    assert (await state_of(api, tasks))["messages"] == 1


@pytest.mark.usefixtures("streams")
async def test_a_timer_takes_no_forged_subject(publisher):
    assert await publisher.publish([a_timer(1, schedule="order.timer.>")]) == [False]


@pytest.mark.usefixtures("streams")
async def test_orders_to_the_server_are_not_passed_on(api, tasks, publisher):
    await publisher.publish([a_message(), a_message()])

    await publisher.publish([a_message(headers={"Nats-Rollup": "all"})])

    assert (await state_of(api, tasks))["messages"] == 3


@pytest.mark.usefixtures("streams")
async def test_a_message_too_long_harms_no_other(wire, publisher, refused):
    long = a_message(body=b"x" * wire.max_payload)

    assert await publisher.publish([a_message(), long]) == [True, False]

    assert await publisher.publish([a_message()]) == [True]
    assert "longer" in refused[0][1]


async def test_silence_is_no_acknowledgement(nats_server, names, closed):
    async with Proxy(int(nats_server.url.rpartition(":")[2])) as proxy:
        wire = await connect([proxy.url], name="test", on_closed=closed.put_nowait)
        await ensure(JetStreamApi(wire), wanted(names, replicas=1, ack_wait=ACK_WAIT))
        publisher = JetStreamPublisher(
            wire, names, schedules=True, on_refused=forget, ack_seconds_max=0.3
        )
        await publisher.start()
        await wire.round_trip(SOON)

        proxy.go_silent()
        answer = await soon(publisher.publish([a_message(), a_message()]), 2.0)

        assert answer == [False, False]
        assert not publisher._awaited
        await wire.close()


async def test_a_lost_connection_ends_the_waiting_at_once(own_server, own_wire, names):
    await ensure(JetStreamApi(own_wire), wanted(names, replicas=1, ack_wait=ACK_WAIT))
    publisher = JetStreamPublisher(
        own_wire, names, schedules=True, on_refused=forget, ack_seconds_max=60
    )
    await publisher.start()
    await asyncio.to_thread(own_server.kill)

    assert await soon(publisher.publish([a_message()])) == [False]
    assert await soon(publisher.publish([a_message()])) == [False]


@pytest.fixture
async def requester(nats_server):
    """Return a connection of somebody else."""
    wire = await connect([nats_server.url], name="requester", on_closed=forget)
    yield wire
    await wire.close()


async def test_a_requester_is_answered(requester, publisher):
    answers: asyncio.Queue[bytes] = asyncio.Queue()
    inbox = requester.new_inbox()
    await requester.subscribe_raw(inbox, lambda *frame: answers.put_nowait(frame[2]))
    await requester.round_trip(SOON)

    assert await publisher.reply(inbox, b"accepted")

    assert await soon(answers.get()) == b"accepted"


@pytest.mark.attack(
    "requests", "Answers go to inboxes alone, and to subjects that the settings allow"
)
@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize(
    "subject",
    [
        "order.task.step.due",
        "withdrawal.requested",
        "{prefix}.order.task.step.due",
        "$JS.API.STREAM.DELETE.ORDER_TASKS",
        "$SYS.REQ.SERVER.PING",
        "a\r\nPUB order.task.step.due 0\r\n",
        "a.>",
        "somebody.elses.subject",
        "upstream.answers",
        "upstream.answersX.1",
        "_INBOX",
        "_INBOX_payment.1",
        "",
    ],
)
async def test_a_requester_cannot_make_us_send_elsewhere(
    wire, names, refused, requester, subject
):
    heard: asyncio.Queue[tuple[bytes, ...]] = asyncio.Queue()
    own = ("order.>", "withdrawal.>", "$JS.API.STREAM.>", f"{names.prefix}.>")
    for each in (*own, "somebody.>", "upstream.>", "_INBOX_payment.>"):
        await requester.subscribe_raw(each, lambda *frame: heard.put_nowait(frame))
    await requester.round_trip(SOON)
    publisher = JetStreamPublisher(
        wire,
        names,
        schedules=True,
        on_refused=lambda *webhook: refused.append(webhook),
        answers=("upstream.answers.>",),
    )

    assert not await publisher.reply(subject.format(prefix=names.prefix), b"x")
    await wire.round_trip(SOON)
    await requester.round_trip(SOON)

    assert [frame for frame in iter_queue(heard) if frame[2] == b"x"] == []


@pytest.mark.attack("requests", "No answer of ours can pass for one of the server's")
async def test_a_requester_cannot_answer_for_the_server(wire, publisher):
    """What we listen to ourselves would be taken for an acknowledgement."""
    own = f"{publisher._inbox}1"

    assert not await publisher.reply(own, b"{}")
    assert any(matches(each, own) for each in wire.heard)


async def test_an_allowed_subject_is_answered(wire, names, requester):
    answers: asyncio.Queue[bytes] = asyncio.Queue()
    await requester.subscribe_raw(
        "upstream.>", lambda *frame: answers.put_nowait(frame[2])
    )
    await requester.round_trip(SOON)
    publisher = JetStreamPublisher(
        wire,
        names,
        schedules=True,
        on_refused=forget,
        answers=("upstream.answers.>",),
    )

    assert await publisher.reply("upstream.answers.7", b"accepted")

    assert await soon(answers.get()) == b"accepted"


def iter_queue(queue):
    while not queue.empty():
        yield queue.get_nowait()


async def test_those_who_wait_are_told_when_the_connection_is_lost(
    nats_server, names, closed
):
    async with Proxy(int(nats_server.url.rpartition(":")[2])) as proxy:
        wire = await connect([proxy.url], name="test", on_closed=closed.put_nowait)
        publisher = JetStreamPublisher(
            wire, names, schedules=True, on_refused=forget, ack_seconds_max=60
        )
        await publisher.start()
        await wire.round_trip(SOON)
        proxy.go_silent()
        waiting = asyncio.create_task(publisher.publish([a_message(), a_message()]))
        await until(lambda: is_waiting(publisher))

        proxy.hang_up()

        assert await soon(waiting) == [False, False]
        assert not publisher._awaited
        await wire.close()


async def is_waiting(publisher):
    return len(publisher._awaited) == 2
