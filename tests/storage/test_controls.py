"""Pauses are kept with their history; replicas know of each other while they live."""

import asyncio
from datetime import UTC, datetime, timedelta

import orjson
import psycopg
import pytest

from fsm.domain.audit_keys import UNKEYED
from handlers.ports.controls import Heartbeat
from payment_service.storage.controls import PostgresControls
from payment_service.storage.database import Database
from tests.wire.schemas import misfits

FOR_LATER = datetime(2999, 1, 1, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
async def database(user_url):
    database = Database(user_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def controls(database):
    return PostgresControls(database, UNKEYED)


def beat(replica, **said):
    return Heartbeat(
        **{"provider": "acme", "replica": replica, "state": "ready", **said}
    )


async def test_a_pause_holds_until_it_is_resumed(controls):
    await controls.pause("acme", reason="they said so", until=None, by="user:ann")

    (control,) = (await controls.fleet_view()).paused.values()
    assert (control.provider, control.reason, control.by) == (
        "acme",
        "they said so",
        "user:ann",
    )
    assert control.holds(FOR_LATER)
    assert await controls.resume("acme", reason="it is back", by="user:bob")
    assert (await controls.fleet_view()).paused == {}


async def test_a_pause_with_an_end_is_over_then(controls):
    await controls.pause("acme", reason="r", until=FOR_LATER, by="user:ann")
    await controls.pause("zeta", reason="r", until=LONG_AGO, by="user:ann")

    paused = (await controls.fleet_view()).paused

    assert list(paused) == ["acme"]
    assert paused["acme"].until == FOR_LATER
    assert not paused["acme"].holds(FOR_LATER)


async def test_what_was_not_paused_is_not_resumed(controls):
    assert not await controls.resume("acme", reason="r", by="user:ann")
    await controls.pause("acme", reason="r", until=None, by="user:ann")
    assert await controls.resume("acme", reason="r", by="user:ann")
    assert not await controls.resume("acme", reason="r", by="user:ann")
    assert len(await controls.history("acme", limit=10)) == 2


async def test_the_history_tells_who_did_what_and_why(controls):
    await controls.pause("acme", reason="first", until=None, by="user:ann")
    await controls.pause("acme", reason="second", until=FOR_LATER, by="key:ops")
    await controls.resume("acme", reason="third", by="user:bob")
    await controls.pause("zeta", reason="another", until=None, by="user:ann")

    told = await controls.history("acme", limit=10)

    assert [(e.state, e.reason, e.by, e.until) for e in told] == [
        ("ready", "third", "user:bob", None),
        ("paused", "second", "key:ops", FOR_LATER),
        ("paused", "first", "user:ann", None),
    ]
    assert [e.reason for e in await controls.history("acme", limit=1)] == ["third"]


async def test_replicas_hear_what_each_has_said_last(controls):
    await controls.beat([beat("r-1"), beat("r-1", provider="zeta", calls=7)])
    await controls.beat([beat("r-2", state="open", open_until=FOR_LATER, failed=3)])
    await controls.beat([beat("r-1", state="half_open", in_flight=4)])

    beats = (await controls.fleet_view()).beats

    told = {each.replica: each for each in beats["acme"]}
    assert (told["r-1"].state, told["r-1"].in_flight) == ("half_open", 4)
    assert (told["r-2"].open_until, told["r-2"].failed) == (FOR_LATER, 3)
    assert told["r-1"].joined_at < told["r-2"].joined_at
    assert [each.calls for each in beats["zeta"]] == [7]


async def test_a_replica_that_leaves_or_falls_silent_counts_no_more(controls, database):
    await controls.beat([beat("leaves"), beat("dies"), beat("lives")])
    await controls.leave("leaves")
    await database.run(
        "UPDATE provider_health SET seen_at = seen_at - interval '11 s', "
        "joined_at = joined_at - interval '1 h' WHERE replica = 'dies'",
        {},
    )

    (lives,) = (await controls.fleet_view()).beats["acme"]
    assert lives.replica == "lives"

    await controls.beat([beat("dies")])
    back = {b.replica: b for b in (await controls.fleet_view()).beats["acme"]}
    young = datetime.now(UTC) - timedelta(minutes=10)
    assert back["dies"].joined_at > young, "its share was given away: it joins anew"


async def test_what_the_dead_have_left_is_removed(controls, database):
    await controls.beat([beat("dies"), beat("lives")])
    await database.run(
        "UPDATE provider_health SET seen_at = seen_at - interval '61 s' "
        "WHERE replica = 'dies'",
        {},
    )

    await controls.tidy()

    rows = await database.run("SELECT replica FROM provider_health", {})
    assert rows == [("lives",)]


async def told(user_url):
    async with await psycopg.AsyncConnection.connect(user_url) as connection:
        found = await connection.execute(
            "SELECT message_id, subject, body FROM outbox ORDER BY seq"
        )
        return [
            (message_id, subject, orjson.loads(bytes(body)))
            for message_id, subject, body in await found.fetchall()
        ]


async def test_a_pause_and_its_end_are_told_once_by_their_commits(controls, user_url):
    await controls.pause(
        "acme", reason="4111111111111111 said so", until=FOR_LATER, by="key:ann"
    )
    replicas = [controls.resume("acme", reason="back", by="key:bob") for _ in range(10)]
    assert sorted(await asyncio.gather(*replicas)) == [False] * 9 + [True]

    paused, resumed = await told(user_url)
    assert paused[1:] == (
        "order.event.provider.paused",
        {
            "event_id": paused[0],
            "type": "provider.paused",
            "at": paused[2]["at"],
            "provider": "acme",
            "actor": "key:ann",
            "message": paused[2]["message"],
            "until": "2999-01-01T00:00:00.000Z",
        },
    )
    assert "41111111" not in str(paused)
    assert {"type": "provider.resumed", "actor": "key:bob"}.items() <= resumed[
        2
    ].items()
    for _, subject, body in (paused, resumed):
        assert misfits(subject, body, {"Nats-Msg-Id": body["event_id"]}) == []
