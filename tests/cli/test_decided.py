"""`verify` finds what was decided past the trail, and what no row shows."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from payment_service.cli.verifying import verify
from payment_service.domain.audit_keys import UNKEYED, parse_audit_keys
from payment_service.storage.controls import PostgresControls
from payment_service.storage.database import Database
from tests.cli.stage import corrupt

STOLEN = parse_audit_keys("k9:" + "5a" * 32)
LATER = datetime(2999, 1, 1, tzinfo=UTC)


async def steered(database_url):
    """Have three pauses and two resumes stand in the rows and in the trail."""
    database = Database(database_url)
    await database.open()
    controls = PostgresControls(database, UNKEYED)
    await controls.pause("acme", reason="they said so", until=None, by="key:ops")
    await controls.pause("zeta", reason="slow", until=LATER, by="user:ann")
    await controls.pause("nova", reason="audit", until=None, by="user:ann")
    await controls.resume("nova", reason="done", by="user:bob")
    await controls.pause("acme", reason="again", until=None, by="key:ops")
    await database.close()


@pytest.fixture
def there(database_url):
    asyncio.run(steered(database_url))
    return database_url


@pytest.fixture
def verified(there, capsys, monkeypatch):
    """Verify as the command does, in this process."""
    monkeypatch.setenv("PAYMENT_DATABASE_URL", there)

    def run():
        capsys.readouterr()
        code = verify(core=False, providers=False, as_json=True)
        report = json.loads(capsys.readouterr().out)
        assert code == (1 if report["offences"] else 0)
        return report

    return run


def offences(report):
    return [(each["invariant"], each["what"]) for each in report["offences"]]


def test_what_was_decided_agrees_with_its_trail(verified):
    report = verified()

    assert offences(report) == []
    assert report["audit_lines"] == 5


CONTROL = "UPDATE provider_controls SET {} WHERE provider = 'acme'"
UNPLANNED = (
    "INSERT INTO provider_controls (provider, state, reason, changed_by, changed_at) "
    "VALUES ('rapid', 'paused', 'r', 'key:ops', now())"
)
LINE = "UPDATE order_task_events SET {} WHERE target = 'SERVICE' AND version = {}"
CUT_OFF = "DELETE FROM order_task_events WHERE target = 'SERVICE' AND version ="


@pytest.mark.attack(
    "database",
    "A decision, owner, pause or dead letter changed past the trail is found",
)
@pytest.mark.parametrize(
    ("invariants", "said", "statement"),
    [
        (
            {"decision"},
            "provider acme: says ready",
            CONTROL.format("state = 'ready'"),
        ),
        (
            {"decision"},
            "by user:mallory",
            CONTROL.format("changed_by = 'user:mallory'"),
        ),
        ({"decision"}, "because another", CONTROL.format("reason = 'another'")),
        ({"decision"}, "for 2", CONTROL.format("until = now()")),
        ({"decision"}, "at 2", CONTROL.format("changed_at = now()")),
        (
            {"decision"},
            "provider rapid: says paused by key:ops",
            UNPLANNED,
        ),
        (
            {"decision"},
            "and no row does",
            "DELETE FROM provider_controls WHERE provider = 'zeta'",
        ),
        ({"decision"}, "its last audit line says paused", f"{CUT_OFF} 5"),
        (
            {"versions", "chain", "decision"},
            "version 3 follows version 1",
            f"{CUT_OFF} 2",
        ),
        ({"versions", "succession", "chain"}, "version 2", f"{CUT_OFF} 1"),
        (
            {"decision", "chain"},
            "its hash is not that of what it says",
            LINE.format("""detail = detail || '{"reason": "x"}'""", 5),
        ),
        (
            {"legality", "chain"},
            "by provider.bought",
            LINE.format("trigger = 'provider.bought'", 1),
        ),
    ],
)
def test_what_was_changed_past_the_trail_is_named(
    verified, there, invariants, said, statement
):
    corrupt(there, (statement,))

    found = offences(verified())

    assert {name for name, _ in found} == invariants
    assert any(said in what for _, what in found), json.dumps(found)


async def forge(database_url):
    database = Database(database_url)
    await database.open()
    controls = PostgresControls(database, STOLEN)
    await controls.resume("acme", reason="all is well", by="key:ops")
    await database.close()


def test_a_line_that_another_key_has_signed_is_named(verified, there):
    asyncio.run(forge(there))

    assert offences(verified()) == [
        (
            "chain",
            "version 6: it is signed by the key 'k9', which is not known here",
        )
    ]
