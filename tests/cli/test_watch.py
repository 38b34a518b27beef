"""An order is followed until it is at rest; a case is shown with what can be done."""

import json
import signal
import sys
from typing import Any

import pytest

from fsm.domain.errors import StoreUnavailable
from fsm.engine.words import CaseKind, CaseState, State
from payment_service.cli import case_shown, watch
from tests.cli.stage import Here
from tests.cli.test_tables import Said, said_to


@pytest.fixture
def here(at_database):
    """Run commands in this process, on the test's database."""
    return Here(at_database.folder, at_database.env)


def test_a_pipe_gets_a_line_for_each_move_and_the_outcome(here, orders):
    said = here("order", "show", "w-paid", "--watch")
    plain = here("order", "show", "w-paid", "--json").json

    *moves, last = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert last == "w-paid\tCOMPLETED"
    assert len(moves) == len(plain["events"])
    assert all(line.count("\t") == 6 for line in moves)
    del orders


def test_under_json_every_line_is_an_object(here, orders):
    said = here("order", "show", "w-declined", "--watch", "--json")

    *events, last = map(json.loads, said.out.splitlines())
    assert said.code == 1
    assert last["order"]["state"] == "FAILED"
    assert [event["seq"] for event in events] == sorted(e["seq"] for e in events)
    del orders


def test_it_ends_where_only_a_person_can_go_on(here, orders):
    said = here("order", "show", "w-silent", "--watch")

    assert said.code == 1
    assert "MANUAL_CHECK" in said.out
    del orders


class Reads:
    """An order that goes on between looks, in a database that is away at times."""

    def __init__(self, *pictures):
        self.pictures = [*pictures]

    async def find(self, _queue_id):
        now = self.pictures.pop(0)
        if isinstance(now, Exception):
            raise now
        return now

    async def events(self, _queue_id):
        return []

    async def cases(self, _sought):
        return type("Page", (), {"items": []})


def reads_of(*pictures: Any) -> Any:
    """Give these pictures of an order, one a look."""
    return Reads(*pictures)


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(watch, "EVERY_SECONDS", 0)


@pytest.mark.usefixtures("at_once")
async def test_a_database_that_is_away_is_told_once_and_asked_again(orders, capsys):
    away = StoreUnavailable("gone")
    paid = orders["w-paid"]
    lines = watch.MoveLines(as_json=False)

    code = await watch.follow(reads_of(away, away, paid), paid.queue_id, lines)

    assert code == 0
    said = capsys.readouterr()
    assert said.out == "w-paid\tCOMPLETED\n"
    assert said.err.count("does not answer") == 1


@pytest.mark.usefixtures("at_once")
async def test_a_terminal_is_redrawn_where_something_has_changed(orders):
    silent, paid = orders["w-silent"], orders["w-paid"]
    busy = silent.__class__(
        **{
            **{n: getattr(silent, n) for n in silent.__slots__},
            "queue": silent.queue.__class__(
                **{
                    **{n: getattr(silent.queue, n) for n in silent.queue.__slots__},
                    "tasks": (),
                }
            ),
        }
    )
    with said_to(a_person=True) as said:
        code = await watch.follow(
            reads_of(busy, busy, paid), paid.queue_id, watch.Screen(wide=False)
        )

    assert code == 0
    assert said.getvalue().count(watch.REDRAWN) == 2


@pytest.mark.usefixtures("at_once")
async def test_it_ends_with_who_reads(orders, monkeypatch):
    gone: Any = Said(to_a_person=False)
    gone.is_left = True
    monkeypatch.setattr(sys, "stdout", gone)

    code = await watch.follow(reads_of(), orders["w-paid"].queue_id, watch.MoveLines)

    assert code == 0


def test_a_person_who_interrupts_it_sees_no_traceback(at_database, database_url):
    from tests.cli.test_short_ids import store_of  # noqa: PLC0415 - for one test
    from tests.storage.builders import a_new_order  # noqa: PLC0415 - as above

    store_of(database_url, lambda store: store.submit(a_new_order("a", order_id="w-1")))
    process = at_database.start("order", "show", "w-1", "--watch")
    assert "\t" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert err == ""


# A case.


def a_case(orders, kind, state=CaseState.OPEN, owner=None):
    order = orders["w-silent"]
    task = next(t for t in order.queue.tasks if t.state is State.MANUAL_CHECK)
    case = type("Case", (), {})()
    case.__dict__ |= {"id": "c", "kind": kind, "state": state, "owner": owner}
    case.task_id = task.task_id
    return case, order


def test_what_can_be_done_about_a_case_depends_on_where_it_stands(orders):
    def commands(*args, **more):
        return [" ".join(step.split()[:2]) for step, _ in steps(*args, **more)]

    def steps(*args, **more):
        return case_shown.next_steps(*a_case(orders, *args, **more))

    returned, late = CaseKind.RETURN_AFTER_SUCCESS, CaseKind.LATE_SUCCESS
    assert commands(late) == ["case assign", "task resolve", "case close"]
    assert commands(returned, owner="anna") == [
        *("task resolve", "case settle", "case close"),
    ]
    assert "case settle" not in commands(returned, CaseState.SETTLING)
    assert commands(returned, CaseState.CLOSED) == []
    assert commands(returned, CaseState.SETTLED) == []
