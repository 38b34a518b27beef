"""`verify --anchor` finds what was cut, erased or invented, and what speaks against it.

Whoever does it here can write the database and, where it says so, has the key too:
what is left is in order, and `verify` alone finds nothing.
"""

import asyncio
import json
import subprocess
from datetime import UTC, datetime

import psycopg
import pytest

from fsm.domain.anchors import read_anchor
from fsm.domain.audit_keys import UNKEYED
from payment_service.cli.verify import verify
from tests.bus.servers import FoundNats
from tests.cli.anchors import anchor, seal_again, sign_again
from tests.cli.stage import corrupt, rewrite, with_world
from tests.playground.embedded.processes import memory_folder
from tests.service.test_anchor_sinks import ACCOUNTS, StreamPlace

OLD = datetime(2020, 1, 1, tzinfo=UTC)
ORDER = "(SELECT queue_id FROM order_queues WHERE order_id = 'w-paid')"
OF_ORDER = f"DELETE FROM {{}} WHERE queue_id = {ORDER}"  # noqa: S608 - our own text
# The last line of the order itself, and its row as it was before: all in order.
CUT = (
    "DELETE FROM order_task_events e USING (SELECT entity_id, max(version) AS version "
    "FROM order_task_events GROUP BY 1) l, order_queues q WHERE q.order_id = 'w-paid' "
    "AND e.entity_id = q.queue_id AND e.entity_id = l.entity_id "
    "AND e.version = l.version"
)
BACK = (
    "UPDATE order_queues q SET version = e.version, audit_hash = e.hash, "
    "waiting_for = 'notification', wake_at = clock_timestamp() "
    "FROM order_task_events e WHERE q.order_id = 'w-paid' AND "
    "e.entity_id = q.queue_id AND e.version = q.version - 1"
)
ERASED = [
    (OF_ORDER.format(table),)
    for table in ("order_task_events", "cases", "order_tasks", "order_queues")
]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "anchors.jsonl"


class Here:
    """Runs `verify` in this process: it is asked often."""

    def __init__(self, shell, monkeypatch, capsys):
        self.shell = shell
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *places):
        for name, value in self.shell.env.items():
            self._monkeypatch.setenv(name, value)
        anchors = [str(place) for place in places]
        code = verify(core=False, providers=False, anchors=anchors, as_json=True)
        report = json.loads(self._capsys.readouterr().out)
        assert code == (0 if report["ok"] else 1)
        return report


@pytest.fixture
def here(at_database, monkeypatch, capsys):
    monkeypatch.chdir(at_database.folder)
    return Here(at_database, monkeypatch, capsys)


@pytest.fixture
def anchored(orders, database_url, file):
    """Give the orders, whose chains are all anchored."""
    anchor(database_url, file)
    return orders


def found(shell, *places):
    offences = shell(*places)["offences"]
    assert {each["invariant"] for each in offences} <= {"anchor"}, offences
    return [(each["queue_id"], each["task_id"], each["what"]) for each in offences]


def said(shell, *places):
    return [what for _, _, what in found(shell, *places)]


def is_silent(shell):
    return shell()["offences"] == []


def rewritten(file, *lines):
    file.write_bytes(b"".join(line + b"\n" for line in lines))


def test_good_books_offend_nobody(here, anchored, file):
    report = here(file)

    assert report["ok"], report
    assert report["orders"] == len(anchored)
    assert any("anchors outside" in note for note in report["notes"])


@pytest.mark.usefixtures("anchored")
def test_what_was_written_since_the_last_anchor_is_not_missed_yet(
    here, file, database_url
):
    async def work(world):
        await world.order("w-later")

    asyncio.run(with_world(database_url, work))

    assert here(file)["ok"]


@pytest.mark.usefixtures("anchored")
def test_anchors_are_read_from_a_pipe(here, file):
    done = subprocess.run(
        here.shell.argv("verify", "--json", "--anchor", "-"),
        cwd=here.shell.folder,
        env=here.shell.environment(),
        input=file.read_bytes(),
        capture_output=True,
        check=False,
    )

    assert json.loads(done.stdout)["ok"], done


@pytest.mark.attack(
    "database", "A trail with its tail cut is found by `verify --anchor`"
)
def test_a_cut_tail_is_found(here, anchored, file, database_url):
    corrupt(database_url, (BACK,), (CUT,))
    seal_again(database_url, by=UNKEYED)
    assert is_silent(here)

    ((queue_id, task_id, what),) = found(here, file)
    assert (queue_id, task_id) == (anchored["w-paid"].queue.queue_id, None)
    assert "its trail ends at version" in what
    assert "(order_id w-paid)" in what


