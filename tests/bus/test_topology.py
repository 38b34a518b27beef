"""Streams and consumers come to be as the contract has them, and stay so."""

import asyncio
from datetime import timedelta

import pytest

from payment_service.bus import Api, Names, TopologyRefused, ensure, wanted
from tests.bus.stage import ACK_WAIT, a_message, state_of

DAY = 86_400 * 10**9


async def config_of(api, stream):
    return (await api.call(f"STREAM.INFO.{stream}"))["config"]


async def consumer_of(api, stream, consumer):
    return (await api.call(f"CONSUMER.INFO.{stream}.{consumer}"))["config"]


@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize(
    ("stream", "subjects", "retention", "age"),
    [
        (
            "PAYMENT_REQUESTS",
            {"withdrawal.requested", "checkout.requested", "partner.link.requested"},
            "workqueue",
            0,
        ),
        (
            "ORDER_TASKS",
            {"order.task.*.*", "order.queue.*.*", "order.timer.>"},
            "workqueue",
            0,
        ),
        ("ORDER_EVENTS", {"order.event.>"}, "limits", 7 * DAY),
        ("ORDER_DLQ", {"order.task.dlq"}, "limits", 30 * DAY),
    ],
)
async def test_streams_are_made(api, names, stream, subjects, retention, age):
    config = await config_of(api, names.stream(stream))

    assert set(config["subjects"]) == {names.subject(subject) for subject in subjects}
    assert config["retention"] == retention
    assert config["max_age"] == age
    assert config["storage"] == "file"
    assert config.get("allow_msg_schedules", False) is (stream == "ORDER_TASKS")


@pytest.mark.usefixtures("streams")
async def test_consumers_are_made(api, names, tasks):
    config = await consumer_of(api, tasks, "payment-tasks")

    timers = await consumer_of(api, tasks, "payment-timers")
    assert set(timers["filter_subjects"]) == {
        names.subject("order.task.recheck.*"),
        names.subject("order.task.status.*"),
        names.subject("order.task.webhook.timeout"),
    }
    assert config["ack_policy"] == "explicit"
    assert config["ack_wait"] == ACK_WAIT.total_seconds() * 1e9
    assert config["max_deliver"] == -1


async def test_a_second_time_changes_nothing(api, streams):
    assert await ensure(api, streams) == ()


async def test_all_replicas_may_start_at_once(api, topology):
    changes = await asyncio.gather(*(ensure(api, topology) for _ in range(20)))

    assert all(len(made) <= 7 for made in changes)
    assert await ensure(api, topology) == ()


@pytest.mark.usefixtures("streams")
async def test_what_has_drifted_is_mended(api, names, tasks):
    events = names.stream("ORDER_EVENTS")
    drifted = {**await config_of(api, events), "max_age": DAY}
    await api.call(f"STREAM.UPDATE.{events}", drifted)
    slower = wanted(names, replicas=1, ack_wait=timedelta(seconds=77))

    changes = await ensure(api, slower)

    assert {change.name for change in changes} >= {events, f"{tasks}.payment-tasks"}
    assert (await config_of(api, events))["max_age"] == 7 * DAY
    consumer = await consumer_of(api, tasks, "payment-tasks")
    assert consumer["ack_wait"] == 77 * 10**9


async def test_what_the_operator_added_stays(api, names, streams):
    events = names.stream("ORDER_EVENTS")
    extra = names.subject("more.>")
    config = await config_of(api, events)
    config |= {"max_bytes": 10**9, "subjects": [*config["subjects"], extra]}
    await api.call(f"STREAM.UPDATE.{events}", config | {"max_age": DAY})

    await ensure(api, streams)

    live = await config_of(api, events)
    assert (live["max_age"], live["max_bytes"]) == (7 * DAY, 10**9)
    assert extra in live["subjects"]


async def test_what_cannot_be_changed_is_said(api, tasks, topology, names):
    subject = names.subject("order.task.*.*")
    config = {"name": tasks, "subjects": [subject], "storage": "memory"}
    await api.call(f"STREAM.CREATE.{tasks}", config | {"retention": "workqueue"})

    with pytest.raises(TopologyRefused, match=f"{tasks}.*storage is 'memory'"):
        await ensure(api, topology)


async def test_replicas_that_the_server_does_not_have_are_said(api, names):
    with pytest.raises(TopologyRefused, match="replicas"):
        await ensure(api, wanted(names, replicas=3, ack_wait=ACK_WAIT))


@pytest.mark.usefixtures("streams")
async def test_environments_do_not_meet(api, names, publisher):
    other = Names(f"{names.prefix}_other")
    await ensure(api, wanted(other, replicas=1, ack_wait=ACK_WAIT))

    await publisher.publish([a_message()])

    assert (await state_of(api, names.stream("ORDER_TASKS")))["messages"] == 1
    assert (await state_of(api, other.stream("ORDER_TASKS")))["messages"] == 0


@pytest.mark.usefixtures("streams")
async def test_a_dead_letter_is_no_task(api, names, publisher):
    await publisher.publish([a_message("order.task.dlq")])

    assert (await state_of(api, names.stream("ORDER_DLQ")))["messages"] == 1
    assert (await state_of(api, names.stream("ORDER_TASKS")))["messages"] == 0


@pytest.mark.parametrize("prefix", ["a.b", "a b", "*", "a\r\nPUB x 0\r\n"])
def test_a_prefix_is_one_plain_token(prefix):
    with pytest.raises(ValueError, match="prefix"):
        Names(prefix)


class Latecomer(Api):
    """Sees nothing at its first look, as one who was overtaken by another."""

    overtaken = True

    async def find(self, verb, body=None):
        if self.overtaken:
            self.overtaken = False
            return None
        return await super().find(verb, body)


async def test_who_is_overtaken_mends_what_the_other_made(wire, api, topology):
    stream = topology.streams[0]
    config = {**stream.config, "max_msgs": 10}
    await api.call(f"STREAM.CREATE.{stream.name}", config)

    changes = await ensure(Latecomer(wire), topology)

    assert "max_msgs" in changes[0].what
