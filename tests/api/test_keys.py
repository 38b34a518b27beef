"""Who is let in by a key, and whose orders are there for it."""

import hashlib
from datetime import UTC, date, datetime, timedelta

import pytest

from fsm.domain.keys import ApiKey, KeyRole
from payment_service.api.keyring import KEPT_FOR, Keyring
from payment_service.wire.checkout import EXAMPLE as CHECKOUT
from tests.api.fakes import a_line, an_order, as_, calling, deps_of
from tests.api.test_decisions import in_manual_check

WITHDRAWAL = {
    "order_id": "w-7",
    "customer_id": "c-9",
    "amount": 12550,
    "currency": "EUR",
    "destination": {"type": "card", "token": "tok_8f2a"},
    "cascade": [{"provider": "acme", "terminal_id": "t-1"}],
}
FIRST = {"Authorization": "Bearer upst-of-m-1"}


class StoppedClock:
    def __init__(self, at="2026-12-31T23:59:59+00:00"):
        self.at = datetime.fromisoformat(at)
        self.seconds = 0.0

    def now(self):
        return self.at

    def elapsed(self):
        return self.seconds


def a_key(text, name="k", role=KeyRole.VIEWER, **more):
    return ApiKey(name, role, hashlib.sha256(text.encode()).digest(), **more)


def bound(*merchants, text="upst-of-m-1"):
    key = a_key(text, "up-1", KeyRole.UPSTREAM, merchants=frozenset(merchants))
    return Keyring([key], StoppedClock())


async def asked(session, method, path, body=None):
    async with session.request(method, path, json=body, headers=FIRST) as answer:
        return answer.status, await answer.json(content_type=None)


def name_of(wake, text):
    found = wake.holder(text)
    return found and found.name


# What a key that is bound to merchants can see and touch.


@pytest.mark.attack("role", "An `upstream` key submits no other merchant's orders")
@pytest.mark.parametrize(
    ("path", "wanted"), [("/v1/withdrawals", WITHDRAWAL), ("/v1/checkouts", CHECKOUT)]
)
async def test_orders_of_other_merchants_are_not_stored(world, path, wanted):
    async with calling(deps_of(world, keys=bound("m-1", "m-3"))) as session:
        foreign = wanted | {"merchant_id": "m-2"}
        status, problem = await asked(session, "POST", path, foreign)

        assert (status, problem["order_id"]) == (403, wanted["order_id"])
        assert "m-2" in problem["detail"]
        assert (world.orders, world.said) == ({}, [])
        for own in ("m-1", "m-3"):
            body = wanted | {"merchant_id": own}
            assert (await asked(session, "POST", path, body))[0] == 202


@pytest.mark.attack(
    "role", "An `upstream` key finds, watches and cancels no other merchant's orders"
)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/orders/{id}", None),
        ("GET", "/v1/orders/{id}?wait=20s", None),
        ("GET", "/v1/orders/{id}/events", None),
        ("POST", "/v1/orders/{id}/cancel", {"reason": "mine?"}),
    ],
)
@pytest.mark.parametrize("by", ["order_id", "queue_id"])
async def test_orders_of_other_merchants_are_not_there(world, method, path, body, by):
    order = world.put(an_order("w-1", "m-2"))
    world.trails[order.queue_id] = [a_line(order)]
    async with calling(deps_of(world, keys=bound("m-1"))) as session:
        asked_for = path.format(id=getattr(order, by))
        foreign = await asked(session, method, asked_for, body)
        missing = await asked(session, method, path.format(id="nothing"), body)

    assert foreign == missing
    assert foreign[0] == 404
    assert world.said == []


async def test_an_order_id_that_merchants_share_is_its_own_merchants(world):
    own = world.put(an_order("w-1", "m-1"))
    world.put(an_order("w-1", "m-2"))
    async with calling(deps_of(world, keys=bound("m-1"))) as session:
        status, shown = await asked(session, "GET", "/v1/orders/w-1")

    assert (status, shown["queue_id"]) == (200, own.queue_id)


async def test_only_its_own_merchants_candidates_are_named(world):
    for merchant in ("m-1", "m-2", "m-3"):
        world.put(an_order("w-1", merchant))
    async with calling(deps_of(world, keys=bound("m-1", "m-3"))) as session:
        status, problem = await asked(session, "GET", "/v1/orders/w-1")

    assert status == 409
    assert {c["merchant_id"] for c in problem["candidates"]} == {"m-1", "m-3"}


@pytest.mark.parametrize("query", ["", "?merchant_id=m-2", "?customer_id=c-9"])
async def test_a_search_is_among_its_own_merchants(world, query):
    world.put(an_order("w-1", "m-2"))
    async with calling(deps_of(world, keys=bound("m-1"))) as session:
        status, page = await asked(session, "GET", f"/v1/orders{query}")

    assert (status, page["orders"]) == (200, [])
    assert world.searches[0].merchants == {"m-1"}


