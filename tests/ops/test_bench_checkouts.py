"""The bench's checkouts: their path, their statements, the rival, saved orders."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from ops.bench import checkouts, results, saved
from ops.bench.checkouts import (
    DBOS_TOGETHER,
    Alone,
    calls,
    critical_path,
    everywhere,
)
from ops.bench.load import Timed, checkout
from ops.bench.measure import Cost
from ops.bench.saved import Saved, faults
from ops.bench.statements import Statement, Told, statements_of
from ops.bench.targets import MET, MISSED
from ops.bench.throughput import DBOS, SERVICE_1, Sample
from payment_service.storage import record
from payment_service.storage import statements as sql
from payment_service.wire.checkout import read_checkout
from providers.config import parse_config
from providers.config.services import LOADS, STEPS

REPOSITORY = Path(__file__).parents[2]
QUEUE = "01890000-0000-7000-8000-000000000001"
OTHER = "01890000-0000-7000-8000-000000000002"


def measured(folder, *wanted):
    """Run a command of the bench; return what it has kept, and its figures."""
    done = subprocess.run(
        [sys.executable, "-m", "ops.bench", *wanted],
        cwd=REPOSITORY,
        env={**os.environ, results.FOLDER: str(folder)},
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept = json.loads((folder / f"{wanted[0]}.json").read_text())
    return kept, {figure["name"]: figure for figure in kept["figures"]}


def test_a_checkout_of_the_load_is_one_that_the_service_takes():
    read = read_checkout(checkout("c-1"), STEPS)

    assert read.order_id == "c-1"
    assert {*read.details} == {"payment_method", "items", "delivery", "fees"}


def test_the_service_takes_the_services_of_the_bench():
    text = "".join(
        checkouts.TABLE.format(name=name, base_url=url, attempts=1)
        for name, url in everywhere("http://127.0.0.1:1/services").items()
    )

    config = parse_config(text, ack_wait=timedelta(seconds=30), environment={})

    assert {*config.services} == {*STEPS, *LOADS}
    assert {table.policy.attempts for table in config.services.values()} == {1}


def test_five_fetches_two_deep_and_four_steps_three_deep_are_five_calls_long():
    assert calls() == 9
    assert critical_path(0.05) == pytest.approx(5 * 0.05)


def logged(text, *ids, name="payment-service worker"):
    """Return an entry of the log, with these ids among the parameters."""
    numbered = text.replace("%(queue_ids)s", "$1")
    told = ", ".join(f"${n} = '{{{one}}}'" for n, one in enumerate(ids, 1))
    return {
        "application_name": name,
        "message": f"execute _pg3_7: {numbered}",
        "detail": f"Parameters: {told}",
    }


def test_a_read_and_a_commit_are_told_by_what_they_are():
    commit = next(iter(record.RECORD.values()))
    entries = [logged(sql.LOAD, QUEUE), logged(commit, QUEUE)]

    assert [*statements_of(entries, [QUEUE])] == [
        Statement("LOAD", writes=False, of_order=True),
        Statement("RECORD", writes=True, of_order=True),
    ]


def test_a_read_that_locks_its_row_is_no_commit():
    (found,) = statements_of([logged("SELECT 1 FROM t FOR UPDATE", QUEUE)], [QUEUE])

    assert found == Statement("SELECT 1 FROM t FOR UPDATE", writes=False, of_order=True)


def test_what_names_no_order_or_comes_from_elsewhere_is_not_the_orders():
    entries = [
        logged("DELETE FROM outbox WHERE seq = 1", OTHER),
        logged("SELECT 1", QUEUE, name="psql"),
        {"application_name": "payment-service worker", "message": "checkpoint"},
    ]

    (found,) = statements_of(entries, [QUEUE])
    told = Told(1, [found])
    assert (told.reads, told.writes) == (0, 0)
    assert told.by_name(of_order=False) == {found.name: 1}


def test_statements_are_counted_for_one_order():
    told = Told(
        2,
        [Statement("LOAD", writes=False, of_order=True)] * 2
        + [Statement("RECORD", writes=True, of_order=True)] * 14,
    )

    assert (told.reads, told.writes) == (1, 7)
    assert told.by_name() == {"RECORD": 7, "LOAD": 1}


def alone(milliseconds, reads, writes):
    told = [Statement("r", writes=False, of_order=True)] * reads
    told += [Statement("w", writes=True, of_order=True)] * writes
    timed = Timed(1.0, [milliseconds / 1000] * 3)
    return Alone(timed, Told(1, told), commits=writes + 0.5)


@pytest.mark.parametrize(
    ("milliseconds", "reads", "writes", "verdicts"),
    [(287, 3, 7, [MET, MET, MET]), (288, 4, 8, [MISSED, MISSED, MISSED])],
)
def test_a_checkout_is_held_against_its_path_and_beside_one_step_by_step(
    milliseconds, reads, writes, verdicts
):
    ours, stepped = alone(milliseconds, reads, writes), alone(400, 10, 14)

    found = {f.name: f for f in checkouts.latencies(ours, stepped, 0.05)}

    bound = ("a checkout ÷ critical path", "reads each", "commits each")
    assert [found[name].verdict for name in bound] == verdicts
    assert found["sum of its calls"].value == pytest.approx(450)
    change = found["commits, beside step by step"].value
    assert change == pytest.approx((writes / 14 - 1) * 100)


def sample(contestant, rate):
    return Sample(
        contestant=contestant,
        in_flight=10,
        orders=100,
        seconds=100 / rate,
        p50=0.1,
        p99=0.2,
        cost=Cost(
            seconds=1.0,
            wal_bytes=1,
            writes=1,
            commits=1,
            wal_records=1,
            wal_pages=0,
            scans={},
            cpu={"worker": 0.3},
        ),
    )


def test_checkouts_a_second_are_beside_the_rival_whose_every_call_is_a_step():
    rates = [(SERVICE_1, 300), (DBOS, 31), (DBOS_TOGETHER, 60)]

    found = {f.name: f for f in checkouts.rates([sample(*each) for each in rates])}

    assert found[f"{SERVICE_1} ÷ {DBOS}"].verdict == MISSED
    assert found[f"{SERVICE_1} ÷ {DBOS_TOGETHER}"].value == pytest.approx(5)
    assert found[f"{SERVICE_1} ÷ {DBOS_TOGETHER}"].verdict == ""


def test_without_the_rival_there_is_no_ratio():
    assert [f.name for f in checkouts.rates([sample(SERVICE_1, 300)])] == [SERVICE_1]


def test_faults_strike_their_share_of_the_calls_that_do_a_step():
    found = faults(0.01)

    assert sum(fault.probability for fault in found) == pytest.approx(0.01)
    assert all(fault.concerns("payment.do", {}) for fault in found)
    assert not any(fault.concerns("payment.undo", {}) for fault in found)
    assert not any(fault.concerns("items.load", {}) for fault in found)


def test_an_order_that_is_lost_though_it_was_tried_again_misses():
    kept = Saved(100, completed=99, failed=1, with_a_person=0, calls_failed=4)
    without = Saved(100, completed=95, failed=4, with_a_person=1, calls_failed=4)

    found = {f.name: f for f in saved.figures(kept, without)}

    assert found["retries on: completed"].verdict == MISSED
    assert found["retries on: lost"].verdict == MISSED
    assert found["retries off: lost"].value == 5


@pytest.mark.waits
def test_a_checkout_reads_nothing_and_commits_once_a_step_and_thrice(tmp_path):
    few = ("--orders", "5", "--many", "20", "--in-flight", "5", "--rounds", "1")

    kept, figures = measured(tmp_path, "checkouts", *few)

    assert len(kept["milliseconds"]) == 5
    assert figures["a checkout, p50"]["value"] > figures["critical path"]["value"]
    # The request, what was loaded, each step, and that core was told.
    assert kept["statements"] == {"RECORD": len(STEPS) + 2, "SUBMIT": 1}
    assert figures["reads each"]["value"] == 0
    stepped = kept["statements_stepwise"]
    assert stepped["LOAD"] > 3
    assert figures["step by step: commits each"]["value"] >= len(STEPS) + len(LOADS)
    assert figures[SERVICE_1]["value"] > 0


@pytest.mark.waits
def test_no_checkout_is_lost_whose_calls_are_made_again(tmp_path):
    many = ("--orders", "80", "--in-flight", "40", "--percent", "10")

    kept, figures = measured(tmp_path, "saved", *many)

    tried, not_tried = kept["with_retries"], kept["without_retries"]
    assert tried["completed"] == 80
    assert tried["calls_failed"] > 0
    assert not_tried["completed"] < 80
    assert figures["books that disagree"]["value"] == 0
