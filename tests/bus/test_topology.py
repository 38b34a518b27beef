"""Streams and consumers come to be as the contract has them, and stay so."""

import asyncio
from datetime import timedelta

import pytest

from payment_service.bus import (
    JetStreamApi,
    Names,
    StreamTerms,
    TopologyRefused,
    ensure,
    wanted,
)
from payment_service.bus.unfit import covers
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
            {
                "withdrawal.requested",
                "withdrawal.cancel.requested",
                "checkout.requested",
                "partner.link.requested",
                "partner.unlink.requested",
                "shadow.outcome",
            },
            "workqueue",
            0,
        ),
        (
            "ORDER_TASKS",
            {"order.task.*.*", "order.queue.*.*", "order.lane.*.>", "order.timer.>"},
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
async def test_what_is_the_services_own_is_mended(api, names, tasks):
    consumer = f"{tasks}.payment-tasks"
    slower = wanted(names, replicas=1, ack_wait=timedelta(seconds=77))

    changes = await ensure(api, slower)

    assert consumer in {change.name for change in changes}
    live = await consumer_of(api, tasks, "payment-tasks")
    assert live["ack_wait"] == 77 * 10**9


SET_BY_THE_OPERATOR = {
    "max_age": DAY,
    "max_bytes": 10**7,
    "max_msgs": 1000,
    "discard": "new",
    "description": "ours",
    "metadata": {"team": "payments"},
    "compression": "s2",
    "duplicate_window": 60 * 10**9,
    "max_msg_size": 10**6,
    "deny_delete": False,
    "republish": {"src": ">", "dest": "copies.>"},
}


async def test_what_the_operator_has_set_on_a_stream_stays(api, names, streams):
    events = names.stream("ORDER_EVENTS")
    extra = names.subject("more.>")
    config = await config_of(api, events)
    changed = config | SET_BY_THE_OPERATOR
    changed["subjects"] = [*config["subjects"], extra]
    await api.call(f"STREAM.UPDATE.{events}", changed)

    assert await ensure(api, streams) == ()

    live = await config_of(api, events)
    for key, value in SET_BY_THE_OPERATOR.items():
        if key != "metadata":
            assert live.get(key, False) == value, key
    assert live["metadata"]["team"] == "payments"
    assert extra in live["subjects"]


async def test_what_the_operator_has_set_on_a_consumer_stays(api, tasks, streams):
    at = f"{tasks}.payment-tasks"
    config = await consumer_of(api, tasks, "payment-tasks")
    own = {"max_ack_pending": 7, "inactive_threshold": DAY, "description": "ours"}
    await api.call(
        f"CONSUMER.CREATE.{at}", {"stream_name": tasks, "config": config | own}
    )

    assert await ensure(api, streams) == ()

    live = await consumer_of(api, tasks, "payment-tasks")
    assert own.items() <= live.items()


@pytest.mark.parametrize(
    ("stream", "changed", "said"),
    [
        ("PAYMENT_REQUESTS", {"max_bytes": 10**7, "discard": "old"}, "max_bytes with"),
        ("PAYMENT_REQUESTS", {"max_msgs": 10, "discard": "old"}, "discard to 'new'"),
        ("PAYMENT_REQUESTS", {"max_age": DAY}, "PAYMENT_STREAM_REQUESTS_AGE"),
        ("ORDER_TASKS", {"max_bytes": 10**7}, "PAYMENT_STREAM_TASKS_DISCARD=old"),
        ("ORDER_TASKS", {"max_msgs_per_subject": 1}, "max_msgs_per_subject"),
        ("ORDER_EVENTS", {"retention": "interest"}, "must have 'limits'"),
        ("ORDER_EVENTS", {"no_ack": True}, "acknowledges nothing"),
        ("ORDER_DLQ", {"sealed": True}, "sealed"),
    ],
)
async def test_what_would_break_a_promise_is_refused_and_left(
    api, names, streams, stream, changed, said
):
    name = names.stream(stream)
    config = await config_of(api, name) | changed
    await api.call(f"STREAM.UPDATE.{name}", config)

    with pytest.raises(TopologyRefused, match=f"stream {name} .*{said}"):
        await ensure(api, streams)

    live = await config_of(api, name)
    assert changed.items() <= live.items()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"max_deliver": 5}, "max_deliver 5"),
        ({"max_deliver": 5, "backoff": [10**9, 2 * 10**9]}, "backoff"),
        ({"headers_only": True}, "headers only"),
        ({"max_batch": 10}, "max_batch"),
    ],
)
async def test_a_consumer_that_would_lose_work_is_refused_and_left(
    api, tasks, streams, changed, said
):
    at = f"{tasks}.payment-tasks"
    config = await consumer_of(api, tasks, "payment-tasks") | changed
    await api.call(f"CONSUMER.CREATE.{at}", {"stream_name": tasks, "config": config})

    with pytest.raises(TopologyRefused, match=f"consumer {at} .*{said}"):
        await ensure(api, streams)

    live = await consumer_of(api, tasks, "payment-tasks")
    assert live["max_deliver"] == changed.get("max_deliver", -1)


