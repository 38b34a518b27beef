"""`verify` finds what was decided past the trail, and what no row shows."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fsm.domain.acts import CaseTrigger
from fsm.domain.audit_keys import UNKEYED, parse_audit_keys
from fsm.domain.ids import derived_id
from payment_service.cli.verify import verify
from payment_service.storage.clock import DatabaseClock
from payment_service.storage.controls import PostgresControls
from payment_service.storage.database import Database
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.store import PostgresStore
from tests.cli.stage import corrupt
from tests.storage.builders import a_letter

CASE = """
INSERT INTO cases (id, kind, queue_id, order_id, task_id, provider, amount, currency,
    money_at_risk, detail, opened_at)
SELECT %(id)s, 'tampered', queue_id, order_id, %(task)s, 'acme', amount, currency,
    amount, '{}', now() FROM order_queues WHERE queue_id = %(queue)s
"""
STOLEN = parse_audit_keys("k9:" + "5a" * 32 + ",open")
LATER = datetime(2999, 1, 1, tzinfo=UTC)


async def steered(database):
    """Have three pauses and two resumes stand in the rows and in the trail."""
    controls = PostgresControls(database, UNKEYED)
    await controls.pause("acme", reason="they said so", until=None, by="key:ops")
    await controls.pause("zeta", reason="slow", until=LATER, by="user:ann")
    await controls.pause("nova", reason="audit", until=None, by="user:ann")
    await controls.resume("nova", reason="done", by="user:bob")
    await controls.pause("acme", reason="again", until=None, by="key:ops")


def ids_of(orders):
    """Return the orders' ids, and of each the case and the letter about it."""
    return {
        name: (orders[name].queue_id, *(derived_id(name, n) for n in ("c", "l")))
        for name in ("w-paid", "w-declined")
    }


def by_ann(reason, clock):
    return {"actor": "key:ann", "reason": reason, "at": clock.now()}


async def decided(database, orders):
    """Have a case of each order closed, and a letter about it dealt with."""
    desk, store = (
        PostgresOperatorStore(database, UNKEYED),
        PostgresStore(database),
    )
    clock = DatabaseClock(database)
    await clock.calibrate()
    for name, (queue_id, case_id, letter_id) in ids_of(orders).items():
        task_id = orders[name].queue.tasks[0].task_id
        await database.run(CASE, {"id": case_id, "queue": queue_id, "task": task_id})
        letter = a_letter(queue_id=queue_id, now=clock.now())
        await store.dead_letter(replace(letter, id=letter_id), [])
        said = by_ann("seen", clock)
        await desk.assign_case(case_id, owner="ann", **said)
        bob = {**said, "actor": "key:bob"}
        await desk.vote_to_close(case_id, voter="key:bob", **bob)
        withdrawn = CaseTrigger.CLOSE_WITHDRAWN
        await desk.clear_vote_to_close(
            case_id, voter="key:bob", trigger=withdrawn, **bob
        )
        if name == "w-declined":
            await desk.vote_to_close(case_id, voter="bob", **bob)
        await desk.close_case(case_id, **said)
        mark = desk.mark_replayed if name == "w-paid" else desk.mark_discarded
        await mark(letter_id, **said)
    nobodys = a_letter("nobody's", now=clock.now())
    await store.dead_letter(nobodys, [])
    await desk.mark_discarded(nobodys.id, **said)
    await desk.mark_replayed(nobodys.id, **said)
    await store.dead_letter(replace(nobodys, at=clock.now(), error="again"), [])


async def prepared(url, orders):
    database = Database(url)
    await database.open()
    await steered(database)
    await decided(database, orders)
    await database.close()


@pytest.fixture
def there(database_url, orders):
    asyncio.run(prepared(database_url, orders))
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
    assert report["warnings"] == []


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
            "provider zeta: its last audit line says paused",
            "DELETE FROM provider_controls WHERE provider = 'zeta'",
        ),
        ({"decision"}, "its last audit line says discarded", f"{CUT_OFF} 7"),
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


