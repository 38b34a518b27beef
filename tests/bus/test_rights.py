"""Users who may not do everything, and accounts that are small."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from payment_service.bus import (
    Access,
    JetStreamApi,
    JetStreamPublisher,
    JetStreamRefused,
    Names,
    StreamTerms,
    TopologyRefused,
    connect,
    ensure,
    probe,
    wanted,
)
from payment_service.bus.blueprint import blueprint
from tests.bus.servers import account, serving
from tests.bus.stage import ACK_WAIT, a_message, forget

NAMES = Names("pay")
TOPOLOGY = wanted(NAMES, replicas=1, ack_wait=ACK_WAIT)
RIGHTS = blueprint(Access(), NAMES, TOPOLOGY)["permissions"]
MIB = 1 << 20


def may(publish):
    """Return permissions of a user who may publish there alone."""
    return f'publish: {json.dumps(publish)}, subscribe: ["_INBOX.>", "pay.>"]'


@asynccontextmanager
async def api_of(server, login="svc:pw", **access):
    wire = await connect(
        [server.url_of(login)], name="t", on_closed=forget, access=Access(**access)
    )
    try:
        yield JetStreamApi(wire), wire
    finally:
        await wire.close()


async def made_by_the_operator(server, topology=TOPOLOGY):
    async with api_of(server, "operator:operator") as (api, _):
        await ensure(api, topology)


async def test_with_the_rights_that_are_printed_everything_is_made():
    with serving(account(may(RIGHTS["publish"] + RIGHTS["make"]))) as server:
        async with api_of(server) as (api, wire):
            assert len(await ensure(api, TOPOLOGY)) == 7
            assert await probe(wire, NAMES, TOPOLOGY) == frozenset()


async def test_who_may_make_nothing_uses_what_the_operator_made():
    with serving(account(may(RIGHTS["publish"]))) as server:
        await made_by_the_operator(server)
        async with api_of(server) as (api, wire):
            assert await ensure(api, TOPOLOGY) == ()
            assert await probe(wire, NAMES, TOPOLOGY) == {
                subject for subject in RIGHTS["make"] if ".CREATE." in subject
            }


async def test_what_is_missing_and_may_not_be_made_is_named():
    with serving(account(may(RIGHTS["publish"]))) as server:
        async with api_of(server) as (api, _):
            with pytest.raises(TopologyRefused) as refused:
                await asyncio.wait_for(ensure(api, TOPOLOGY), 4)

    assert [problem.split()[1] for problem in refused.value.problems] == [
        stream.name for stream in TOPOLOGY.streams
    ]
    for problem in refused.value.problems:
        assert "publish to $JS.API.STREAM.CREATE." in problem
        assert "payment-service spec streams" in problem


async def test_a_missing_consumer_that_may_not_be_made_is_named():
    with serving(account(may(RIGHTS["publish"]))) as server:
        await made_by_the_operator(server)
        async with api_of(server, "operator:operator") as (api, _):
            await api.call("CONSUMER.DELETE.pay_ORDER_TASKS.payment-timers")
        async with api_of(server) as (api, _):
            with pytest.raises(TopologyRefused, match=r"payment-timers .missing.*CREA"):
                await ensure(api, TOPOLOGY)


async def test_what_may_not_be_changed_is_named_with_what_differs():
    slower = wanted(NAMES, replicas=1, ack_wait=ACK_WAIT * 2)
    with serving(account(may(RIGHTS["publish"]))) as server:
        await made_by_the_operator(server)
        async with api_of(server) as (api, _):
            with pytest.raises(TopologyRefused, match="ack_wait is 30000000000, not 6"):
                await ensure(api, slower)


async def test_who_may_not_even_look_believes_that_all_is_there():
    rights = [each for each in RIGHTS["publish"] if ".INFO" not in each]
    with serving(account(may(rights))) as server:
        await made_by_the_operator(server)
        async with api_of(server) as (api, _):
            assert await asyncio.wait_for(ensure(api, TOPOLOGY), 4) == ()


async def test_a_publish_that_is_not_permitted_is_told_at_once():
    rights = [each for each in RIGHTS["publish"] if "event" not in each]
    heard = []
    with serving(account(may(rights))) as server:
        await made_by_the_operator(server)
        async with api_of(server) as (_, wire):
            publisher = JetStreamPublisher(
                wire,
                NAMES,
                schedules=True,
                on_refused=lambda *webhook: heard.append(webhook),
            )
            await publisher.start()
            event = a_message("order.event.withdrawal.completed")
            stored = await asyncio.wait_for(publisher.publish([event, a_message()]), 4)

    assert list(stored) == [False, True]
    assert "not permit" in heard[0][1]


async def test_an_account_that_demands_a_limit_gets_one_for_each_stream():
    limits = "{ max_file: 320MB, max_bytes_required: true }"
    with serving(account(limits=limits)) as server:
        async with api_of(server) as (api, _):
            await ensure(api, TOPOLOGY)
            sizes = [await size_of(api, stream.name) for stream in TOPOLOGY.streams]

            assert sizes == [40 * MIB, 80 * MIB, 80 * MIB, 20 * MIB]
            assert await ensure(api, TOPOLOGY) == ()


async def test_an_archive_leaves_most_of_an_account_to_the_work():
    with serving(account(limits="{ max_file: 320MB }")) as server:
        async with api_of(server) as (api, _):
            await ensure(api, TOPOLOGY)
            sizes = [await size_of(api, stream.name) for stream in TOPOLOGY.streams]

    assert sizes == [-1, -1, 80 * MIB, 20 * MIB]


async def test_an_archive_leaves_half_of_a_small_server_to_the_work():
    with serving(account()) as server:
        async with api_of(server) as (api, _):
            await ensure(api, TOPOLOGY)
            events = await size_of(api, "pay_ORDER_EVENTS")

    assert 128 * MIB <= events <= 512 * MIB


async def test_an_archive_does_not_take_what_happens_to_fit_it():
    roomy = account().replace("max_file_store: 1GB", "max_file_store: 9GB")
    with serving(roomy) as server:
        async with api_of(server) as (api, _):
            await ensure(api, TOPOLOGY)

            assert await size_of(api, "pay_ORDER_EVENTS") == 4096 * MIB


async def test_several_environments_share_an_account():
    limits = "{ max_file: 320MB, max_bytes_required: true }"
    with serving(account(limits=limits)) as server:
        async with api_of(server) as (api, _):
            for name in ("one", "two"):
                names = Names(name)
                await ensure(api, wanted(names, replicas=1, ack_wait=ACK_WAIT))

            assert await size_of(api, "two_ORDER_TASKS") >= 16 * MIB


async def test_environments_that_start_at_once_find_room_on_a_small_server():
    topologies = [
        wanted(Names(f"e{n}"), replicas=1, ack_wait=ACK_WAIT) for n in range(8)
    ]
    with serving(account()) as server:
        async with api_of(server) as (api, _):
            await asyncio.gather(*(ensure(api, each) for each in topologies))

            assert [await ensure(api, each) for each in topologies] == [()] * 8


async def size_of(api, name):
    return (await api.call(f"STREAM.INFO.{name}"))["config"]["max_bytes"]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("{ max_streams: 2 }", "limit of streams"),
        ("{ max_consumers: 1 }", "limit of consumers"),
    ],
)
async def test_an_account_that_is_too_small_is_told_by_name(limits, said):
    with serving(account(limits=limits)) as server:
        async with api_of(server) as (api, _):
            with pytest.raises(TopologyRefused, match=said):
                await ensure(api, TOPOLOGY)


async def test_a_size_that_the_account_does_not_allow_is_told():
    terms = {"ORDER_EVENTS": StreamTerms(bytes_max=1000 * MIB)}
    topology = wanted(NAMES, replicas=1, ack_wait=ACK_WAIT, terms=terms)
    with serving(account(limits="{ max_file: 320MB }")) as server:
        async with api_of(server) as (api, _):
            with pytest.raises(TopologyRefused, match="PAYMENT_STREAM_EVENTS_BYTES"):
                await ensure(api, topology)


async def test_an_account_without_jetstream_is_told_by_name():
    with serving(account(limits="disabled")) as server:
        async with api_of(server) as (api, _):
            with pytest.raises(
                JetStreamRefused, match=r"not enabled for account.*10039"
            ):
                await ensure(api, TOPOLOGY)


async def test_a_server_without_jetstream_is_told_by_name():
    plain = "authorization { user: svc, password: pw }"
    with serving(plain) as server:
        async with api_of(server) as (api, _):
            with pytest.raises(JetStreamRefused, match="is JetStream enabled"):
                await ensure(api, TOPOLOGY)


async def test_a_user_without_the_streams_age_is_no_reason_to_change_it():
    old = wanted(
        NAMES,
        replicas=1,
        ack_wait=ACK_WAIT,
        terms={"ORDER_EVENTS": StreamTerms(age_max=timedelta(days=1))},
    )
    with serving(account(may(RIGHTS["publish"]))) as server:
        await made_by_the_operator(server, old)
        async with api_of(server) as (api, _):
            assert await ensure(api, TOPOLOGY) == ()
