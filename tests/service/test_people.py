"""Who may what in a running service: keys of the database, persons, merchants."""

import asyncio
from datetime import timedelta

import pytest

from fsm.domain.audit_keys import UNKEYED
from fsm.domain.errors import StoreUnavailable
from fsm.domain.keys import ApiKey, KeyRole
from handlers.people import Admin, Environment, hash_of, make_key, revoke_key
from payment_service.storage.database import Database
from payment_service.storage.people import PostgresPeople
from payment_service.wiring import roles
from payment_service.wiring.people import LOOK_EVERY
from tests.service.stage import KEYS, a_withdrawal, staged

ELSEWHERE = Admin(actor="key:elsewhere", person="elsewhere")


@pytest.fixture
async def people(database_url):
    """Give the rows as another process changes them."""
    database = Database(database_url)
    await database.open()
    yield PostgresPeople(database, UNKEYED)
    await database.close()


async def made(stage, name, role, **more):
    """Have the admin of the environment make a key; return it."""
    body = {"name": name, "role": role, **more}
    status, told = await stage.call("POST", "/v1/keys", role="admin", body=body)
    assert status == 200, told
    return told["key"]


async def call(stage, key, method, path, body=None):
    headers = {"Authorization": f"Bearer {key}"}
    async with stage.http.request(
        method, f"{stage.url}{path}", json=body, headers=headers
    ) as answer:
        return answer.status, await answer.json(content_type=None)


@pytest.mark.attack(
    "role", "An `upstream` key tries every call on another merchant's order in vain"
)
async def test_an_upstream_key_of_one_merchant_against_all_of_another(stage):
    own = await made(stage, "shop-1", "upstream", merchants=["m-1"])
    await stage.call(
        "POST",
        "/v1/withdrawals",
        role="upstream",
        body=a_withdrawal("w-shared", merchant_id="m-2"),
    )
    foreign = (await stage.final("w-shared"))["queue_id"]

    ways = [
        ("GET", "", None),
        ("GET", "?wait=1s", None),
        ("GET", "/events", None),
        ("POST", "/cancel", {"reason": "x"}),
    ]
    for method, way, body in ways:
        for asked in ("w-shared", foreign):
            path = f"/v1/orders/{asked}{way}"
            assert (await call(stage, own, method, path, body))[0] == 404, path
    for query in ("", "merchant_id=m-2", "customer_id=c-9", "provider=acme"):
        path = f"/v1/orders?{query}"
        assert await call(stage, own, "GET", path) == (
            200,
            {"orders": [], "next_cursor": None},
        )
        made_up = "cursor=ffffffff-ffff-7fff-bfff-ffffffffffff"
        assert (await call(stage, own, "GET", f"{path}&{made_up}"))[0] == 422
    status, problem = await call(
        stage, own, "POST", "/v1/withdrawals", a_withdrawal("w-9", merchant_id="m-2")
    )
    assert (status, problem["outcome"]) == (403, "rejected")
    # The same order_id is a new order of its own merchant: no conflict, no repeat.
    body = a_withdrawal("w-shared", amount=1)
    assert (await call(stage, own, "POST", "/v1/withdrawals", body))[0] == 202
    status, shown = await call(stage, own, "GET", "/v1/orders/w-shared?wait=20s")
    assert (status, shown["merchant_id"]) == (200, "m-1")
    for path in ("/v1/cases", "/v1/dead-letters", "/v1/providers", "/v1/keys"):
        assert (await call(stage, own, "GET", path))[0] == 403
    for path in (f"/v1/tasks/{shown['tasks'][0]['task_id']}/cancel", "/v1/four-eyes"):
        assert (await call(stage, own, "POST", path, {"reason": "x"}))[0] == 403
    assert stage.core.check() == []


async def test_upstream_cancels_its_own_order_under_its_own_name(stage):
    key = await made(stage, "shop-1", "upstream", merchants=["m-1"])
    body = a_withdrawal("w-1", "accept_silence")
    await call(stage, key, "POST", "/v1/withdrawals", body)
    wish = {"reason": "the customer asked"}

    status, _ = await call(stage, key, "POST", "/v1/orders/w-1/cancel", wish)

    assert status == 202
    _, trail = await call(stage, key, "GET", "/v1/orders/w-1/events")
    told = [e for e in trail["events"] if e["trigger"].endswith("cancel.requested")]
    assert told[0]["actor"] == "key:shop-1"
    assert told[0]["detail"]["reason"] == "the customer asked"


@pytest.mark.attack("role", "A revoked key ends within seconds, also for who waits")
async def test_a_key_revoked_elsewhere_ends_within_seconds_also_who_waits(
    stage, people
):
    key = await made(stage, "shop-1", "upstream")
    body = a_withdrawal("w-1", "accept_silence")
    assert (await call(stage, key, "POST", "/v1/withdrawals", body))[0] == 202
    waits = asyncio.create_task(
        call(stage, key, "GET", "/v1/orders/w-1?wait=10s"), name="waits"
    )

    await revoke_key(
        "shop-1",
        by=ELSEWHERE,
        reason="lost",
        environment=Environment(),
        people=people,
    )

    async def is_out():
        return (await call(stage, key, "GET", "/v1/orders"))[0] == 401

    await stage.until(is_out)
    assert timedelta(seconds=2) >= LOOK_EVERY
    assert (await waits)[0] == 401


