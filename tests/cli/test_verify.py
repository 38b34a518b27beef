"""`verify` is silent about good data, and names every corruption that is planted."""

import asyncio
import json
import tomllib
from contextlib import closing
from http.client import HTTPConnection

import pytest

from fsm.domain.audit_keys import UNKEYED, parse_audit_keys
from tests.cli.stage import TOKEN, corrupt, rewrite, with_world

KEYS_SET = "k1:" + "5a" * 32
KEYS = parse_audit_keys(KEYS_SET)
QUEUE = "UPDATE order_queues SET {} WHERE order_id = %s"
TASK = (
    "UPDATE order_tasks t SET {} FROM order_queues q "
    "WHERE q.queue_id = t.queue_id AND q.order_id = %s AND t.position = %s"
)
LINE = (
    "UPDATE order_task_events e SET {} FROM order_tasks t, order_queues q "
    "WHERE e.entity_id = t.task_id AND q.queue_id = t.queue_id "
    "AND q.order_id = %s AND t.position = %s AND e.version = %s"
)
FORGOTTEN = (
    "UPDATE order_tasks SET state = 'SKIPPED', verdict = NULL WHERE state = 'SUCCEEDED'"
)
KEY = {"Idempotency-Key": "payroll-7", "Content-Type": "application/json"}
CONTRADICTING = "ck_order_tasks_contradicting_calls"
UNCHECKED = "ALTER TABLE {} DROP CONSTRAINT {}"


def verified(shell, *options):
    answer = shell("verify", "--json", *options)
    found = {(o["invariant"], o["what"]) for o in answer.json["offences"]}
    assert answer.code == (1 if found else 0), answer
    return answer.json, {invariant for invariant, _ in found}


def test_good_data_offends_nobody(at_database, orders):
    report, found = verified(at_database)

    assert found == set()
    assert report["ok"]
    assert report["orders"] == len(orders)
    assert report["tasks"] == 3 * len(orders)
    assert report["audit_lines"] > report["tasks"]


def test_an_empty_database_is_fine(at_database):
    answer = at_database("verify")

    assert answer.code == 0
    assert "0 orders" in answer.out


@pytest.mark.attack("database", "Planted corruptions are found by `verify`")
@pytest.mark.parametrize(
    ("invariants", "statements"),
    [
        (
            {"one_success", "succession", "outcome", "tampered"},
            [
                ("DROP INDEX uq_order_tasks_one_succeeded",),
                (
                    TASK.format("state = 'SUCCEEDED', verdict = 'paid'"),
                    "w-paid",
                    1,
                ),
            ],
        ),
        (
            {"outcome", "succession", "tampered"},
            [(QUEUE.format("state = 'COMPLETED'"), "w-declined")],
        ),
        (
            {"outcome", "succession", "tampered"},
            [(QUEUE.format("state = 'FAILED'"), "w-paid")],
        ),
        (
            {"one_turn", "succession", "tampered"},
            [
                ("DROP INDEX uq_order_tasks_one_live",),
                (
                    TASK.format(
                        "state = 'EXECUTING', waiting_for = 'poll', "
                        "wake_at = now(), watch_at = now()"
                    ),
                    "w-silent",
                    1,
                ),
            ],
        ),
        ({"positions", "tampered"}, [(TASK.format("position = 9"), "w-paid", 2)]),
        (
            {"versions", "tampered"},
            [(TASK.format("version = t.version + 1"), "w-paid", 0)],
        ),
        (
            {"versions", "succession", "chain", "tampered"},
            [
                (
                    LINE.replace(
                        "UPDATE order_task_events e SET {} FROM",
                        "DELETE FROM order_task_events e USING",
                    ),
                    "w-paid",
                    0,
                    2,
                )
            ],
        ),
        ({"chain"}, [(LINE.format("actor = 'user:mallory'"), "w-paid", 0, 2)]),
        (
            {"chain"},
            [(LINE.format("""detail = '{"reason": "x"}'"""), "w-declined", 1, 3)],
        ),
        (
            {"chain", "tampered"},
            [(TASK.format("audit_hash = '\\x00'"), "w-paid", 0)],
        ),
        (
            {"legality", "chain"},
            [(LINE.format("trigger = 'sla.passed'"), "w-paid", 0, 2)],
        ),
        (
            {"succession", "chain"},
            [(LINE.format("source = 'RECHECKING'"), "w-paid", 0, 3)],
        ),
        (
            {"succession", "tampered"},
            [(TASK.format("state = 'CANCELLED'"), "w-lost", 1)],
        ),
        (
            {"nobody_forgotten", "tampered"},
            [
                (UNCHECKED.format("order_tasks", "ck_order_tasks_waits"),),
                (TASK.format("waiting_for = NULL"), "w-silent", 0),
            ],
        ),
        (
            {"nobody_forgotten", "verdict", "tampered"},
            [
                (UNCHECKED.format("order_tasks", "ck_order_tasks_waits"),),
                (UNCHECKED.format("order_tasks", CONTRADICTING),),
                (
                    TASK.format(
                        "waiting_for = 'rollback', wake_at = NULL, watch_at = NULL"
                    ),
                    "w-silent",
                    0,
                ),
            ],
        ),
        (
            {"verdict", "tampered"},
            [
                (UNCHECKED.format("order_tasks", "ck_order_tasks_succeeded"),),
                (TASK.format("verdict = NULL"), "w-paid", 0),
            ],
        ),
        ({"proof", "chain"}, [(LINE.format("at = e.at + '1d'"), "w-declined", 0, 4)]),
        (
            {"proof", "chain"},
            [(LINE.format("trigger = 'provider.unclear'"), "w-declined", 0, 3)],
        ),
        (
            {"orphan", "positions", "tampered"},
            [
                (
                    (
                        "DELETE FROM order_tasks t USING order_queues q "
                        "WHERE q.queue_id = t.queue_id AND q.order_id = %s "
                        "AND t.position = 1"
                    ),
                    "w-paid",
                )
            ],
        ),
        (
            {"orphan"},
            [("DELETE FROM order_queues WHERE order_id = %s", "w-paid")],
        ),
        (
            {"versions", "nobody_forgotten"},
            [
                (
                    (
                        "DELETE FROM order_task_events e USING order_queues q "
                        "WHERE q.queue_id = e.entity_id AND q.order_id = %s"
                    ),
                    "w-paid",
                )
            ],
        ),
    ],
)
@pytest.mark.usefixtures("orders")
def test_a_planted_corruption_is_named(
    at_database, database_url, invariants, statements
):
    corrupt(database_url, *statements)

    _, found = verified(at_database)

    assert found == invariants


