"""Two versions side by side: neither rewrites what is the other's, or buries it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from payment_service.bus import JetStreamApi, Topology, connect, ensure, wanted
from payment_service.bus.durables import recreate
from payment_service.bus.subjects import Names
from payment_service.bus.topology import (
    REQUESTS,
    TASK_CONSUMER,
    TASKS,
    TIMER_CONSUMER,
    Durable,
    StreamTerms,
)
from payment_service.bus.unrouted import dead_letter_unrouted
from payment_service.cli.doctor.consumers import consumer, others
from tests.bus.servers import account, serving
from tests.bus.stage import ACK_WAIT, a_message, forget, state_of
from tests.bus.test_watchdog import Kennel

NEW_SUBJECT = "refund.requested"
NEW_FILTER = "order.refund.*"
LANES = "order.lane.*.>"
OLD = timedelta(0)


def of(durable: Durable, *filters: str) -> Durable:
    """Return a consumer that takes these too."""
    both = [*durable.config["filter_subjects"], *filters]  # type: ignore[misc]
    return replace(durable, config={**durable.config, "filter_subjects": both})


@pytest.fixture
def older(topology):
    return topology


@pytest.fixture
def newer(topology, names) -> Topology:
    """Differ from the older by a subject, a filter, and a consumer of its own."""
    added = {
        names.stream(REQUESTS): names.subject(NEW_SUBJECT),
        names.stream(TASKS): names.subject(NEW_FILTER),
    }
    streams = tuple(
        replace(
            each,
            config={
                **each.config,
                "subjects": [*each.config["subjects"], added[each.name]],
            },
        )
        if each.name in added
        else each
        for each in topology.streams
    )
    consumers = tuple(
        each if each.name == TIMER_CONSUMER else of(each, added[each.stream])
        for each in topology.consumers
    )
    own = consumers[0]
    lanes = replace(
        own,
        name="payment-lanes",
        config={
            **own.config,
            "name": "payment-lanes",
            "durable_name": "payment-lanes",
            "filter_subjects": [names.subject(LANES)],
        },
    )
    return Topology(streams=streams, consumers=(*consumers, lanes))


async def all_of(api, topology):
    """Return the configuration of every stream and consumer that there is."""
    found = {}
    for stream in topology.streams:
        info = await api.call(f"STREAM.INFO.{stream.name}")
        found[stream.name] = info["config"]
    for each in topology.consumers:
        info = await api.call(f"CONSUMER.INFO.{each.stream}.{each.name}")
        found[each.name] = info["config"]
    return found


def takes(found, name):
    return set(found[name]["filter_subjects"])


async def looked(wire, *topologies):
    """Have the watchdogs of these look three times, by turns; return what they did."""
    kennels = [Kennel(wire, each) for each in topologies]
    for _ in range(3):
        for kennel in kennels:
            await kennel.dog.look()
    assert all(kennel.troubles.empty() for kennel in kennels)
    return [
        kennel.healed.get_nowait() for kennel in kennels if not kennel.healed.empty()
    ]


@pytest.mark.parametrize("first", ["older", "newer"])
async def test_whoever_starts_first_and_again_neither_rewrites_the_others(
    wire, api, names, older, newer, first
):
    order = [older, newer] if first == "older" else [newer, older]
    for each in order:
        await ensure(api, each)
    made = await all_of(api, newer)

    assert await looked(wire, older, newer) == []
    for each in (older, newer, older):
        assert await ensure(api, each) == ()
    assert await all_of(api, newer) == made
    assert names.subject(NEW_FILTER) in takes(made, TASK_CONSUMER)
    assert names.subject(NEW_SUBJECT) in takes(made, "payment-requests")
    assert names.subject(NEW_SUBJECT) in made[names.stream(REQUESTS)]["subjects"]


@pytest.mark.parametrize("first", [TASK_CONSUMER, TIMER_CONSUMER])
async def test_a_filter_that_moved_stays_with_who_has_it(
    wire, api, names, older, first
):
    """Of a work queue's consumers no two may take the same."""
    moved = names.subject("order.task.status.*")

    def at(name):
        return Topology(
            streams=older.streams,
            consumers=tuple(
                each
                if each.stream != names.stream(TASKS)
                else of(without(each, moved), *([moved] if each.name == name else []))
                for each in older.consumers
            ),
        )

    one, other = (
        at(first),
        at({TASK_CONSUMER, TIMER_CONSUMER}.difference([first]).pop()),
    )
    await ensure(api, one)
    made = await all_of(api, one)

    assert await ensure(api, other) == ()
    assert await looked(wire, one, other) == []
    assert await all_of(api, one) == made
    assert moved in takes(made, first)


def without(durable, filtered):
    left = [each for each in durable.config["filter_subjects"] if each != filtered]
    return replace(durable, config={**durable.config, "filter_subjects": left})