async def test_a_key_made_elsewhere_is_taken_within_seconds(stage, people):
    key = ApiKey("ann", KeyRole.VIEWER, hash_of("psk_made_elsewhere"))
    await make_key(
        key, by=ELSEWHERE, reason="x", environment=Environment(), people=people
    )

    async def is_in():
        return (await call(stage, "psk_made_elsewhere", "GET", "/v1/orders"))[0] == 200

    await stage.until(is_in)


async def test_a_key_is_of_no_use_at_once_where_it_was_revoked(stage):
    key = await made(stage, "ann", "viewer")
    assert (await call(stage, key, "GET", "/v1/orders"))[0] == 200

    status, _ = await stage.call(
        "POST", "/v1/keys/ann/revoke", role="admin", body={"reason": "left"}
    )

    assert status == 200
    assert (await call(stage, key, "GET", "/v1/orders"))[0] == 401
    status, _ = await stage.call(
        "POST", "/v1/keys/admin/revoke", role="admin", body={"reason": "left"}
    )
    assert status == 409, "keys of the environment are taken out there"


async def test_the_last_use_is_shown_also_of_keys_of_the_environment(
    database_url, nats_server, subject_prefix, monkeypatch
):
    monkeypatch.setattr(roles, "USES_EVERY", timedelta(milliseconds=100))
    async with staged(database_url, nats_server.url, subject_prefix) as stage:
        key = await made(stage, "ann", "viewer")
        await made(stage, "bob", "viewer")
        await call(stage, key, "GET", "/v1/orders")

        async def used():
            _, listed = await stage.call("GET", "/v1/keys", role="admin")
            return {k["name"]: "last_used_at" in k for k in listed["keys"]}

        async def are_shown():
            return {n for n, u in (await used()).items() if u} == {"ann", "admin"}

        await stage.until(are_shown)


async def test_without_the_database_known_keys_are_taken_and_nobody_is_asked(
    database_url, nats_server, subject_prefix, monkeypatch
):
    asked = 0

    async def away(_people):
        nonlocal asked
        asked += 1
        raise StoreUnavailable

    async with staged(database_url, nats_server.url, subject_prefix) as stage:
        key = await made(stage, "ann", "viewer")
        monkeypatch.setattr(PostgresPeople, "revision", away)
        monkeypatch.setattr(PostgresPeople, "keys", away)
        for _ in range(50):
            assert (await call(stage, key, "GET", "/v1/providers"))[0] == 200

    assert asked <= 5, "requests ask the database for no key"


@pytest.mark.attack(
    "role", "Two keys of the database that are one person's are one vote"
)
async def test_two_persons_decide_and_one_with_two_keys_is_one(
    database_url, nats_server, subject_prefix
):
    async with staged(
        database_url, nats_server.url, subject_prefix, sla="200ms"
    ) as stage:
        ann = await made(stage, "ann", "support")
        ann_2 = await made(stage, "ann-2", "support", person="ann")
        bob = await made(stage, "bob", "support")
        body = a_withdrawal("w-1", "acme=accept_silence,zeta=succeed")
        await stage.call("POST", "/v1/withdrawals", role="upstream", body=body)
        task = await stage.task_in("w-1", "MANUAL_CHECK")
        # The amount is set while the service runs, and holds for the next decision.
        threshold = {"currency": "EUR", "from": 12550, "reason": "large"}
        status, _ = await stage.call(
            "POST", "/v1/four-eyes", role="admin", body=threshold
        )
        assert status == 200
        path = f"/v1/tasks/{task['task_id']}/resolution"
        wish = {"decision": "negative", "reason": "the bank says so"}

        assert (await call(stage, ann, "POST", path, wish))[0] == 202
        assert (await call(stage, ann, "POST", path, wish))[0] == 409
        assert (await call(stage, ann_2, "POST", path, wish))[0] == 409
        status, key = await stage.call(
            "POST", "/v1/keys", role="admin", body={"name": "eve", "role": "support"}
        )
        assert (status, key["status"]) == (202, "waits_for_second_person")
        assert (await call(stage, key["key"], "POST", path, wish))[0] == 401
        assert (await call(stage, bob, "POST", path, wish))[0] == 200


async def test_no_key_in_the_environment_is_no_lock_once_there_is_one(
    database_url, nats_server, subject_prefix, people
):
    async with staged(
        database_url, nats_server.url, subject_prefix, api_keys=()
    ) as stage:
        assert (await call(stage, KEYS["admin"], "GET", "/v1/orders"))[0] == 401
        key = ApiKey("root", KeyRole.ADMIN, hash_of("psk_root"))
        await make_key(
            key,
            by=Admin(actor="user:root", person="user:root"),
            reason="begin",
            environment=Environment(),
            people=people,
            first=True,
        )

        async def is_in():
            return (await call(stage, "psk_root", "GET", "/v1/orders"))[0] == 200

        await stage.until(is_in)
