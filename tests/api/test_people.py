"""Keys and thresholds over HTTP: what is read, what is answered, what is told once."""

import hashlib

import pytest

from handlers.people import Admin
from tests.api.fakes import as_, calling, deps_of
from tests.api.test_decisions import get, post

ADMIN = Admin(actor="key:admin-1", person="admin-1")


async def asked(world, path, body):
    async with calling(deps_of(world)) as session:
        return await post(session, path, body, role="admin")


async def test_a_key_is_told_once_and_only_its_hash_is_handed_on(world):
    wish = {
        "name": "shop",
        "role": "upstream",
        "merchants": ["m-1", "m,2"],
        "expires": "2999-12-31",
        "person": "shop",
    }
    status, made = await asked(world, "/v1/keys", wish)

    ((key, by, reason),) = world.said
    assert status == 200
    assert made["key"].startswith("psk_")
    assert len(made["key"]) > 40
    assert key.sha256 == hashlib.sha256(made["key"].encode()).digest()
    assert made["key"] not in repr(world.said)
    assert (key.merchants, str(key.expires), by) == (
        {"m-1", "m,2"},
        "2999-12-31",
        ADMIN,
    )
    assert made["fingerprint"] == key.sha256.hex()[:16]
    assert reason == "no reason was given"


async def test_a_key_that_its_holder_made_is_told_nobody(world):
    digest = hashlib.sha256(b"mine").hexdigest()
    wish = {"name": "ann", "role": "support", "sha256": digest, "reason": "big"}

    status, made = await asked(world, "/v1/keys", wish)

    assert (status, made["status"]) == (202, "waits_for_second_person")
    assert "key" not in made
    assert world.said[0][0].sha256.hex() == digest


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": ""}, "name: must be 1 to 64 of letters"),
        ({"name": "änna"}, "name: must be 1 to 64 of letters"),
        ({"name": "a" * 65}, "name: must be 1 to 64 of letters"),
        ({"name": "a:b"}, "name: must be 1 to 64 of letters"),
        ({"name": "4111111111111111"}, "name: "),
        ({"name": "anna\u200b"}, "name: must be 1 to 64 of letters"),
        ({"role": "owner"}, "role: must be one of viewer"),
        ({"person": "anna b"}, "person: must be who holds it"),
        ({"merchants": ["m-1"]}, "merchants: the key binds a role other than"),
        ({"role": "upstream", "merchants": []}, "merchants: the key has merchants"),
        ({"role": "upstream", "merchants": [" m"]}, "merchants[0]: must be"),
        ({"role": "upstream", "merchants": ["m"] * 1001}, "more than 1000"),
        ({"expires": "2026-02-30"}, "expires: must be the last day"),
        ({"expires": 7}, "expires: must be the last day"),
        ({"sha256": "abc"}, "sha256: must be 64 hexadecimal"),
        ({"reason": "  "}, "reason: must be"),
    ],
)
async def test_a_wish_that_makes_no_key_is_refused_by_name(world, change, told):
    wish = {"name": "ann", "role": "support"} | change

    status, problem = await asked(world, "/v1/keys", wish)

    assert status == 422
    assert told in problem["detail"]
    assert world.said == []


@pytest.mark.attack("role", "A list of keys tells none of them")
async def test_keys_are_listed_page_by_page_and_never_told(world):
    async with calling(deps_of(world)) as session:
        _, first = await get(session, "/v1/keys?limit=3", role="admin")
        path = f"/v1/keys?limit=3&cursor={first['next_cursor']}"
        _, second = await get(session, path, role="admin")

    names = [key["name"] for key in first["keys"] + second["keys"]]
    assert names == ["name-0", "name-1", "name-2", "ops"]
    assert second["next_cursor"] is None
    assert "sha256" not in str(first)
    assert second["keys"][0]["source"] == "environment"


@pytest.mark.parametrize("name", ["%C3%A4nna", "a%2Fb", "a%00b", "x" * 65, "%FF"])
async def test_what_can_be_no_name_is_no_key(world, name):
    status, _ = await asked(world, f"/v1/keys/{name}/revoke", {"reason": "x"})

    assert status == 404


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"from": 0}, "from: must be an amount"),
        ({"from": 2**53}, "from: must be an amount"),
        ({"from": "5"}, "from: must be an amount"),
        ({"from": True}, "from: must be an amount"),
        ({}, "from: is missing"),
        ({"from": 5, "currency": "EURO"}, "currency: must be a currency"),
        ({"from": 5, "currency": "default"}, "currency: must be a currency"),
    ],
)
async def test_a_threshold_that_is_none_is_refused_by_name(world, wish, told):
    status, problem = await asked(world, "/v1/four-eyes", wish | {"reason": "x"})

    assert status == 422
    assert told in problem["detail"]


async def test_what_the_floor_takes_back_is_said(world):
    status, set_ = await asked(world, "/v1/four-eyes", {"from": 200, "reason": "x"})

    assert (status, set_["currency"], set_["effective"]) == (200, "default", 100)
    assert "PAYMENT_FOUR_EYES_FROM asks two from 100 on" in set_["note"]


async def test_what_holds_is_shown_with_what_waits(world):
    async with (
        calling(deps_of(world)) as session,
        session.get("/v1/four-eyes", headers=as_("admin")) as answer,
    ):
        shown = await answer.json()

    assert shown["floor"] == 100
    default, euro = shown["thresholds"]
    assert (default["currency"], default["from"], default["effective"]) == (
        "default",
        None,
        100,
    )
    assert (euro["from"], euro["effective"], euro["proposed"]["from"]) == (70, 70, None)
