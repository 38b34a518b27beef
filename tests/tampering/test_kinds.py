"""Every kind of tampering is planted as its attacker would, and is found as it says."""

import asyncio
import json
import secrets
from datetime import timedelta

import psycopg
import pytest
from psycopg import errors, sql

from fsm.domain.errors import NotNow, Tampered, UnknownWords
from fsm.domain.four_eyes import FourEyes
from fsm.domain.webhook_events import WebhookEventType
from handlers.claims import Claims
from handlers.drive import drive
from handlers.resolve import Ruling, resolve
from handlers.webhook import WebhookHint, webhook_received
from payment_service.cli import orphans
from payment_service.storage.rights import lacking
from tests.cli.anchors import seal_again
from tests.cli.stage import SECRET, TOKEN, corrupt, with_world
from tests.tampering import links
from tests.tampering.conftest import KEYS, heard
from tests.tampering.kinds import ANCHOR, BOOKS, GUARD, KINDS, STOPS, VERIFY

KINDS_MIN = 35


def of(*finders):
    return pytest.mark.parametrize(
        "kind",
        [kind for kind in KINDS if {*finders} & {*kind.found}],
        ids=lambda kind: kind.what,
    )


def plant(url, kind, order):
    """Write as a superuser does who has switched the guards off."""
    corrupt(url, *((each.replace("ORDER", order),) for each in kind.sql))
    if kind.keyed:
        seal_again(url, by=KEYS)


def offences(shell, *options):
    answer = shell("verify", "--json", *options)
    assert answer.code in {0, 1}, answer
    told = json.loads(answer.out)["offences"]
    return [f"{each['invariant']}: {each['what']}" for each in told]


def is_said(wanted, found):
    name, _, words = wanted.partition(": ")
    return any(each.startswith(f"{name}: ") and words in each for each in found)


def test_there_are_many_kinds_and_each_is_found():
    assert len({kind.what for kind in KINDS}) == len(KINDS) >= KINDS_MIN
    assert all(kind.found for kind in KINDS)


@pytest.mark.usefixtures("url")
def test_books_that_nobody_has_touched_offend_nobody(shell, books):
    assert offences(shell, "--anchor", str(books[1])) == []


@pytest.mark.attack("database", "Every kind of the list is found: `verify`")
@of(VERIFY)
def test_verify_finds_it(shell, url, kind):
    plant(url, kind, kind.of)

    found = offences(shell)

    assert is_said(kind.found[VERIFY], found), found


@pytest.mark.attack("database", "Every kind of the list is found: `verify --anchor`")
@of(ANCHOR)
def test_the_anchor_finds_it(shell, url, books, kind):
    plant(url, kind, kind.of)

    assert VERIFY in kind.found or offences(shell) == []
    found = offences(shell, "--anchor", str(books[1]))

    assert is_said(kind.found[ANCHOR], found), found


@pytest.mark.attack("database", "Every kind of the list is found: core and providers")
@of(BOOKS)
def test_core_and_providers_find_it(shell, database_url, monkeypatch, kind):
    # What was made within the last minute may be under way still: this was not.
    monkeypatch.setattr(orphans, "SKEW", timedelta())

    async def work(world):
        await world.order(kind.of)
        (shell.folder / "payment.toml").write_text(world.config)
        shell.env |= {
            "PAYMENT_CORE_URL": world.core.url,
            "PAYMENT_CORE_TOKEN": TOKEN,
            "SECRET_OF_PROVIDERS": SECRET,
        }
        ask = ("--core", "--providers")
        assert await asyncio.to_thread(offences, shell, *ask) == []
        plant(database_url, kind, kind.of)
        assert VERIFY in kind.found or await asyncio.to_thread(offences, shell) == []
        return await asyncio.to_thread(offences, shell, *ask)

    found = asyncio.run(with_world(database_url, work, keys=KEYS))

    assert is_said(kind.found[BOOKS], found), found