REQUESTED_OTHERWISE = [
    (
        """request = jsonb_set(request, '{destination,token}', '"tok_mallory"')""",
        "its destination is not the one that was requested",
    ),
    ("customer_id = 'c-7'", "its customer is not the one that was requested"),
    ("merchant_id = 'm-7'", "its merchant_id is not the one that was requested"),
    ("amount = 1", "its amount is not the one that was requested"),
    ("currency = 'USD'", "its currency is not the one that was requested"),
    ("content_hash = '\\x00'", "its content is not the one that was requested"),
    ("signature = '\\x00'", "its signature is not the one that was requested"),
    ("signed_by = 'x'", "its key_id is not the one that was requested"),
]


@pytest.mark.attack(
    "database",
    "A changed amount, merchant, customer or destination is found, by its part",
)
@pytest.mark.parametrize(("change", "what"), REQUESTED_OTHERWISE)
@pytest.mark.usefixtures("orders")
def test_a_request_that_was_changed_is_told_by_its_part(
    at_database, database_url, change, what
):
    corrupt(database_url, (QUEUE.format(change), "w-paid"))

    _, found = verified(at_database)

    said = [o["what"] for o in at_database("verify", "--json").json["offences"]]
    assert what in said
    assert found == {"tampered"}


@pytest.mark.attack("database", "A changed cascade is found")
@pytest.mark.parametrize("change", ["terminal_id = 't-7'", "sla = '3d'"])
@pytest.mark.usefixtures("orders")
def test_a_cascade_that_was_changed_is_named(at_database, database_url, change):
    corrupt(database_url, (TASK.format(change), "w-paid", 2))

    report, _ = verified(at_database)

    said = {o["what"] for o in report["offences"]}
    assert "its cascade is not the one that was requested" in said


SEALED = [
    "tries = 7",
    "taken = not t.taken",
    "cancel_requested = true",
    "deadline_at = now()",
    "sla_at = '9999-01-01'",
    "code = 'x'",
    "updated_at = now()",
    "created_at = now()",
]


@pytest.mark.attack("database", "A planted vote, reference or time is found")
@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            "proposed_by = 'key:eve', proposed_decision = 'positive'",
            "its first vote (key:eve) is not that of its trail",
        ),
        (
            "provider_reference = 'po_other'",
            "its provider's reference is not that of its trail",
        ),
        ("sent_first_at = now() - '9d'::interval", "its sent_first_at is no time of"),
        ("sent_last_at = now() + '9d'::interval", "its sent_last_at is no time of"),
        *((change, "its row is not as its last step has left it") for change in SEALED),
    ],
)
@pytest.mark.usefixtures("orders")
def test_a_planted_vote_reference_or_time_is_found(
    at_database, database_url, change, what
):
    corrupt(database_url, (TASK.format(change), "w-silent", 0))

    report, found = verified(at_database)

    assert found == {"tampered"}
    assert what in "".join(each["what"] for each in report["offences"])


