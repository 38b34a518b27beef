"""Keys and thresholds in PostgreSQL: what one admin may, and what takes two."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from fsm.domain.acts import SERVICE
from fsm.domain.audit_keys import UNKEYED, parse_audit_keys
from fsm.domain.errors import InvalidRequest, NotNow, UnknownOrder
from fsm.domain.keys import ApiKey, KeyRole
from fsm.domain.roster import KeyState, four_eyes_of
from handlers.people import (
    Admin,
    Environment,
    agree_to_key,
    hash_of,
    make_key,
    new_secret,
    revoke_key,
    set_threshold,
)
from payment_service.storage.database import Database
from payment_service.storage.people import PostgresPeople

ANNA = Admin(actor="key:anna", person="anna")
BERT = Admin(actor="key:bert", person="bert")
SHELL = Admin(actor="user:root", person="user:root")


def today():
    """Return the day as the service counts it; a run may go on past midnight."""
    return datetime.now(UTC).date()


TWO = Environment(floor=1000)
ONE = Environment()
SECRETS = parse_audit_keys("k1:" + "5a" * 32)


@pytest.fixture
async def database(user_url):
    database = Database(user_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def people(database):
    return PostgresPeople(database, SECRETS)


def a_key(name, role=KeyRole.SUPPORT, **more):
    return ApiKey(name, role, hash_of(new_secret()), **more)


async def made(people, name, role=KeyRole.SUPPORT, *, by=ANNA, around=TWO, **more):
    key = a_key(name, role, **more)
    return await make_key(key, by=by, reason="hired", environment=around, people=people)


@pytest.fixture
async def admins(people):
    """Have two admins: the first made in a shell, the second by the first."""
    for by, name, first in ((SHELL, "anna", True), (ANNA, "bert", False)):
        await make_key(
            a_key(name, KeyRole.ADMIN),
            by=by,
            reason="begin",
            environment=TWO,
            people=people,
            first=first,
        )


async def lines(database):
    rows = await database.run(
        "SELECT trigger, actor, detail FROM order_task_events "
        "WHERE entity_id = %(service)s::uuid ORDER BY version",
        {"service": SERVICE},
    )
    return [(trigger, actor, detail) for trigger, actor, detail in rows]


async def by_name(people):
    return {record.key.name: record for record in await people.keys()}


# Keys.


async def test_a_key_comes_back_as_it_was_made(people):
    record = await made(
        people,
        "shop",
        KeyRole.UPSTREAM,
        around=ONE,
        merchants=frozenset({"m-1", "m 2+x:ü"}),
        expires=today() + timedelta(days=9),
    )

    assert await people.keys() == [record]
    assert record.is_live


@pytest.mark.usefixtures("admins")
async def test_the_first_admin_is_made_where_nobody_is_there_and_then_no_more(people):
    assert {name for name, r in (await by_name(people)).items() if r.is_live} == {
        "anna",
        "bert",
    }
    with pytest.raises(NotNow, match="an admin key"):
        await make_key(
            a_key("root", KeyRole.ADMIN),
            by=SHELL,
            reason="me too",
            environment=ONE,
            people=people,
            first=True,
        )


async def test_an_admin_of_the_environment_makes_a_first_one_impossible(people):
    around = Environment(keys=[a_key("ops", KeyRole.ADMIN)])

    with pytest.raises(NotNow, match="an admin key"):
        await make_key(
            a_key("root", KeyRole.ADMIN),
            by=SHELL,
            reason="me too",
            environment=around,
            people=people,
            first=True,
        )


@pytest.mark.parametrize("role", KeyRole)
@pytest.mark.usefixtures("admins")
async def test_where_two_decide_two_make_a_key_that_decides_or_orders(people, role):
    record = await made(people, "carl", role)

    assert record.waits is (role is not KeyRole.VIEWER)
    if record.waits:
        with pytest.raises(NotNow, match="same person"):
            await agree_to_key("carl", by=ANNA, reason="mine", people=people)
        assert not (await by_name(people))["carl"].is_live
        await agree_to_key("carl", by=BERT, reason="I know him", people=people)
    assert (await by_name(people))["carl"].is_live


@pytest.mark.usefixtures("admins")
async def test_one_person_with_two_keys_does_not_agree_with_himself(people):
    await made(people, "carl")
    other = Admin(actor="key:anna-2", person="anna")

    with pytest.raises(NotNow, match="same person"):
        await agree_to_key("carl", by=other, reason="sure", people=people)


async def test_without_a_threshold_one_makes_them_all(people):
    for role in KeyRole:
        assert (await made(people, f"one-{role}", role, around=ONE)).is_live


@pytest.mark.usefixtures("admins")
async def test_a_threshold_of_the_database_asks_two_for_a_key_too(people):
    await set_threshold("EUR", 10**9, by=ANNA, reason="large", people=people)

    assert (await made(people, "carl", around=ONE)).waits


@pytest.mark.parametrize(
    ("role", "expires", "own_expires", "waits"),
    [
        (KeyRole.ADMIN, None, None, False),
        (KeyRole.SUPPORT, None, None, False),
        (KeyRole.UPSTREAM, None, None, True),
        (KeyRole.ADMIN, None, 9, True),
        (KeyRole.ADMIN, 10, 9, True),
        (KeyRole.ADMIN, 9, 9, False),
    ],
)
@pytest.mark.usefixtures("admins")
async def test_one_rotates_his_own_key_but_not_beyond_its_end(
    people, role, expires, own_expires, waits
):
    def day(n):
        return None if n is None else today() + timedelta(days=n)

    by = replace(ANNA, expires=day(own_expires))

    record = await made(
        people, "anna-2", role, by=by, person="Anna", expires=day(expires)
    )

    assert record.waits is waits


@pytest.mark.usefixtures("admins")
async def test_who_has_revoked_all_others_is_not_alone(people):
    await revoke_key("bert", by=ANNA, reason="x", environment=TWO, people=people)

    assert (await made(people, "carl", KeyRole.ADMIN)).waits


async def test_one_admin_over_others_who_decide_makes_no_second_admin_alone(people):
    around = Environment(floor=1, keys=[a_key("ops", KeyRole.ADMIN), a_key("sue")])
    ops = Admin(actor="key:ops", person="ops")

    record = await made(people, "eve", KeyRole.ADMIN, by=ops, around=around)

    assert record.waits


@pytest.mark.usefixtures("admins")
async def test_nobody_agrees_to_a_key_that_the_service_has_not_made(people, database):
    await made(PostgresPeople(database, UNKEYED), "mallory")

    with pytest.raises(NotNow, match="has not made"):
        await agree_to_key("mallory", by=BERT, reason="sure", people=people)
    await revoke_key("mallory", by=BERT, reason="?", environment=TWO, people=people)


@pytest.mark.parametrize("name", ["carl", "CARL", "Carl"])
async def test_a_name_is_given_once_also_after_it_was_revoked(people, name):
    await made(people, "carl", around=ONE)
    await revoke_key("carl", by=ANNA, reason="left", environment=ONE, people=people)

    with pytest.raises(NotNow, match="of this name"):
        await made(people, name, around=ONE)


async def test_a_name_of_the_environment_is_taken(people):
    around = Environment(keys=[a_key("ops")])

    with pytest.raises(NotNow, match="of this name"):
        await made(people, "Ops", around=around)
    with pytest.raises(NotNow, match="PAYMENT_API_KEYS"):
        await revoke_key("ops", by=ANNA, reason="x", environment=around, people=people)


async def test_one_key_has_one_name(people):
    record = await made(people, "carl", around=ONE)

    with pytest.raises(NotNow, match="another name"):
        await make_key(
            replace(record.key, name="karl"),
            by=ANNA,
            reason="x",
            environment=ONE,
            people=people,
        )


async def test_what_is_over_is_not_made(people):
    with pytest.raises(InvalidRequest, match="expires"):
        await made(people, "carl", around=ONE, expires=today() - timedelta(days=1))


async def test_many_who_make_the_same_name_at_once_make_one(people):
    tries = [made(people, "carl", around=ONE) for _ in range(5)]

    ended = await asyncio.gather(*tries, return_exceptions=True)

    assert sum(isinstance(each, NotNow) for each in ended) == 4
    assert len(await people.keys()) == 1


async def test_a_key_is_revoked_once_and_for_good(people):
    await made(people, "carl", around=ONE)
    revision = await people.revision()

    await revoke_key("carl", by=BERT, reason="left", environment=ONE, people=people)

    assert await people.revision() > revision
    (record,) = await people.keys()
    assert record.state_on(today()) is KeyState.REVOKED
    assert (record.revoked_by, record.revoke_reason) == ("key:bert", "left")
    with pytest.raises(NotNow):
        await revoke_key("carl", by=BERT, reason="x", environment=ONE, people=people)
    with pytest.raises(NotNow):
        await agree_to_key("carl", by=BERT, reason="x", people=people)
    with pytest.raises(UnknownOrder):
        await revoke_key("karl", by=BERT, reason="x", environment=ONE, people=people)


@pytest.mark.usefixtures("admins")
async def test_a_key_that_was_revoked_before_it_was_agreed_to_stays_so(people):
    await made(people, "carl")
    await revoke_key("carl", by=BERT, reason="no", environment=TWO, people=people)

    with pytest.raises(NotNow, match="waits for nobody"):
        await agree_to_key("carl", by=BERT, reason="yes", people=people)


@pytest.mark.parametrize(
    "changed",
    [
        "role = 'admin'",
        "merchants = NULL",
        "expires = NULL",
        "person = 'bert'",
        "sha256 = sha256('mine')",
        "takes_two = false",
        "agreed_by = 'key:bert', agreed_at = now()",
        "made_person = 'zoe'",
    ],
)
@pytest.mark.usefixtures("admins")
async def test_a_key_changed_in_the_database_is_not_taken(
    people, changed, database_url
):
    await made(
        people,
        "carl",
        KeyRole.UPSTREAM,
        merchants=frozenset({"m-1"}),
        expires=today(),
    )
    owner = Database(database_url)
    await owner.open()
    async with owner.connection() as connection:
        await connection.execute(text("ALTER TABLE api_keys DISABLE TRIGGER USER"))
        await connection.execute(
            text(f"UPDATE api_keys SET {changed} WHERE name = 'carl'")  # noqa: S608
        )
    await owner.close()

    assert "carl" not in await by_name(people)


async def test_a_key_planted_without_our_signature_is_not_taken(people, database):
    await PostgresPeople(database, UNKEYED).keys()
    await made(PostgresPeople(database, UNKEYED), "mallory", around=ONE)

    assert await people.keys() == []


async def test_uses_are_noted_also_of_keys_that_are_not_in_the_database(people):
    await made(people, "carl", around=ONE)
    await people.note_uses({"carl", "ops"})
    await people.note_uses(set())

    uses = await people.uses()
    assert set(uses) == {"carl", "ops"}
    assert (await by_name(people))["carl"].used_at == uses["carl"]


async def test_ten_thousand_keys_are_read(people, database):
    await made(people, "carl", around=ONE)
    async with database.connection() as connection:
        await connection.execute(
            text(
                "INSERT INTO api_keys SELECT name || '-' || n, role, "
                "sha256(n::text::bytea), person, merchants, expires, made_by, "
                "made_person, made_at, takes_two, agreed_by, agreed_at, revoked_by, "
                "revoked_at, revoke_reason, signed_by, signature "
                "FROM api_keys, generate_series(1, 10000) n"
            )
        )

    assert len(await people.keys()) == 1, "all others are not signed"


# Thresholds.


async def effective(people, currency="EUR", floor=None):
    return four_eyes_of(await people.thresholds(), floor).begins_at(currency)


async def put(people, currency, amount, *, by=ANNA):
    return await set_threshold(currency, amount, by=by, reason="why", people=people)


async def test_a_stricter_amount_is_set_by_one(people):
    for amount in (5000, 400, 30):
        assert (await put(people, "EUR", amount)).proposal is None

    assert await effective(people) == 30
    assert await effective(people, "JPY") is None


@pytest.mark.parametrize("amount", [31, None])
async def test_a_looser_amount_takes_two(people, amount):
    await put(people, "EUR", 30)

    assert (await put(people, "EUR", amount)).proposal is not None
    assert await effective(people) == 30
    with pytest.raises(NotNow, match="same person"):
        await put(people, "EUR", amount)
    assert (await put(people, "EUR", amount, by=BERT)).proposal is None
    assert await effective(people) == amount


async def test_an_own_amount_above_the_default_is_looser(people):
    await put(people, "default", 100)

    assert (await put(people, "EUR", 101)).proposal is not None
    assert (await put(people, "JPY", 99)).proposal is None


async def test_what_the_floor_hides_is_looser_all_the_same(people):
    await put(people, "EUR", 5000)

    assert (await put(people, "EUR", 6000)).proposal is not None
    assert await effective(people, floor=100) == 100


async def test_another_looser_amount_takes_the_place_of_the_first(people):
    await put(people, "EUR", 30)
    await put(people, "EUR", 40)

    assert (await put(people, "EUR", 50, by=BERT)).proposal is not None
    assert (await put(people, "EUR", 50, by=ANNA)).proposal is None
    assert await effective(people) == 50


async def test_a_stricter_amount_ends_what_was_proposed(people):
    await put(people, "EUR", 30)
    await put(people, "EUR", 40)
    await put(people, "EUR", 20, by=BERT)

    assert (await put(people, "EUR", 40, by=BERT)).proposal is not None
    assert await effective(people) == 20


async def test_what_is_set_so_is_not_set_again(people):
    with pytest.raises(NotNow, match="already"):
        await put(people, "EUR", None)
    await put(people, "EUR", 30)
    with pytest.raises(NotNow, match="already"):
        await put(people, "EUR", 30)


PLANTED_THRESHOLDS = {
    "another amount": "UPDATE four_eyes SET amount = 900000",
    "no amount": "UPDATE four_eyes SET amount = NULL",
    "another person's proposal": (
        "UPDATE four_eyes SET proposed_amount = 900000, proposed_by = 'key:anna', "
        "proposed_person = 'anna', proposed_at = now()"
    ),
    "another currency's": (
        "INSERT INTO four_eyes SELECT 'JPY', 900000, set_by, set_at, reason, "
        "NULL, NULL, NULL, NULL, signed_by, signature FROM four_eyes"
    ),
}


@pytest.mark.attack(
    "database", "A threshold written past the service lets nobody decide alone"
)
@pytest.mark.parametrize("what", PLANTED_THRESHOLDS)
async def test_a_planted_threshold_lets_nobody_decide_alone(people, database, what):
    await put(people, "EUR", 5000)
    await database.run(PLANTED_THRESHOLDS[what], {})

    currency = "JPY" if "currency" in what else "EUR"
    assert await effective(people, currency) == 1
    assert (await put(people, currency, 900000, by=BERT)).proposal is not None


async def test_a_planted_threshold_is_told_and_a_strange_one_is_nobodys(database):
    told: list[str] = []
    people = PostgresPeople(database, UNKEYED, on_unsigned=told.extend)
    await database.run(
        "INSERT INTO four_eyes (currency, amount, signed_by, signature) "
        "VALUES ('ZZZ', 10, '', '')",
        {},
    )

    assert await people.thresholds() == []
    assert told == ["four_eyes ZZZ"]


# The trail.


@pytest.mark.usefixtures("admins")
async def test_every_decision_stands_in_the_trail(people, database):
    await made(people, "carl", expires=date(2999, 1, 1))
    await agree_to_key("carl", by=BERT, reason="known", people=people)
    await revoke_key("carl", by=ANNA, reason="left", environment=TWO, people=people)
    await put(people, "EUR", 30)
    await put(people, "EUR", None)
    await put(people, "EUR", None, by=BERT)

    told = await lines(database)
    assert [(trigger, actor) for trigger, actor, _ in told] == [
        ("key.made", "user:root"),
        ("key.made", "key:anna"),
        ("key.proposed", "key:anna"),
        ("key.agreed", "key:bert"),
        ("key.revoked", "key:anna"),
        ("four_eyes.set", "key:anna"),
        ("four_eyes.proposed", "key:anna"),
        ("four_eyes.set", "key:bert"),
    ]
    assert all(detail["reason"] for _, _, detail in told)
    assert (told[4][2]["key"], told[4][2]["reason"]) == ("carl", "left")
    assert [t[2].get("from") for t in told[-3:]] == [30, None, None]
