"""`verify` finds keys and thresholds that were changed past the trail."""

import asyncio
import json

import pytest

from fsm.domain.audit_keys import UNKEYED
from fsm.domain.keys import ApiKey, KeyRole
from handlers.people import (
    Admin,
    Environment,
    agree_to_key,
    hash_of,
    make_key,
    revoke_key,
    set_threshold,
)
from payment_service.cli.verify import verify
from payment_service.storage.database import Database
from payment_service.storage.people import PostgresPeople
from tests.cli.stage import corrupt

ANNA, BERT = (Admin(actor=f"key:{name}", person=name) for name in ("anna", "bert"))


async def decided(database_url):
    """Have keys made, agreed to and revoked, and a threshold loosened by two."""
    database = Database(database_url)
    await database.open()
    people = PostgresPeople(database, UNKEYED)
    around = Environment()
    for name in ("bert", "dora", "anna"):
        key = ApiKey(name, KeyRole.ADMIN, hash_of(name))
        await make_key(key, by=ANNA, reason="x", environment=around, people=people)
    for amount, by in ((100, ANNA), (200, ANNA), (200, BERT)):
        await set_threshold("EUR", amount, by=by, reason="x", people=people)
    for name in ("carl", "eve"):
        key = ApiKey(name, KeyRole.SUPPORT, hash_of(name))
        await make_key(key, by=ANNA, reason="x", environment=around, people=people)
    await agree_to_key("carl", by=BERT, reason="x", people=people)
    await revoke_key("dora", by=BERT, reason="x", environment=around, people=people)
    await database.close()


@pytest.fixture
def there(database_url):
    asyncio.run(decided(database_url))
    return database_url


@pytest.fixture
def found(there, capsys, monkeypatch):
    monkeypatch.setenv("PAYMENT_DATABASE_URL", there)

    def found():
        capsys.readouterr()
        verify(core=False, providers=False, as_json=True)
        report = json.loads(capsys.readouterr().out)
        return [(each["invariant"], each["what"]) for each in report["offences"]]

    return found


def test_what_people_decided_agrees_with_its_trail(found):
    assert found() == []


PLANTED = (
    "INSERT INTO api_keys SELECT 'mallory', role, sha256('m'), person, merchants, "
    "expires, made_by, made_person, made_at, takes_two, agreed_by, agreed_at, "
    "revoked_by, revoked_at, revoke_reason, signed_by, signature "
    "FROM api_keys WHERE name = 'anna'"
)


@pytest.mark.attack(
    "database", "A key, role or threshold changed past the trail is found"
)
@pytest.mark.parametrize(
    ("said", "statement"),
    [
        ("key mallory: says live by key:anna", PLANTED),
        (
            "key eve: says live by key:bert",
            (
                "UPDATE api_keys SET agreed_by = 'key:bert', agreed_at = now() "
                "WHERE name = 'eve'"
            ),
        ),
        (
            "key dora: says live",
            (
                "UPDATE api_keys SET revoked_by = NULL, revoked_at = NULL, "
                "revoke_reason = NULL WHERE name = 'dora'"
            ),
        ),
        (
            "key anna: its last audit line says live",
            "DELETE FROM api_keys WHERE name = 'anna'",
        ),
        (
            "key anna: says live",
            "UPDATE api_keys SET sha256 = sha256('m') WHERE name = 'anna'",
        ),
        ("four_eyes EUR: says set", "UPDATE four_eyes SET amount = 900"),
        ("four_eyes EUR: its last", "DELETE FROM four_eyes"),
        (
            "four_eyes JPY: says set",
            (
                "INSERT INTO four_eyes (currency, amount, signed_by, signature) "
                "VALUES ('JPY', 10, '', '')"
            ),
        ),
    ],
)
def test_what_was_changed_past_the_trail_is_named(found, there, said, statement):
    corrupt(there, (statement,))

    offences = found()

    assert {invariant for invariant, _ in offences} == {"decision"}
    assert any(said in what for _, what in offences)
