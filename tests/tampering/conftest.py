"""A database with all that can be tampered with, whose chains are anchored outside."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fsm.domain.audit_keys import parse_audit_keys
from fsm.domain.ids import derived_id
from fsm.domain.keys import ApiKey, KeyRole
from fsm.domain.webhook_events import WebhookEventType
from handlers.inbox import keep
from handlers.people import (
    Admin,
    Environment,
    hash_of,
    make_key,
    revoke_key,
    set_threshold,
)
from handlers.webhook import WebhookHint, webhook_received
from payment_service.storage.controls import PostgresControls
from payment_service.storage.database import Database
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.people import PostgresPeople
from payment_service.storage.store import PostgresStore
from tests.cli.anchors import anchor
from tests.cli.stage import Here, with_world
from tests.clones import cloned
from tests.storage.builders import a_letter, a_webhook
from tests.tampering import links

KEYS_SET = "k1:" + "5a" * 32
KEYS = parse_audit_keys(KEYS_SET)


async def told(world, order, kind, event_id, **said):
    """Have the order's first provider say something by webhook; nobody applies it."""
    task = order.queue.tasks[0]
    webhook = a_webhook(
        task.task_id, event_id, now=world.ports.clock.now(), type=kind, **said
    )
    await keep(webhook, ports=world.ports)


async def heard(world, order, kind, event_id, **said):
    """Have the order's first provider say something by webhook, and apply it."""
    await told(world, order, kind, event_id, **said)
    stored = WebhookHint(provider="acme", event_id=event_id)
    await webhook_received(stored, again=False, ports=world.ports)


async def worked(world):
    """Have orders of every kind, one of which came back."""
    paid = await world.order("w-paid", "succeed")
    declined = await world.order("w-declined", "decline")
    await world.order("w-silent", "accept_silence")
    await world.submitted("w-new")
    await heard(world, paid, WebhookEventType.RETURNED, "evt-w-paid", sequence=7)
    # What is known already has no line of its own, and is as it should be.
    for order, kind in (
        (paid, WebhookEventType.SUCCEEDED),
        (paid, WebhookEventType.ACCEPTED),
        (declined, WebhookEventType.FAILED),
    ):
        await heard(world, order, kind, f"evt-{kind}")
    waiting = await world.order("w-waiting", "succeed")
    await told(world, waiting, WebhookEventType.RETURNED, "evt-w-waiting")
    await links.worked(world)


async def decided(url):
    """Have people decide, each of it with its line."""
    database = Database(url)
    await database.open()
    people, anna = PostgresPeople(database, KEYS), Admin(actor="key:anna", person="a")
    alone = Environment()
    for name in ("anna", "dora"):
        key = ApiKey(name, KeyRole.ADMIN, hash_of(name))
        await make_key(key, by=anna, reason="x", environment=alone, people=people)
    await revoke_key("dora", by=anna, reason="x", environment=alone, people=people)
    await set_threshold("EUR", 100, by=anna, reason="x", people=people)
    controls = PostgresControls(database, KEYS)
    await controls.pause("nova", reason="slow", until=None, by="key:anna")
    now = datetime.now(UTC)
    died = now - timedelta(minutes=1)
    letter = replace(a_letter(now=died), id=derived_id("letter", "planted"))
    await PostgresStore(database, keys=KEYS).dead_letter(letter, [])
    operator_store = PostgresOperatorStore(database, KEYS)
    await operator_store.mark_discarded(letter.id, actor="key:anna", reason="x", at=now)
    await database.close()


@pytest.fixture(scope="session")
def books(postgres_server, database_template, tmp_path_factory):
    """Give the name of a database to clone, and the file of its anchors."""
    file = tmp_path_factory.mktemp("books") / "a"
    with cloned(postgres_server, database_template, "books") as name:
        url = postgres_server.url_of(name)
        asyncio.run(with_world(url, worked, keys=KEYS))
        asyncio.run(decided(url))
        anchor(url, file, keys=KEYS)
        yield name, file


@pytest.fixture
def database_url(request, postgres_server, database_template):
    """Give the address of a database of the test's own, with the books if it asks."""
    asked = "url" in request.fixturenames
    template = request.getfixturevalue("books")[0] if asked else database_template
    with cloned(postgres_server, template) as name:
        yield postgres_server.url_of(name)


@pytest.fixture
def url(database_url):
    """Give the address of a copy of the books that is the test's alone."""
    return database_url


@pytest.fixture
def shell(tmp_path, database_url):
    """Run commands in this process, with the key of the books."""
    known = {"PAYMENT_DATABASE_URL": database_url, "PAYMENT_AUDIT_KEYS": KEYS_SET}
    return Here(tmp_path, known)
