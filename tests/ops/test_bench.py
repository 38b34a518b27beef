"""The bench measures what it says: the unit, the figures, the plans, the pictures."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import psycopg
import pytest

from ops.bench import (
    bare,
    explain,
    flames,
    mock_server,
    pairs,
    peer_restate,
    plots,
    report,
    results,
    wal,
)
from ops.bench.load import SINGLE, UNIT, request
from ops.bench.measure import (
    HOT_TABLES,
    Cost,
    children,
    cpu_seconds,
    resident_bytes,
)
from ops.bench.mocks import ANSWERS
from ops.bench.rounds import over, percentile
from ops.bench.seeding import EVENTS, IDS, QUEUES, TASKS
from ops.bench.targets import MET, MISSED, Figure, table
from ops.bench.throughput import (
    BARE,
    DBOS,
    RESTATE,
    SERVICE_1,
    Sample,
    contestants,
    durations,
    figures,
)
from ops.bench.webhooks import signed
from ops.bench.world import CONFIG, PROVIDERS, split
from payment_service.storage import statements
from payment_service.wire.withdrawal import read_withdrawal
from providers.config import parse_config

REPOSITORY = Path(__file__).parents[2]
SECRET = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"


def walked_by_the_bare_loop():
    steps, name, position = [], "freeze", 0
    while name:
        step = bare.step_of(name, position)
        steps.append(name)
        position += name == "rollback"
        name = step.following
    return steps


def test_the_bare_loop_makes_the_ten_calls_of_the_unit():
    steps = walked_by_the_bare_loop()

    assert len(steps) == 10
    counts = {name: steps.count(name) for name in set(steps)}
    assert counts == {
        "freeze": 3,
        "create": 3,
        "rollback": 2,
        "commit": 1,
        "notify": 1,
    }


def test_two_providers_of_the_unit_decline_and_the_third_pays():
    answers = {answer.path.strip("/"): answer.status for answer in ANSWERS}

    assert [answers[PROVIDERS[name]] for name in UNIT] == [422, 422, 200]
    assert [answers[PROVIDERS[name]] for name in SINGLE] == [200]


@pytest.mark.parametrize("cascade", [UNIT, SINGLE])
def test_a_request_of_the_load_is_one_that_the_service_takes(cascade):
    read = read_withdrawal(request("w-1", cascade), sorted(PROVIDERS))

    assert [entry.provider for entry in read.cascade] == list(cascade)


def test_the_service_takes_the_configuration_of_the_bench():
    text = CONFIG.format(name="first", base_url="http://127.0.0.1:1/a", secret=SECRET)

    assert [
        *parse_config(text, ack_wait=timedelta(seconds=30), environment={}).providers
    ] == ["first"]


def test_workers_api_and_relay_are_processes_of_their_own():
    assert [role.name for role in split(2)] == ["worker-1", "worker-2", "api", "relay"]


def test_the_python_mocks_answer_what_nginx_would():
    for answer in ANSWERS:
        asked = f"POST {answer.path}v1/x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}"
        whole = mock_server.answer_to(asked.encode())

        assert whole.startswith(f"HTTP/1.1 {answer.status} ".encode())
        assert whole.endswith(answer.body.encode())


@pytest.mark.parametrize(
    ("received", "size"),
    [
        (b"GET / HTTP/1.1\r\n", None),
        (b"GET / HTTP/1.1\r\n\r\n", 18),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{", None),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}more", 40),
    ],
)
def test_the_python_mocks_see_where_a_request_ends(received, size):
    assert mock_server.size_of(received) == size


def test_percentiles_and_spreads():
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(n) for n in range(100)], 0.99) == 99.0
    assert over([90.0, 100.0, 110.0]).median == 100.0
    assert over([90.0, 100.0, 110.0]).spread == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("a", 5, "ms", at_most=5), MET),
        (Figure("a", 5.1, "ms", at_most=5), MISSED),
        (Figure("a", 5, "/s", at_least=5), MET),
        (Figure("a", 4.9, "/s", at_least=5), MISSED),
        (Figure("a", 5, "MB"), ""),
    ],
)
def test_a_figure_says_whether_it_keeps_its_bound(figure, verdict):
    assert figure.verdict == verdict
    assert (MISSED in table([figure])) == (verdict == MISSED)


def sample(contestant, rate, p50=0.1):
    cost = Cost(
        seconds=1.0,
        wal_bytes=1024,
        writes=100,
        commits=200,
        wal_records=300,
        wal_pages=0,
        scans={},
        cpu={"worker": 0.3, "postgres": 0.1},
    )
    return Sample(
        contestant=contestant,
        in_flight=10,
        orders=100,
        seconds=100 / rate,
        p50=p50,
        p99=0.2,
        cost=cost,
    )


def test_ratios_are_of_medians_against_the_bare_loop_and_the_rivals():
    rates = [(SERVICE_1, r) for r in (300, 350, 400)]
    rates += [(BARE, r) for r in (400, 500, 600)] + [(DBOS, 35), (DBOS, 35)]
    rates += [(RESTATE, 400)]

    found = {f.name: f for f in figures([sample(*each) for each in rates])}

    assert found[f"{SERVICE_1} ÷ {BARE}"].value == pytest.approx(0.7)
    assert found[f"{SERVICE_1} ÷ {DBOS}"].value == pytest.approx(10)
    assert found[f"{SERVICE_1} ÷ {RESTATE}"].value == pytest.approx(0.875)
    assert found[f"{SERVICE_1} ÷ {RESTATE}"].verdict == MISSED


def test_one_at_a_time_the_service_is_told_beside_the_bare_loop_and_restate():
    took = [(SERVICE_1, 0.012), (SERVICE_1, 0.013), (SERVICE_1, 0.011)]
    took += [(BARE, 0.01), (RESTATE, 0.011)]

    found = {f.name: f for f in durations([sample(n, 80, p50=t) for n, t in took])}

    assert found[f"{SERVICE_1} ÷ {BARE}, p50"].value == pytest.approx(1.2)
    assert found[f"{SERVICE_1} ÷ {RESTATE}, p50"].verdict == MISSED


def test_a_rival_that_is_not_installed_is_left_out_and_told(monkeypatch, capsys):
    monkeypatch.setattr(peer_restate, "MODULES", Path("/nowhere"))

    assert RESTATE not in contestants()
    assert "make bench-tools" in capsys.readouterr().out


def test_without_a_rival_only_the_bare_loop_is_compared():
    found = [f.name for f in figures([sample(SERVICE_1, 300), sample(BARE, 500)])]

    assert f"{SERVICE_1} ÷ {BARE}" in found
    assert not [name for name in found if f"÷ {DBOS}" in name]


def test_placeholders_become_postgresqls_own():
    text = "SELECT %(a)s, %(b)s::int, %(a)s WHERE at < now() - %(grace)s"

    numbered = explain.numbered(text)

    assert numbered == "SELECT $1, $2::int, $1 WHERE at < now() - $3::interval"


def test_no_hot_statement_reads_a_table_whole_though_all_are_empty(database_url):
    assert explain.sequential(database_url) == {}


def test_no_hot_statement_reads_a_table_whole_though_all_are_large(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ANALYZE")
        # A million rows, as far as the planner knows, on what one page there is.
        connection.execute(
            "UPDATE pg_class SET relpages = 1, reltuples = 1e6 WHERE relname = ANY(%s)",
            [list(HOT_TABLES)],
        )
        connection.execute(
            "INSERT INTO outbox (message_id, subject, body) VALUES ('m', 's', '')"
        )

    assert explain.sequential(database_url) == {}


def test_a_statement_that_reads_a_table_whole_is_found(database_url, monkeypatch):
    whole = (
        "SELECT state FROM order_tasks WHERE wake_at < clock_timestamp() - %(grace)s"
    )
    monkeypatch.setattr(statements, "OVERDUE", whole)

    assert explain.sequential(database_url) == {"OVERDUE": ["order_tasks"]}


def test_seeds_fit_the_schema(database_url):
    with psycopg.connect(database_url) as connection:
        given = {"first": "2030-01-01T00:00:00Z", "spread": "1 day", "count": 3}
        connection.execute(IDS, given)
        for statement in (QUEUES, TASKS, EVENTS):
            assert connection.execute(statement).rowcount >= 3


def test_a_webhook_of_the_load_is_signed_as_the_provider_would():
    head, _, body = signed(SECRET, "t-1", "evt_1").partition(b"\r\n\r\n")

    assert f"Content-Length: {len(body)}".encode() in head
    assert b"webhook-signature: v1," in head
    assert json.loads(body)["reference"] == "t-1"


def test_what_this_process_uses_can_be_read():
    assert cpu_seconds([os.getpid()]) > 0
    assert resident_bytes(os.getpid()) > 1_000_000
    assert cpu_seconds([2**22 + 1]) == 0
    assert children(2**22 + 1) == []


FOLDED = """\
main (a.py:1);handle (payment_service/bus/consumer.py:9);decide (fsm/decisions.py:3) 30
main (a.py:1);handle (payment_service/bus/consumer.py:9);decide (fsm/decisions.py:8) 10
main (a.py:1);send (providers/http/outbound.py:5) 60
Thread._bootstrap (threading.py:1);_worker (thread.py:2) 500
"""


def test_a_profile_sums_by_function_and_leaves_idle_threads_out():
    profile = flames.read(FOLDED)

    assert profile.total == 100
    assert profile.own["decide (fsm/decisions.py)"] == 40
    assert profile.inclusive["main (a.py)"] == 100
    assert profile.by_purpose == {"rules (fsm)": 40, "calls out over HTTP": 60}
    assert "60.0 %" in flames.summary(profile)


def test_a_plot_is_well_formed_and_names_its_lines():
    series = {"service <1>": [(1, 70.0), (256, 400.0)], "bare": [(1, 90.0)]}

    picture = plots.lines("Rate", series, x="in flight", y="a second")

    texts = [each.text for each in ET.fromstring(picture).iter()]  # noqa: S314 - our own
    assert "service <1>" in texts
    assert "bare" in texts


def test_the_report_replaces_what_stands_between_its_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}old{report.END}\nafter\n")

    assert report.write(page)

    text = page.read_text()
    assert text.startswith(f"before\n{report.BEGIN}")
    assert text.endswith(f"{report.END}\nafter\n")
    assert "old" not in text


def test_the_first_page_has_two_lines_of_it(tmp_path):
    page = tmp_path / "README.md"
    page.write_text(f"a\n{report.SHORT_BEGIN}\n{report.SHORT_END}\nb\n")

    assert report.write(page)

    _, _, rate, latency, _, _ = page.read_text().splitlines()
    assert " withdrawals a second " in rate
    assert "p99" in latency


def test_a_page_without_markers_is_left_alone(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("no markers\n")

    assert not report.write(page)
    assert page.read_text() == "no markers\n"


@pytest.mark.waits
def test_one_withdrawal_at_a_time_is_measured_on_the_whole_service(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "ops.bench", "latency", "--orders", "5"],
        cwd=REPOSITORY,
        env={**os.environ, results.FOLDER: str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    kept = json.loads((tmp_path / "latency.json").read_text())
    assert len(kept["unit_milliseconds"]) == 5
    assert all(time > 0 for time in kept["unit_milliseconds"])


def test_the_executor_is_measured_beside_the_same_fetches_in_turn(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "ops.bench", "executor", "--rounds", "3"],
        cwd=REPOSITORY,
        env={**os.environ, results.FOLDER: str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    kept = json.loads((tmp_path / "executor.json").read_text())
    figures = {figure["name"]: figure["value"] for figure in kept["figures"]}
    # Nine fetches of 50 ms each; how much less it takes at once is the machine's.
    assert figures["nine fetches, two deep: one after another"] > 9 * 50
    assert figures["nine fetches, two deep: at once"] > 2 * 50
    assert figures["nine fetches, two deep: times faster"] > 1


def costs(*pairs):
    names = ("cpu_milliseconds", "cpu_milliseconds_worker")
    return [tuple(dict.fromkeys(names, cost) for cost in pair) for pair in pairs]


def test_a_change_is_told_with_the_interval_it_lies_in():
    found = {f.name: f for f in pairs.figures(costs((2, 2.02), (4, 4.04), (1, 1.04)))}

    # The mean of the logarithms: the third root of 1.01, 1.01 and 1.04, multiplied.
    assert found["change"].value == pytest.approx(1.990, abs=0.001)
    # A half-width of t(2) = 4.30 times 0.01690 / sqrt(3), of the logarithms.
    assert found["change, 95 % interval, lower end"].value == pytest.approx(-2.20, 0.01)
    assert found["change, 95 % interval, upper end"].value == pytest.approx(6.36, 0.01)
    assert found["change, 95 % interval, upper end"].verdict == MISSED
    assert found["change, median of the pairs"].value == pytest.approx(1)
    assert found["pairs scatter by"].value == pytest.approx(1.70, 0.01)
    assert found["worker: change"].value == pytest.approx(0.1 / 3)


def test_twice_as_dear_and_half_as_dear_are_together_no_change():
    found = {f.name: f for f in pairs.figures(costs((2, 4), (4, 2), (3, 3)))}

    assert found["change"].value == pytest.approx(0)
    assert found["change, median of the pairs"].value == 0


def test_the_trees_take_as_many_turns_and_go_first_as_often():
    taken = [[*pairs.turns(pair)] for pair in range(4)]

    for turns in taken:
        assert len(turns) == 2 * pairs.SLICES
        beside = zip(turns[::2], turns[1::2], strict=True)
        assert all({*both} == {0, 1} for both in beside)
    firsts = [turns[n] for turns in taken for n in range(0, len(turns), 2)]
    assert firsts.count(0) == firsts.count(1)
    assert [turns[0] for turns in taken] == [0, 1, 0, 1]


def test_a_round_costs_what_its_slices_do():
    slices = [{"cpu_milliseconds": 2.0, "commits": 1}, {"cpu_milliseconds": 4.0}]

    assert pairs.averaged([slices[0], slices[0] | slices[1]]) == {
        "cpu_milliseconds": 3.0,
        "commits": 1,
    }


def test_an_interval_is_as_wide_as_students_t_says():
    low, high = pairs.interval([1.0, 3.0] * 20)

    assert (low + high) / 2 == pytest.approx(2)
    # t(39) = 2.02 times 1.0127 / sqrt(40).
    assert (high - low) / 2 == pytest.approx(0.3235, abs=0.0005)


def test_equal_costs_are_no_change():
    found = {f.name: f for f in pairs.figures(costs((2, 2), (3, 3), (4, 4)))}

    assert found["change, 95 % interval, upper end"].value == 0
    assert found["change, 95 % interval, upper end"].verdict == MET


@pytest.mark.waits
def test_a_tree_is_measured_beside_another_one(tmp_path):
    wanted = ["--against", str(REPOSITORY), "--pairs", "3", "--orders", "20"]
    done = subprocess.run(
        [sys.executable, "-m", "ops.bench", "pairs", *wanted],
        cwd=REPOSITORY,
        env={**os.environ, results.FOLDER: str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    kept = json.loads((tmp_path / "pairs.json").read_text())
    assert len(kept["pairs"]) == 3
    assert all(pair["before"]["cpu_milliseconds"] > 0 for pair in kept["pairs"])


DUMPED = """\
rmgr: Heap        len (rec/tot):     54/    54, tx:        743, lsn: 0/0195F0D8, \
prev 0/0195F0A0, desc: LOCK xmax: 743, off: 1, infobits: [EXCL_LOCK], flags: 0x00, \
blkref #0: rel 1663/5/16400 blk 0
rmgr: Heap        len (rec/tot):    203/  8203, tx:        743, lsn: 0/0195F110, \
prev 0/0195F0D8, desc: HOT_UPDATE old_xmax: 743, old_off: 1, new_off: 5, flags: 0x00, \
blkref #0: rel 1663/5/16400 blk 0 FPW
rmgr: Btree       len (rec/tot):     72/    72, tx:        743, lsn: 0/0195F1E0, \
prev 0/0195F110, desc: INSERT_LEAF off: 1, blkref #0: rel 1663/5/16401 blk 1
rmgr: Transaction len (rec/tot):     34/    34, tx:        743, lsn: 0/0195F228, \
prev 0/0195F1E0, desc: COMMIT 2026-11-30 15:00:00.000000 UTC
"""
RELATIONS = {"16400": "order_tasks", "16401": "order_tasks: pk_order_tasks"}


def test_the_log_is_read_by_table_and_kind_without_images_of_pages():
    lines = DUMPED.splitlines()

    records = [*wal.records_of(lines, RELATIONS)]

    assert records == [
        ("order_tasks", "LOCK", 56, 0),
        ("order_tasks", "HOT_UPDATE", 208, 8000),
        ("order_tasks: pk_order_tasks", "INSERT_LEAF", 72, 0),
        ("Transaction", "COMMIT", 40, 0),
    ]
    written = wal.Written(2, records, 1.0)
    assert written.each() == 188
    assert written.each("order_tasks") == 168
    assert written.count("order_tasks", kinds=["HOT_UPDATE"]) == 0.5


def test_what_is_no_record_of_the_log_is_refused():
    with pytest.raises(ValueError, match="no record"):
        [*wal.records_of(["pg_waldump: error"], {})]


@pytest.mark.waits
def test_what_a_withdrawal_writes_ahead_is_measured(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "ops.bench", "wal", "--orders", "20"],
        cwd=REPOSITORY,
        env={**os.environ, results.FOLDER: str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    tables = json.loads((tmp_path / "wal.json").read_text())["tables"]
    count, size = tables["order_task_events: order_task_events_pkey"]["INSERT_LEAF"]
    assert count == pytest.approx(17, abs=1)
    assert size > 17 * 64
    assert "other" not in tables
