"""Dead letters at the command line: listed and shown masked, replayed, discarded."""

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from fsm.domain.dead_letters import DeadLetter, Reason
from fsm.domain.ids import new_id
from payment_service.storage.database import Database
from payment_service.storage.store import PostgresStore
from tests.cli.stage import Here

TOKEN = "tok_canary"
UNKNOWN = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def shell(tmp_path):
    """Run commands in this process: how they start is tested elsewhere."""
    return Here(tmp_path)


@pytest.fixture
def letters(database_url):
    """Bury three requests; return their ids."""
    return asyncio.run(dead_lettered(database_url, 3))


async def dead_lettered(database_url, count, subject=None):
    database = Database(database_url)
    await database.open()
    store = PostgresStore(database)
    now = datetime.now(UTC)
    ids = [new_id(now) for _ in range(count)]
    for number, letter_id in enumerate(ids):
        letter = DeadLetter(
            id=letter_id,
            subject=subject
            or ("withdrawal.requested" if number else "order.task.step.due"),
            reason=Reason.INVALID,
            error="amount: must be an integer",
            deliveries=1,
            body=b'{"order_id": "w-1", "destination": {"token": "tok_canary"}}',
            headers={"traceparent": "00-1-2-01"},
            at=datetime.now(UTC),
            order_id="w-1",
        )
        await store.dead_letter(letter, [])
    await database.close()
    return ids


def outbox(database_url):
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT subject, message_id FROM outbox").fetchall()


def test_no_letter_is_said_so(at_database):
    assert at_database("dlq", "list").out == "There is no dead letter.\n"
    assert at_database("dlq", "list", "--json").json["dead_letters"] == []
    assert at_database("dlq", "replay", "--all").code == 0


def test_letters_are_listed_and_shown_masked(at_database, letters):
    listed = at_database("dlq", "list", "--json")
    shown = at_database("dlq", "show", letters[0], "--json")
    plain = at_database("dlq", "show", letters[0])

    assert {each["id"] for each in listed.json["dead_letters"]} == {*letters}
    assert shown.json["body"]["destination"]["token"] == "***"
    assert plain.code == 0
    assert TOKEN not in listed.out + shown.out + plain.out


def test_a_letter_is_replayed_once_through_the_outbox(
    at_database, database_url, letters
):
    first = at_database("dlq", "replay", letters[1])
    again = at_database("dlq", "replay", letters[1])

    assert first.code == 0
    assert "A running relay publishes" in first.out
    assert again.code == 1
    assert "replayed already" in again.out
    ((subject, message_id),) = outbox(database_url)
    assert subject == "withdrawal.requested"
    assert message_id.startswith(f"replay:{letters[1]}:")


def test_a_dry_run_changes_nothing(at_database, database_url, letters):
    answer = at_database("dlq", "replay", "--all", "--dry-run", "--json")

    assert {each["id"] for each in answer.json["dead_letters"]} == {*letters}
    assert outbox(database_url) == []


@pytest.mark.usefixtures("letters")
def test_all_of_a_subject_are_replayed(at_database, database_url):
    only = ("--subject", "withdrawal.requested", "--json")
    answer = at_database("dlq", "replay", "--all", *only)

    assert len(answer.json["dead_letters"]) == 2
    assert len(outbox(database_url)) == 2
    assert len(at_database("dlq", "list", "--json").json["dead_letters"]) == 1


def test_a_letter_is_discarded_for_a_reason(at_database, letters):
    done = at_database("dlq", "discard", letters[0], "--reason", "a test of theirs")
    again = at_database("dlq", "show", letters[0])

    assert done.code == 0
    assert again.code == 1
    assert "discarded already" in again.err


@pytest.mark.parametrize("letter_id", [UNKNOWN, "nonsense"])
def test_an_unknown_letter_is_one_line(at_database, letter_id):
    for command in (("show",), ("discard", "--reason", "x")):
        answer = at_database("dlq", *command, letter_id)

        assert answer.code == 1
        assert f"no dead letter '{letter_id}'" in answer.err
        assert answer.err.count("\n") == 1
    assert at_database("dlq", "replay", letter_id).code == 1


# With a key: through the API, under its name.