async def test_a_consumer_made_anew_by_the_older_takes_what_the_newer_needs(
    api, names, older, newer
):
    await ensure(api, newer)

    await recreate(api, older.consumers[0])

    found = await all_of(api, newer)
    assert names.subject(NEW_FILTER) in takes(found, TASK_CONSUMER)
    assert await ensure(api, newer) == ()


class Overtaken(JetStreamApi):
    """Finds no consumer, because the newer makes it in the same moment."""

    async def find(self, verb, body=None):
        if verb.startswith("CONSUMER.INFO") and not hasattr(self, verb):
            setattr(self, verb, True)
            return None
        return await super().find(verb, body)


async def test_who_is_overtaken_while_it_makes_one_leaves_the_others(
    wire, api, older, newer
):
    await ensure(api, newer)
    made = await all_of(api, newer)

    changes = await ensure(Overtaken(wire), older)

    assert {change.what for change in changes} <= {"created"}
    assert await all_of(api, newer) == made


@pytest.mark.parametrize("shorter_first", [True, False])
async def test_two_times_for_an_answer_come_to_the_longer(
    wire, api, names, older, shorter_first
):
    longer = wanted(names, replicas=1, ack_wait=ACK_WAIT * 2)
    for each in (older, longer) if shorter_first else (longer, older):
        await ensure(api, each)

    assert await looked(wire, older, longer) == []
    config = (await all_of(api, older))[TASK_CONSUMER]
    assert config["ack_wait"] == (ACK_WAIT * 2).total_seconds() * 1e9


async def test_the_settings_of_two_do_not_change_a_stream_by_turns(
    wire, api, names, older
):
    terms = {REQUESTS: StreamTerms(bytes_max=1 << 22)}
    otherwise = wanted(names, replicas=1, ack_wait=ACK_WAIT, terms=terms)
    other = {REQUESTS: StreamTerms(bytes_max=1 << 23)}
    older = wanted(names, replicas=1, ack_wait=ACK_WAIT, terms=other)
    await ensure(api, older)
    await ensure(api, otherwise)

    assert await looked(wire, older, otherwise) == []
    found = await all_of(api, older)
    assert found[names.stream(REQUESTS)]["max_bytes"] == 1 << 22


async def test_the_older_buries_nothing_that_the_newer_takes(
    api, names, older, newer, publisher, tasks
):
    await ensure(api, older)
    await ensure(api, newer)
    await publisher.publish([a_message("order.lane.blue.step.due")])
    buried = []

    async def dead_letter(delivery, *_):
        buried.append(delivery)

    assert await dead_letter_unrouted(api, names, older, dead_letter, age_min=OLD) == 0
    assert buried == []
    assert (await state_of(api, tasks))["messages"] == 1


async def test_who_may_not_ask_which_consumers_there_are_buries_nothing_then(newer):
    denied = 'publish: { deny: ["$JS.API.CONSUMER.LIST.>"] }'
    names = Names("p")
    older = wanted(names, replicas=1, ack_wait=ACK_WAIT)
    with serving(account(denied)) as server:
        wire = await connect([server.url_of("svc:pw")], name="test", on_closed=forget)
        try:
            api = JetStreamApi(wire)
            await ensure(api, older)
            await wire.publish(names.subject("order.lane.blue.step.due"), b"{}")
            buried = []

            async def dead_letter(delivery, *_):
                buried.append(delivery.subject)

            async def look():
                return await dead_letter_unrouted(
                    api, names, older, dead_letter, age_min=OLD
                )

            lanes = newer.consumers[-1]
            config = {
                **lanes.config,
                "filter_subjects": [names.subject(LANES)],
            }
            at = f"{names.stream(TASKS)}.payment-lanes"
            body = {"stream_name": names.stream(TASKS), "config": config}
            await api.call(f"CONSUMER.CREATE.{at}", body)
            assert (
                await dead_letter_unrouted(api, names, older, dead_letter, age_min=OLD)
                == 0
            )
            await api.call(f"CONSUMER.DELETE.{at}")
            assert (
                await dead_letter_unrouted(api, names, older, dead_letter, age_min=OLD)
                == 1
            )
        finally:
            await wire.close()


async def test_the_doctor_names_what_another_version_has_left(
    api, names, older, newer, tasks
):
    await ensure(api, newer)

    (other,) = await others(api, tasks, older)
    wider = await consumer(api, older.consumers[0], [TIMER_CONSUMER], None)

    assert other.what == "consumer payment-lanes"
    assert "nobody asks for what it takes" in other.told
    assert f"nats consumer rm {tasks} payment-lanes" in other.mend
    assert f"takes {names.subject(NEW_FILTER)}" in wider.told
    assert await others(api, tasks, newer) == []


async def test_the_doctor_names_a_time_that_was_made_longer(api, names, older):
    await ensure(api, wanted(names, replicas=1, ack_wait=timedelta(seconds=77)))

    found = await consumer(api, older.consumers[0], [TIMER_CONSUMER], None)

    assert "an ack_wait of 77 s, not 30 s" in found.told