@pytest.mark.attack("database", "A trail rewritten with all its hashes is found")
def test_a_trail_that_was_rewritten_with_all_its_hashes_is_found(
    at_database, database_url
):
    made = asyncio.run(with_world(database_url, lambda w: w.order("w-paid"), keys=KEYS))
    at_database.env["PAYMENT_AUDIT_KEYS"] = KEYS_SET
    _, found = verified(at_database)
    assert found == set()

    rewrite(database_url, made.queue.tasks[0].task_id, by=UNKEYED, actor="key:eve")

    _, found = verified(at_database)
    assert found == {"chain", "tampered"}
    # Who has no key to look with sees no forgery, and no truth either.
    del at_database.env["PAYMENT_AUDIT_KEYS"]
    _, found = verified(at_database)
    assert found == {"chain", "tampered"}


@pytest.mark.usefixtures("orders")
def test_what_was_written_before_there_was_a_key_stands_only_where_that_is_said(
    at_database,
):
    at_database.env["PAYMENT_AUDIT_KEYS"] = f"{KEYS_SET},open"
    _, found = verified(at_database)
    assert found == set()

    at_database.env["PAYMENT_AUDIT_KEYS"] = KEYS_SET
    _, found = verified(at_database)
    assert found == {"chain", "tampered"}


def test_an_offender_is_named_for_people(at_database, database_url, orders):
    task = orders["w-paid"].queue.tasks[0]
    corrupt(database_url, (LINE.format("actor = 'user:mallory'"), "w-paid", 0, 2))

    answer = at_database("verify")

    assert answer.code == 1
    assert f"task {task.task_id}: version 2: its hash" in answer.out
    assert "1 offences" in answer.out


def test_what_is_overdue_is_a_warning(at_database, database_url):
    asyncio.run(with_world(database_url, lambda world: world.submitted("w-new")))
    ago = "now() - '1h'::interval"
    late = TASK.format(f"wake_at = {ago}, watch_at = {ago}")
    corrupt(database_url, (late, "w-new", 0))

    answer = at_database("verify", "--json")

    assert answer.code == 0
    assert [w["invariant"] for w in answer.json["warnings"]] == ["overdue"]


def with_books(shell, database_url, tmp_path, spoil=None, verified=verified):
    """Verify against a living core and living providers, spoiled before."""

    async def work(world):
        await world.order("w-paid", "succeed")
        await world.order("w-declined", "decline")
        await world.order("w-silent", "accept_silence")
        (tmp_path / "payment.toml").write_text(world.config)
        if spoil is not None:
            spoil(world)
        shell.env |= {
            "PAYMENT_CORE_URL": world.core.url,
            "PAYMENT_CORE_TOKEN": TOKEN,
            "SECRET_OF_PROVIDERS": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        }
        return await asyncio.to_thread(verified, shell, "--core", "--providers")

    return asyncio.run(with_world(database_url, work))


def test_the_books_of_the_others_agree(at_database, database_url, tmp_path):
    report, found = with_books(at_database, database_url, tmp_path)

    assert found == set()
    assert report["notes"] == []


def test_a_commit_that_core_lost_is_named(at_database, database_url, tmp_path):
    def lose(world):
        kept = [e for e in world.core.entries if e.operation != "commit"]
        world.core.ledger.entries[:] = kept

    _, found = with_books(at_database, database_url, tmp_path, lose)

    assert found == {"core"}


@pytest.mark.attack("database", "A payout that only the provider knows is found")
def test_a_payout_that_only_the_provider_knows_is_named(
    at_database, database_url, tmp_path
):
    def pay_twice(_world):
        corrupt(
            database_url,
            (
                (
                    "UPDATE order_tasks SET state = 'SKIPPED', verdict = NULL "
                    "WHERE state = 'SUCCEEDED'"
                ),
            ),
        )

    _, found = with_books(at_database, database_url, tmp_path, pay_twice)

    assert {"core", "providers"} <= found


DECLARED = """
[providers.acme.create]
path = "/payouts"
headers = { Idempotency-Key = "{reference}" }
body = { to = "{destination}", sum = "{amount}", cur = "{currency}" }

[providers.acme.status]
path = "/payouts/{reference}"

[providers.acme.answers]
status_at = "status"
status_map = { succeeded = "succeeded" }

[providers.acme.webhook_body]
type_at = "type"
type_map = { "payout.succeeded" = "succeeded" }
reference_at = "reference"
"""
STATEMENT = """
[providers.acme.statement]
path = "/payouts"
query = { from = "{from}", to = "{to}", cursor = "{cursor?}" }
rows_at = "payouts"
next_cursor_at = "next_cursor"
reference_at = "reference"
status_at = "status"
status_map = { succeeded = "succeeded", declined = "declined", accepted = "accepted" }
amount_at = "amount"
currency_at = "currency"
"""