def cases_in(url):
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute("SELECT kind FROM cases")}


async def new(world, url, kind):
    """Have an order changed before anything was done for it, and go on with it."""
    queue_id = await world.submitted("w-1")
    plant(url, kind, "w-1")
    ports = world.ports
    order = await ports.store.load(queue_id)
    await drive(order, ports=ports, claims=Claims(taken_at=ports.clock.elapsed()))
    return []


async def under_way(world, url, kind):
    """Have one changed whose payout is under way; all that may decide says paid."""
    order = await world.order("w-1", "accept_silence")
    plant(url, kind, "w-1")
    if "webhook_inbox" in kind.sql[0]:
        told = WebhookHint(provider="acme", event_id="evt-mallory")
        await webhook_received(told, again=False, ports=world.ports)
        return ["freeze"]
    with pytest.raises((Tampered, NotNow)):
        await resolve(
            order.queue.tasks[0].task_id,
            Ruling.POSITIVE,
            reason="x",
            evidence="x",
            actor="key:anna",
            four_eyes=FourEyes(),
            ports=world.ports,
        )
    said = {"amount": 12550, "currency": "EUR"}
    await heard(world, order, WebhookEventType.SUCCEEDED, "evt-true", **said)
    return ["freeze"]


def of_others(stands):
    """Have an order of another flow changed, and gone on with."""

    async def stand(world, url, kind):
        return await stands(world, lambda order: plant(url, kind, order))

    return stand


async def unknown(world, url, kind):
    """Have one changed to what no version knows: it is left, and decided by nobody."""
    order = await world.order("w-1", "accept_silence")
    plant(url, kind, "w-1")
    with pytest.raises(UnknownWords):
        await world.ports.store.load(order.queue_id)
    return ["freeze"]


STANDS = {
    "new": new,
    "under way": under_way,
    "under way, parked": unknown,
    **{
        name: of_others(stands)
        for name, stands in {
            "new link": links.new_link,
            "new removal": links.new_removal,
            "link under way": links.link_under_way,
            "the card's next link": links.same_card,
            "checkout under way": links.checkout_under_way,
        }.items()
    },
}


@pytest.mark.attack("database", "Every kind of the list stops money that says it does")
@of(STOPS)
def test_it_stops_before_money_moves(database_url, kind):
    stands = STANDS[kind.found[STOPS]]

    async def work(world):
        expected = await stands(world, database_url, kind)
        return expected, links.moves(world)

    expected, done = asyncio.run(with_world(database_url, work, keys=KEYS))

    assert done == expected
    assert cases_in(database_url) == (set() if stands is unknown else {"tampered"})


@pytest.mark.attack("database", "What a guard of the list refuses is refused")
@of(GUARD)
def test_the_database_refuses_it(url, kind):
    guard = kind.found[GUARD]
    statements = [each.replace("ORDER", kind.of) for each in kind.sql]
    if guard == "denied":
        denied(url, statements)
        return
    with psycopg.connect(url) as connection, pytest.raises(errors.IntegrityError) as no:
        each_of(statements, connection)
    assert no.value.diag.constraint_name == guard


def each_of(statements, connection):
    for statement in statements:
        connection.execute(statement)


def denied(url, statements):
    """Try it as the role that the service has, and as no superuser."""
    role = sql.Identifier(f"service_{secrets.token_hex(6)}")
    with psycopg.connect(url, autocommit=True) as connection:

        def run(statement):
            connection.execute(sql.SQL(statement).format(role))

        run("CREATE ROLE {}")
        try:
            run("SET ROLE {}")
            grants = lacking(connection)
            connection.execute("RESET ROLE")
            for grant in grants:
                connection.execute(grant)
            run("SET ROLE {}")
            assert lacking(connection) == []
            with pytest.raises(errors.InsufficientPrivilege):
                each_of(statements, connection)
        finally:
            connection.execute("RESET ROLE")
            run("DROP OWNED BY {}")
            run("DROP ROLE {}")