@pytest.mark.attack("database", "An order erased whole is found by what went out")
def test_an_erased_order_is_found_with_each_of_its_chains(
    here, anchored, file, database_url
):
    corrupt(database_url, *ERASED)
    assert is_silent(here)

    erased = found(here, file)
    queue = anchored["w-paid"].queue
    assert {queue_id for queue_id, _, _ in erased} == {queue.queue_id}
    assert {task_id for _, task_id, _ in erased} == {
        None,
        *(task.task_id for task in queue.tasks),
    }
    assert all("it was erased" in what for _, _, what in erased)


@pytest.mark.usefixtures("anchored")
def test_an_order_that_was_erased_with_its_heads_is_found_by_the_root(
    here, file, database_url
):
    corrupt(database_url, (OF_ORDER.format("anchor_heads"),), *ERASED)

    (what,) = said(here, file)
    assert what.startswith("anchor 1 in the database has ")


@pytest.mark.attack(
    "shell", "Who signs the trail again with its key is found by what went out"
)
@pytest.mark.usefixtures("anchored")
def test_who_has_the_key_and_signs_again_is_found_by_what_went_out(
    here, file, database_url
):
    corrupt(database_url, (OF_ORDER.format("anchor_heads"),), *ERASED)
    sign_again(database_url, by=UNKEYED)
    assert is_silent(here)

    told = said(here, file)
    assert all("is not what went out at" in what for what in told)
    assert len(told) == len(file.read_bytes().splitlines())


@pytest.mark.attack(
    "shell", "A trail rewritten with its own key is found by what went out"
)
def test_a_trail_that_was_rewritten_with_the_key_is_found(
    here, anchored, file, database_url
):
    task = anchored["w-paid"].queue.tasks[0]
    rewrite(database_url, task.task_id, by=UNKEYED, actor="user:mallory")
    seal_again(database_url, by=UNKEYED)
    assert is_silent(here)

    ((queue_id, task_id, what),) = found(here, file)
    assert (queue_id, task_id) == (anchored["w-paid"].queue.queue_id, task.task_id)
    assert "is not the one that anchor 1 has" in what


@pytest.mark.attack("database", "An invented order is found by what went out")
@pytest.mark.parametrize("is_taken_again", [False, True])
def test_an_invented_order_is_found(here, file, database_url, is_taken_again):
    anchor(database_url, file)

    async def work(world):
        return await world.order("w-paid")

    order = asyncio.run(with_world(database_url, work))
    (first, *_) = order.queue.tasks
    rewrite(database_url, first.task_id, by=UNKEYED, at=OLD)
    times = "UPDATE order_tasks SET sent_first_at = %s, sent_last_at = %s"
    corrupt(database_url, (times, OLD, OLD))
    if is_taken_again:
        anchor(database_url, file)

    invented = [
        (task_id, what)
        for task_id, what in (
            (each["task_id"], each["what"])
            for each in here(file)["offences"]
            if each["invariant"] == "anchor"
        )
    ]

    ((task_id, what),) = invented
    assert task_id == first.task_id
    assert "version 1 says it is of 2020-01-01" in what
    assert ("has it first" if is_taken_again else "no anchor has it") in what


@pytest.mark.attack("database", "Anchors erased from the database are found")
@pytest.mark.usefixtures("anchored")
def test_anchors_that_were_erased_are_named(here, file, database_url):
    corrupt(database_url, ("DELETE FROM anchors",), ("DELETE FROM anchor_heads",))
    assert is_silent(here)

    (what,) = said(here, file)
    count = len(file.read_bytes().splitlines())
    assert "not in the database" in what
    assert what.startswith("anchor 1 is" if count == 1 else f"anchors 1 to {count} are")


@pytest.mark.usefixtures("anchored")
def test_an_erased_anchor_in_the_middle_is_named(here, file, database_url):
    anchor(database_url, file)
    corrupt(database_url, ("DELETE FROM anchors WHERE n = 1",))

    told = said(here, file)
    assert any("anchor 1 is not in the database" in what for what in told)
    assert any("anchor 1 is gone" in what and "heads" in what for what in told)


@pytest.mark.attack("database", "An anchor forged without the key is found")
@pytest.mark.usefixtures("anchored")
def test_an_anchor_forged_without_the_key_is_named(here, file, database_url):
    corrupt(database_url, ("UPDATE anchors SET heads = heads + 1 WHERE n = 1",))

    told = " ".join(said(here, file))
    assert "anchor 1 in the database is forged: see its mac" in told
    assert "anchor 1 in the database is not what went out" in told