CLOSED = "UPDATE cases SET {} WHERE id = '{case}'"
DEALT = "UPDATE dead_letters SET {} WHERE id = '{letter}'"
CUT_OUT = (
    "DELETE FROM order_task_events WHERE entity_id = %s AND trigger = 'case.closed'"
)
BY_SQL = (
    "INSERT INTO cases (id, kind, queue_id, order_id, task_id, provider, amount, "
    "currency, money_at_risk, detail, opened_at, state, closed_at, closed_by) VALUES "
    "(gen_random_uuid(), 'return_after_success', '{queue}', 'w', '{task}', 'acme', 1, "
    "'EUR', 1, '{{}}', now(), '{state}', now(), 'key:ann')"
)
TAMPERED_WITH = {
    "a closed case is open again": (
        "case {case}: its last audit line says closed by key:ann",
        CLOSED.replace("{}", "state = 'open', closed_at = NULL, closed_by = NULL"),
    ),
    "a case is closed by another": (
        "case {case}: says closed by user:mallory",
        CLOSED.replace("{}", "closed_by = 'user:mallory'"),
    ),
    "a case is closed for another reason": (
        "because another, its last audit line says closed",
        CLOSED.replace("{}", "reason = 'another'"),
    ),
    "a case is closed at another time": (
        "case {case}: says closed",
        CLOSED.replace("{}", "closed_at = now()"),
    ),
    "a case has another owner": (
        "owner of case {case}: says assigned for mallory",
        CLOSED.replace("{}", "owner = 'mallory'"),
    ),
    "a case has no owner": (
        "owner of case {case}: its last audit line says assigned",
        CLOSED.replace("{}", "owner = NULL"),
    ),
    "a vote to close a case is another's": (
        "vote to close case {case}: says proposed for mallory",
        CLOSED.replace("{}", "close_voter = 'mallory'"),
    ),
    "a vote to close a case was planted": (
        "says proposed for mallory",
        "UPDATE cases SET close_voter = 'mallory' WHERE close_voter IS NULL",
    ),
    "a vote to close a case is gone": (
        "vote to close case {case}: its last audit line says proposed",
        CLOSED.replace("{}", "close_voter = NULL"),
    ),
    "a closed case is gone": (
        "case {case}: its last audit line says closed",
        "DELETE FROM cases WHERE id = '{case}'",
    ),
    "a case was closed without a line": (
        "says closed by key:ann",
        BY_SQL.replace("{state}", "closed"),
    ),
    "a return was settled without a line": (
        "return of task {task}: says settled by key:ann",
        BY_SQL.replace("{state}", "settled"),
    ),
    "a discarded letter is open again": (
        "dead letter {letter}: its last audit line says discarded",
        DEALT.replace(
            "{}", "discarded_at = NULL, discarded_by = NULL, discard_reason = NULL"
        ),
    ),
    "a discarded letter was replayed": (
        "dead letter {letter}: says replayed by key:ann",
        DEALT.replace(
            "{}",
            "discarded_at = NULL, discarded_by = NULL, discard_reason = NULL, "
            "replayed_at = now(), replayed_by = 'key:ann'",
        ),
    ),
    "a letter was discarded by another": (
        "says discarded by user:mallory",
        DEALT.replace("{}", "discarded_by = 'user:mallory'"),
    ),
    "a letter was discarded for another reason": (
        "because another, its last audit line says discarded",
        DEALT.replace("{}", "discard_reason = 'another'"),
    ),
    "an open letter was discarded without a line": (
        "its last audit line says open",
        (
            "UPDATE dead_letters SET discarded_at = now(), discarded_by = 'x' "
            "WHERE discarded_at IS NULL AND replayed_at IS NULL"
        ),
    ),
}


@pytest.mark.parametrize("what", TAMPERED_WITH)
def test_what_was_done_by_hand_in_the_database_is_named(verified, there, orders, what):
    queue_id, case_id, letter_id = ids_of(orders)["w-declined"]
    task_id = orders["w-declined"].queue.tasks[0].task_id
    ids = {"queue": queue_id, "case": case_id, "letter": letter_id, "task": task_id}
    said, statement = (each.format(**ids) for each in TAMPERED_WITH[what])
    corrupt(there, (statement,))

    found = offences(verified())

    # A case that was put there by hand is found for more than how it was closed.
    assert {name for name, _ in found} - {"tampered"} == {"decision"}
    assert any(said in told for _, told in found), json.dumps(found)


def test_an_act_that_was_cut_out_is_named(verified, there, orders):
    queue_id, case_id, _ = ids_of(orders)["w-paid"]
    corrupt(there, (CUT_OUT, queue_id))

    found = offences(verified())

    assert {name for name, _ in found} == {"versions", "chain", "decision"}
    told = f"case {case_id}: says closed by key:ann"
    assert any(what.startswith(told) for _, what in found)


async def forge_act(database_url, case_id):
    database = Database(database_url)
    await database.open()
    clock = DatabaseClock(database)
    await clock.calibrate()
    said = by_ann("all is well", clock)
    await PostgresOperatorStore(database, STOLEN).close_case(case_id, **said)
    await database.close()


def test_a_case_that_another_key_has_closed_is_named(verified, there, orders):
    queue_id, case_id, _ = ids_of(orders)["w-declined"]
    corrupt(
        there,
        (
            CLOSED.format(
                "state = 'open', closed_at = NULL, closed_by = NULL", case=case_id
            ),
        ),
    )
    asyncio.run(forge_act(there, case_id))

    (found,) = verified()["offences"]
    assert (found["invariant"], found["queue_id"]) == ("chain", queue_id)
    assert "signed by the key 'k9', which is not known here" in found["what"]


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
            "version 8: it is signed by the key 'k9', which is not known here",
        )
    ]