def declared(tmp_path, statement):
    def write(world):
        text = world.config + DECLARED + statement
        (tmp_path / "payment.toml").write_text(text)

    return write


def test_a_declared_statement_is_read(at_database, database_url, tmp_path):
    write = declared(tmp_path, STATEMENT)

    report, found = with_books(at_database, database_url, tmp_path, write)

    assert found == set()
    assert report["notes"] == []


def test_a_form_without_a_statement_is_noted(at_database, database_url, tmp_path):
    report, _ = with_books(at_database, database_url, tmp_path, declared(tmp_path, ""))

    assert report["notes"] == ["provider acme gives no statement"]


def whole(shell, *options):
    """Verify, and return all that it says."""
    return shell("verify", "--json", *options)


def test_a_statement_that_is_not_there_makes_the_check_incomplete(
    at_database, database_url, tmp_path
):
    """A wrong path must neither pass for no statement, nor blame what it hides."""
    releases_slot = STATEMENT.replace("/payouts", "/nowhere")

    answer = with_books(
        at_database,
        database_url,
        tmp_path,
        declared(tmp_path, releases_slot),
        verified=whole,
    )

    assert answer.code == 1
    assert (answer.json["ok"], answer.json["offences"]) == (False, [])
    assert answer.json["incomplete"] == [
        "the statement of provider acme: answered 404; nothing of it was read"
    ]


def test_an_incomplete_check_says_so_to_people(at_database, database_url, tmp_path):
    releases_slot = STATEMENT.replace("/payouts", "/nowhere")

    answer = with_books(
        at_database,
        database_url,
        tmp_path,
        declared(tmp_path, releases_slot),
        verified=lambda shell, *options: shell("verify", *options),
    )

    assert "INCOMPLETE: the statement of provider acme: answered 404" in answer.out
    assert "every invariant holds as far as could be seen (1 gaps)" in answer.out


def test_what_was_read_before_a_statement_broke_off_still_counts(
    at_database, database_url, tmp_path
):
    """The page that goes round holds a payout that we say was not made."""

    def spoil(world):
        corrupt(database_url, (FORGOTTEN,))
        counted = STATEMENT.replace('cursor = "{cursor?}"', 'page = "{page}"')
        counted = counted.replace('next_cursor_at = "next_cursor"', "")
        declared(tmp_path, counted)(world)

    answer = with_books(at_database, database_url, tmp_path, spoil, verified=whole)

    assert ["goes round" in gap for gap in answer.json["incomplete"]] == [True]
    assert "providers" in {each["invariant"] for each in answer.json["offences"]}


def test_a_payout_by_hand_is_counted_and_listed_and_stops_nothing(
    at_database, database_url, tmp_path
):
    written = tmp_path / "payment.toml"

    def pays_by_hand(shell, *options):
        acme = tomllib.loads(written.read_text())["providers"]["acme"]
        host, _, path = acme["base_url"].removeprefix("http://").partition("/")
        body = {
            "reference": "payroll-7",
            "amount": 100,
            "currency": "EUR",
            "destination": {"type": "card", "token": "tok_1"},
            "terminal_id": "t-1",
        }
        with closing(HTTPConnection(host, timeout=5)) as asking:
            asking.request("POST", f"/{path}/payouts", json.dumps(body), KEY)
            assert asking.getresponse().status == 201
        return whole(shell, *options)

    answer = with_books(
        at_database,
        database_url,
        tmp_path,
        declared(tmp_path, STATEMENT),
        verified=pays_by_hand,
    )

    assert (answer.code, answer.json["ok"]) == (0, True)
    (note,) = answer.json["notes"]
    assert note.startswith("provider acme: 1 line has no reference of ours: page 1 row")
    (line,) = answer.json["passed_over"]
    assert (line["provider"], line["page"]) == ("acme", 1)
    assert line["why"] == "has no reference of ours"


def test_a_line_of_ours_that_cannot_be_read_is_a_gap_and_accuses_nobody(
    at_database, database_url, tmp_path
):
    unread = STATEMENT.replace('amount_at = "amount"', 'amount_at = "nowhere"')

    answer = with_books(
        at_database, database_url, tmp_path, declared(tmp_path, unread), verified=whole
    )

    assert (answer.code, answer.json["offences"]) == (1, [])
    assert answer.json["incomplete"]
    assert "cannot be read (without amount)" in answer.json["incomplete"][0]
    assert "page 1 row 1" in answer.json["incomplete"][0]


def test_core_that_does_not_answer_is_one_line(at_database):
    answer = at_database("verify", "--core", PAYMENT_CORE_URL="http://127.0.0.1:1")

    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert "core does not answer" in answer.err