@pytest.mark.usefixtures("anchored")
def test_anchors_that_never_went_out_are_named(here, file, database_url):
    lines = file.read_bytes().splitlines()
    anchor(database_url, file)
    rewritten(file, *lines)

    assert here(file)["ok"]
    here.shell.env["PAYMENT_ANCHOR_INTERVAL"] = "1ms"
    told = said(here, file)
    assert told
    assert all("is not outside" in what for what in told)


@pytest.mark.usefixtures("anchored")
def test_lines_outside_that_were_tampered_with_are_named(here, file, database_url):
    anchor(database_url, file)
    anchor(database_url, file)
    first, second, *rest = file.read_bytes().splitlines()
    name = f"{file} line"

    rewritten(file, first, *rest)
    assert "anchor 2 is missing outside" in said(here, file)[0]
    rewritten(file, second, first, *rest)
    assert said(here, file) == [f"{name} 2: anchor 1 stands behind anchor 2"]
    heads = str(read_anchor(first).heads).encode()
    rewritten(file, first.replace(b'"heads":' + heads, b'"heads":99'), second, *rest)
    assert f"{name} 1: anchor 1 is forged: see its mac" in said(here, file)
    rewritten(file, first, first, second, *rest)
    assert here(file)["ok"]


@pytest.mark.usefixtures("anchored")
def test_what_is_no_anchor_is_passed_over_by_its_name(here, file):
    first, *rest = file.read_bytes().splitlines()
    odd = [b"\xff\xfe", b"[]", first[:30], b"x" * 9000, b'{"format":1}', first + b" "]
    rewritten(file, *odd, first, b"", *rest)

    report = here(file)

    assert report["ok"], report
    passed = [note for note in report["notes"] if note.startswith("passed over: ")]
    assert f"passed over: {file} line 1 is no JSON, or only a piece of it" in passed
    assert len(passed) >= len(odd)


@pytest.mark.usefixtures("anchored")
def test_a_key_that_is_not_known_here_is_named(here, file):
    here.shell.env["PAYMENT_AUDIT_KEYS"] = "k9:" + "6b" * 32

    told = " ".join(
        each["what"] for each in here(file)["offences"] if each["invariant"] == "anchor"
    )
    assert "line 1: anchor 1 is signed by the key 'open', which is not known" in told
    assert "anchor 1 in the database is signed by the key 'open'" in told


@pytest.mark.usefixtures("anchored")
def test_several_files_are_read_as_one(here, file, database_url):
    anchor(database_url, file)
    first, *rest = file.read_bytes().splitlines()
    other = file.with_name("other.jsonl")
    rewritten(file, first)
    rewritten(other, *rest)

    assert here(file, other)["ok"]


@pytest.mark.attack(
    "database", "Books of which nothing went out are not taken for well"
)
@pytest.mark.usefixtures("anchored")
def test_nothing_outside_is_not_taken_for_well(here, file):
    file.write_bytes(b"")

    report = here(file)
    assert not report["ok"]
    assert "there is no anchor outside to compare with" in report["incomplete"]


@pytest.mark.parametrize(
    ("place", "because"),
    [
        ("/no/such/file", "No such file"),
        ("/", "Is a directory"),
        ("nats", "needs PAYMENT_ANCHOR_STREAM"),
    ],
)
def test_a_place_that_cannot_be_read_is_named(here, place, because):
    answer = here.shell("verify", "--anchor", place)

    assert answer.code == 1
    assert because in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.usefixtures("anchored")
def test_the_stream_of_another_account_is_read(here, file, database_url):
    with FoundNats(configuration=ACCOUNTS, within=memory_folder()) as server:
        place = StreamPlace(server)
        asyncio.run(place.reopen())
        here.shell.env |= {
            "PAYMENT_NATS_URL": f"nats://pay:p@127.0.0.1:{server.port}",
            "PAYMENT_ANCHOR_NATS_URL": f"nats://anchor:a@127.0.0.1:{server.port}",
            "PAYMENT_ANCHOR_STREAM": "books.anchors",
        }
        for line in file.read_bytes().splitlines():
            asyncio.run(place.put(line))
        assert here("nats")["ok"]
        corrupt(database_url, *ERASED)

        assert "it was erased" in said(here, "nats")[0]
    answer = here.shell("verify", "--anchor", "nats")
    assert (answer.code, "cannot be read" in answer.err) == (1, True)


@pytest.mark.usefixtures("anchored")
def test_a_large_trail_is_read_in_pages(here, file, database_url):
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO anchor_heads SELECT gen_random_uuid(), 1, 1, "
            "gen_random_uuid(), '' FROM generate_series(1, 20000)"
        )

    told = said(here, file)
    assert len(told) == 20_001