async def test_what_the_settings_say_is_done(api, names):
    small = StreamTerms(bytes_max=10**7, discard="old", age_max=timedelta(days=2))
    terms = {"ORDER_EVENTS": small, "ORDER_TASKS": small, "PAYMENT_REQUESTS": small}
    await ensure(api, wanted(names, replicas=1, ack_wait=ACK_WAIT))

    await ensure(api, wanted(names, replicas=1, ack_wait=ACK_WAIT, terms=terms))

    for stream in terms:
        live = await config_of(api, names.stream(stream))
        assert (live["max_bytes"], live["discard"]) == (10**7, "old")
        assert live["max_age"] == 2 * DAY


async def test_without_schedules_a_bounded_queue_refuses_what_is_too_much(api, names):
    terms = {"ORDER_TASKS": StreamTerms(bytes_max=10**7)}
    await ensure(
        api,
        wanted(names, replicas=1, ack_wait=ACK_WAIT, schedules=False, terms=terms),
    )

    live = await config_of(api, names.stream("ORDER_TASKS"))
    assert (live["max_bytes"], live["discard"]) == (10**7, "new")


async def test_another_applications_stream_is_left_alone(api, names, topology):
    events = names.stream("ORDER_EVENTS")
    theirs = {"name": events, "subjects": [names.subject("shop.>")]}
    await api.call(f"STREAM.CREATE.{events}", theirs)

    with pytest.raises(TopologyRefused, match=r"another application's.*shop"):
        await ensure(api, topology)

    assert (await config_of(api, events))["subjects"] == theirs["subjects"]


async def test_who_has_our_subjects_is_named(api, names, topology):
    other = names.stream("SHOP")
    theirs = {"name": other, "subjects": [names.subject("order.event.>")]}
    await api.call(f"STREAM.CREATE.{other}", theirs)

    with pytest.raises(TopologyRefused, match=f"ORDER_EVENTS is missing.*{other}"):
        await ensure(api, topology)


async def test_a_mirror_is_no_stream_of_ours(api, names, topology):
    other, events = names.stream("OTHER"), names.stream("ORDER_EVENTS")
    theirs = {"name": other, "subjects": [names.subject("other.>")]}
    await api.call(f"STREAM.CREATE.{other}", theirs)
    await api.call(
        f"STREAM.CREATE.{events}", {"name": events, "mirror": {"name": other}}
    )

    with pytest.raises(TopologyRefused, match=f"mirror of {other}"):
        await ensure(api, topology)


async def test_a_subject_that_takes_more_is_enough(api, names, topology):
    requests = names.stream("PAYMENT_REQUESTS")
    wide = ("withdrawal.>", "checkout.*", "partner.>", "shadow.*")
    subjects = [names.subject(each) for each in wide]
    made = {"name": requests, "subjects": subjects, "retention": "workqueue"}
    await api.call(f"STREAM.CREATE.{requests}", made)

    await ensure(api, topology)

    assert (await config_of(api, requests))["subjects"] == subjects


async def test_one_that_is_refused_stops_no_other(api, names, topology):
    dead = names.stream("ORDER_DLQ")
    await api.call(f"STREAM.CREATE.{dead}", {"name": dead, "subjects": ["x.y.z"]})

    with pytest.raises(TopologyRefused) as refused:
        await ensure(api, topology)

    assert len(refused.value.changes) == 6
    assert len(refused.value.problems) == 1


@pytest.mark.parametrize(
    ("wide", "narrow", "is_covered"),
    [
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        ("a.*", "a.b", True),
        ("a.*", "a.*", True),
        ("a.b", "a.*", False),
        ("a.*", "a.>", False),
        ("a.>", "a.>", True),
        (">", "a", True),
        ("a.*.c", "a.b", False),
    ],
)
def test_a_subject_covers_another(wide, narrow, is_covered):
    assert covers(wide, narrow) is is_covered


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


class Latecomer(JetStreamApi):
    """Sees nothing at its first look, as one who was overtaken by another."""

    overtaken = True

    async def find(self, verb, body=None):
        if self.overtaken:
            self.overtaken = False
            return None
        return await super().find(verb, body)


async def test_who_is_overtaken_mends_what_the_other_made(wire, api, topology):
    stream = topology.streams[0]
    subjects = stream.config["subjects"][:1]
    config = {**stream.config, **stream.initial, "subjects": subjects}
    await api.call(f"STREAM.CREATE.{stream.name}", config)

    changes = await ensure(Latecomer(wire), topology)

    assert "subjects" in changes[0].what