@pytest.fixture
def theirs(desk):
    """Bury letters of a subject that no other test has, where the service runs."""
    subject = f"letters.{new_id(datetime.now(UTC))}"
    return subject, asyncio.run(dead_lettered(desk.url, 3, subject=subject))


def test_a_dry_run_with_a_key_changes_nothing(desk, theirs):
    subject, ids = theirs
    anna = desk.holding("anna")

    every = anna("dlq", "replay", "--all", "--subject", subject, "--dry-run", "--json")
    some = anna("dlq", "replay", ids[0].upper(), UNKNOWN, "--dry-run")

    assert [each["id"] for each in every.json["dead_letters"]] == ids
    assert every.json["dry_run"] is True
    assert some.out.splitlines() == [
        f"{ids[0]} would be replayed",
        f"{UNKNOWN} left: no such dead letter is open",
    ]
    assert some.code == 1
    assert dealt_with(desk.url, ids) == [(None, None)] * 3


def test_letters_are_replayed_and_discarded_by_the_name_of_the_key(desk, theirs):
    subject, ids = theirs
    anna, bert = (
        desk.holding("anna"),
        desk.holding("bert", LOGNAME="mallory"),
    )
    gone = bert("dlq", "discard", ids[2], "--reason", "a test of theirs", "--json")

    one = anna("dlq", "replay", ids[0], UNKNOWN, "..")
    rest = anna("dlq", "replay", "--all", "--subject", subject)

    assert gone.json == {"id": ids[2], "status": "discarded"}
    assert one.code == 1
    assert one.out.splitlines()[:3] == [
        f"{ids[0]} replayed",
        f"{UNKNOWN} left: There is no such dead letter.",
        ".. left: '..' is no id",
    ]
    assert rest.out.startswith(f"{ids[1]} replayed\n")
    by = [("key:anna", None), ("key:anna", None), (None, "key:bert")]
    assert dealt_with(desk.url, ids) == by
    assert "no dead letter to replay" in (
        anna("dlq", "replay", "--all", "--subject", subject).out
    )


def test_an_api_that_goes_away_ends_the_replay(desk, theirs):
    _, ids = theirs
    away = desk.bare(**{**desk.access("anna"), "PAYMENT_API_URL": "http://127.0.0.1:1"})

    answer = away("dlq", "replay", *ids)

    assert answer.code == 1
    assert answer.out.count(" left: cannot reach the API") == 1
    assert dealt_with(desk.url, ids) == [(None, None)] * 3


def dealt_with(url, ids):
    asked = (
        "SELECT replayed_by, discarded_by FROM dead_letters WHERE id = ANY(%s::uuid[]) "
        "ORDER BY at"
    )
    with psycopg.connect(url) as connection:
        return connection.execute(asked, [ids]).fetchall()


def test_what_became_of_letters_stands_in_the_trail_with_the_reason(
    at_database, letters
):
    at_database("dlq", "replay", letters[0], "--reason", "mended")
    at_database("dlq", "replay", letters[1])
    at_database("dlq", "discard", letters[2], "--reason", "nobody's")
    told = at_database("trail", "--json").json

    shown = [(e["trigger"], e["detail"]["reason"]) for e in told["events"]]
    assert shown == [
        ("dead_letter.discarded", "nobody's"),
        ("dead_letter.replayed", "no reason was given"),
        ("dead_letter.replayed", "mended"),
    ]
    assert [e["detail"]["dead_letter_id"] for e in told["events"]] == letters[::-1]
    assert all(e["actor"].startswith("user:") for e in told["events"])


def test_the_trail_of_the_service_is_shown_page_by_page(at_database, letters):
    assert at_database("trail").out == "Nothing was done to the service.\n"
    at_database("dlq", "replay", *letters)

    page = at_database("trail", "--limit", "2", "--json").json
    rest = at_database("trail", "--cursor", page["next_cursor"])

    assert [event["version"] for event in page["events"]] == [3, 2]
    assert rest.out.count("dead_letter.replayed") == 1
    assert "--cursor 2" in at_database("trail", "--limit", "2").out
    stranger = at_database("trail", "--cursor", "x")
    assert stranger.code == 1
    assert "cursor: 'x' was not handed out" in stranger.err


def test_a_replay_says_why_or_nothing(at_database, letters):
    refused = at_database("dlq", "replay", letters[0], "--reason", " ")

    assert refused.code == 2
    assert "--reason" in refused.err