async def test_upstream_cancels_its_own_orders(world):
    order = world.put(an_order("w-1", "m-1"))
    async with calling(deps_of(world, keys=bound("m-1"))) as session:
        wish = {"reason": "the customer asked"}
        status, _ = await asked(session, "POST", "/v1/orders/w-1/cancel", wish)

    assert status == 202
    assert world.said == [(order.queue_id, "the customer asked", "key:up-1")]


async def test_a_key_that_names_no_merchants_sees_all(world):
    world.put(an_order("w-1", "m-2"))
    async with (
        calling(deps_of(world)) as session,
        session.get("/v1/orders/w-1", headers=as_("upstream")) as answer,
    ):
        assert answer.status == 200


# Persons and time.


@pytest.mark.attack("role", "Who votes is the person behind the key, not its name")
@pytest.mark.parametrize(
    ("key", "person"),
    [
        (a_key("x", "anna"), "anna"),
        (a_key("x", "anna-2", person="anna"), "anna"),
        (a_key("x", "anna-3", person="Anna"), "anna"),
        (a_key("x", "bert"), "bert"),
    ],
)
async def test_who_votes_is_the_person_behind_the_key(world, key, person):
    task = in_manual_check(world)
    key = ApiKey(key.name, KeyRole.SUPPORT, key.sha256, person=key.person)
    wish = {"decision": "positive", "reason": "seen"}
    async with (
        calling(deps_of(world, keys=Keyring([key], StoppedClock()))) as session,
        session.post(
            f"/v1/tasks/{task}/resolution",
            json=wish,
            headers={"Authorization": "Bearer x"},
        ) as answer,
    ):
        assert answer.status == 200

    assert world.persons == [person]
    assert world.said[0][-1] == f"key:{key.name}"


@pytest.mark.attack("role", "A key that has expired is none")
@pytest.mark.parametrize(
    ("at", "taken"),
    [
        ("2026-12-30T00:00:00+00:00", True),
        ("2026-12-31T23:59:59.999999+00:00", True),
        ("2027-01-01T00:00:00+00:00", False),
        ("2027-06-01T00:00:00+00:00", False),
    ],
)
def test_a_key_is_taken_to_the_end_of_its_last_day_in_utc(at, taken):
    key = a_key("x", expires=date(2026, 12, 31))

    found = Keyring([key], StoppedClock(at)).holder("x")

    assert (found == key) is taken


async def test_a_key_that_expires_while_it_waits_is_answered_401(world):
    clock = StoppedClock()
    key = a_key("upst-of-m-1", role=KeyRole.UPSTREAM, expires=date(2026, 12, 31))
    order = world.put(an_order())

    def the_year_ends():
        clock.at = datetime(2027, 1, 1, tzinfo=UTC)
        world.finish(order)

    world.before_expecting = the_year_ends
    async with calling(deps_of(world, keys=Keyring([key], clock))) as session:
        status, _ = await asked(session, "GET", f"/v1/orders/{order.queue_id}?wait=20s")

    assert status == 401


# Keys that the database has.


def test_keys_of_the_database_are_taken_beside_those_of_the_environment():
    wake = Keyring([a_key("one", "one")], StoppedClock())
    assert wake.holder("two") is None

    wake.adopt([a_key("two", "two")])

    assert [name_of(wake, text) for text in ("one", "two")] == ["one", "two"]


@pytest.mark.attack("role", "A key that was revoked is none")
def test_a_key_that_is_gone_from_the_database_is_not_taken_any_more():
    wake = Keyring([], StoppedClock())
    wake.adopt([a_key("two", "two")])
    two = a_key("two", "two")
    assert wake.still_takes(two)
    wake.adopt([])

    assert wake.holder("two") is None
    assert not wake.still_takes(two)
    assert wake.is_empty


def test_without_the_database_its_keys_are_taken_for_a_bounded_time():
    clock = StoppedClock()
    wake = Keyring([a_key("one", "one")], clock)
    wake.adopt([a_key("two", "two")])

    clock.seconds += KEPT_FOR.total_seconds() - 1
    assert wake.holder("two") is not None
    clock.seconds += 1

    assert wake.holder("two") is None
    assert wake.holder("one") is not None


def test_ten_thousand_keys_are_told_apart_without_looking_at_each():
    wake = Keyring([], StoppedClock())
    wake.adopt(a_key(f"key-{n}", f"name-{n}") for n in range(10_000))
    looked_at = 0

    class Counted(bytes):
        def __eq__(self, other):
            nonlocal looked_at
            looked_at += 1
            return bytes.__eq__(self, other)

        __hash__ = bytes.__hash__

    wake._stored = {Counted(k): v for k, v in wake._stored.items()}

    assert name_of(wake, "key-9999") == "name-9999"
    assert wake.holder("key-10000") is None
    assert looked_at <= 5


def test_what_was_used_is_told_once():
    wake = Keyring([a_key("one", "one"), a_key("two", "two")], StoppedClock())
    wake.holder("one")
    wake.holder("three")

    assert [set(wake.take_used()) for _ in range(2)] == [{"one"}, set()]


def test_who_is_let_in_is_not_printed_with_what_proves_it():
    assert a_key("x").sha256.hex() not in repr(a_key("x"))
    assert timedelta(minutes=1) <= KEPT_FOR <= timedelta(hours=1)
