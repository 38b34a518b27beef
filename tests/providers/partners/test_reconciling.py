"""Fallback checks by a partner's files: the newest counts; a lost one hides none."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fsm.domain.ids import new_id
from handlers.ports.partners import (
    Eligible,
    MultiMatch,
    NotEligible,
    PartnerCall,
    PartnerNotSent,
    PartnerPending,
    PartnerUnclear,
)
from providers.config.partners import FileTable
from providers.http.outbound import Lost, RequestNotSent, Response
from providers.partners import reconciling
from providers.partners.fetched import (
    FileBody,
    FileLost,
    FileNotThere,
    FileUnchanged,
    FileVersion,
    file_answer,
)
from providers.partners.reconciling import Reconciliation, begun_at
from providers.partners.report import read_report

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
COLUMNS = {"customer_id": "customer", "card_token": "card", "result": "outcome"}
WORDS = {"yes": "eligible", "no": "not_eligible", "many": "multi_match", "": "pending"}
WORDS = {word: means for word, means in WORDS.items() if word} | {"wait": "pending"}
HEAD = "customer,card,outcome,reason,at"
ONE = "/links.csv"
MINUTE = timedelta(minutes=1)


class Files:
    """Implements ``FileSource``: what is there by its path, and what was asked."""

    def __init__(self, **told):
        self.there = told
        self.asked = []
        self.waits = asyncio.Event()
        self.waits.set()

    async def fetch(self, path, known, seconds):
        del seconds
        self.asked.append((path, known))
        await self.waits.wait()
        found = self.there.get(path, FileNotThere())
        if isinstance(found, FileBody) and known == found.version:
            return FileUnchanged()
        return found


def told(*lines, tag="1"):
    body = "".join(f"{line}\n" for line in (HEAD, *lines)).encode()
    return FileBody(body, FileVersion(tag))


def table(path=ONE, **keys):
    columns = COLUMNS | {"code": "reason", "time": "at"} | keys.pop("columns", {})
    given = {"path": path, "columns": columns, "results": WORDS, "fresh": "1m"}
    return FileTable.model_validate(given | keys)


class Desk:
    """A reconciliation with its files, its clock and what it noted."""

    def __init__(self, files, **keys):
        self.files = Files()
        self.files.there = files
        self.now = NOW
        self.noted: list[Any] = []
        self.made = Reconciliation(
            "northbank",
            table(**keys),
            self.files,
            now=lambda: self.now,
            note=lambda *seen: self.noted.append(seen),
        )

    async def ask(self, begun=NOW - timedelta(days=1), card="tok_1"):
        task_id = new_id(begun)
        order = {"customer_id": "c-1", "card": {"token": card}}
        call = PartnerCall(task_id=task_id, key=f"{task_id}:2", n=2, order=order)
        return await self.made.answer(call)


AT = "2026-01-31T11:00:00Z"
LINES = {
    f"c-1,tok_1,yes,,{AT}": Eligible(),
    f"c-1,tok_1,no,blocked,{AT}": NotEligible(code="blocked"),
    f"c-1,tok_1,no,,{AT}": NotEligible(code="not_eligible"),
    f"c-1,tok_1,many,,{AT}": MultiMatch(),
    f"c-1,tok_1,wait,,{AT}": PartnerPending(),
    f"c-2,tok_1,yes,,{AT}": PartnerPending(),
    f"c-1,tok_2,no,,{AT}": PartnerPending(),
}


@pytest.mark.parametrize("line", LINES)
async def test_a_card_is_what_its_line_says(line):
    desk = Desk({ONE: told(f"c-9,tok_9,no,,{AT}", line)})

    assert await desk.ask() == LINES[line]


async def test_a_file_that_is_not_there_yet_is_pending():
    assert await Desk({}).ask() == PartnerPending()


async def test_a_line_from_before_the_link_says_nothing_of_it():
    """The same card was linked before, and is linked anew."""
    desk = Desk({ONE: told(f"c-1,tok_1,no,,{AT}")})

    assert await desk.ask(begun=NOW) == PartnerPending()
    assert await desk.ask(begun=NOW - 2 * timedelta(hours=1)) == NotEligible(
        code="not_eligible"
    )


async def test_what_is_known_outweighs_what_was_not_yet():
    desk = Desk({ONE: told(f"c-1,tok_1,yes,,{AT}", f"c-1,tok_1,wait,,{AT}")})

    assert await desk.ask() == Eligible()


async def test_lines_that_contradict_each_other_prove_nothing():
    desk = Desk({ONE: told(f"c-1,tok_1,yes,,{AT}", f"c-1,tok_1,no,,{AT}")})

    answer = await desk.ask()

    assert answer == PartnerUnclear(
        because="/links.csv: lines 2, 3 contradict each other"
    )


@pytest.mark.parametrize("others", [[], ["yes"], ["no"], ["wait"]])
async def test_an_odd_line_about_the_card_proves_nothing_whatever_else_is_known(others):
    lines = [f"c-1,tok_1,{word},,{AT}" for word in ["revoked", *others]]
    answer = await Desk({ONE: told(*lines)}).ask()
    other = await Desk({ONE: told(*lines)}).ask(card="tok_2")

    assert isinstance(answer, PartnerUnclear)
    assert "line 2: its result is none" in answer.because
    assert other == PartnerPending()


async def test_an_odd_line_from_before_the_link_says_nothing_of_it():
    earlier = "c-1,tok_1,maybe,,2026-01-30T11:00:00Z"
    desk = Desk({ONE: told(earlier, f"c-1,tok_1,yes,,{AT}", earlier)})
    timeless = Desk({ONE: told("c-1,tok_1,yes,,soon", earlier)})

    assert await desk.ask() == Eligible()
    assert isinstance(await timeless.ask(), PartnerUnclear)


async def test_every_odd_line_is_noted_once_for_each_version_of_a_file():
    desk = Desk({ONE: told("odd", f"c-1,tok_1,yes,,{AT}")}, fresh="1ms")
    for _ in range(3):
        await desk.ask()
        await asyncio.sleep(0.01)
    desk.files.there[ONE] = told("odd", "odder", tag="2")
    await desk.ask()

    (_, path, first), (_, _, second) = desk.noted
    assert path == ONE
    assert [str(line) for line in first.odd] == [
        "line 2: it has 1 fields, and the first line has 5"
    ]
    assert second.odd_count == 2
    assert [known for _, known in desk.files.asked] == [
        None,
        *[FileVersion("1")] * 3,
    ]


async def test_a_file_that_is_new_enough_is_not_asked_for_again():
    desk = Desk({ONE: told(f"c-1,tok_1,yes,,{AT}")})
    for _ in range(5):
        assert await desk.ask() == Eligible()

    assert len(desk.files.asked) == 1


async def test_whoever_asks_at_the_same_time_waits_for_the_same_file():
    desk = Desk({ONE: told(f"c-1,tok_1,yes,,{AT}")})
    desk.files.waits.clear()
    asking = [asyncio.create_task(desk.ask()) for _ in range(20)]
    await asyncio.sleep(0)
    desk.files.waits.set()

    assert await asyncio.gather(*asking) == [Eligible()] * 20
    assert len(desk.files.asked) == 1


async def test_a_file_that_vanishes_is_believed_no_more():
    desk = Desk({ONE: told(f"c-1,tok_1,yes,,{AT}")}, fresh="1ms")
    assert await desk.ask() == Eligible()
    desk.files.there.clear()
    await asyncio.sleep(0.01)

    assert await desk.ask() == PartnerPending()


@pytest.mark.parametrize(
    ("lost", "kind"),
    [
        (FileLost(because="status 500"), PartnerUnclear),
        (FileLost(because="no connection", sent=False), PartnerNotSent),
        (FileBody(b"<html>\n"), PartnerUnclear),
        (FileUnchanged(), PartnerUnclear),
    ],
)
async def test_a_file_that_cannot_be_had_says_so(lost, kind):
    answer = await Desk({ONE: lost}).ask()

    assert isinstance(answer, kind)
    assert answer.because.startswith("/links.csv: ")


async def test_files_that_never_come_end_in_time():
    desk = Desk({}, timeout="20ms")
    desk.files.waits.clear()

    assert await desk.ask() == PartnerUnclear(because="the files were not read in time")


async def test_a_file_that_takes_longer_than_a_check_is_read_once_and_to_its_end(
    monkeypatch,
):
    """Or a large one would be begun by every check, and finished by none."""
    may_end, begun = threading.Event(), list[bytes]()

    def slowly(body, form):
        begun.append(body)
        may_end.wait(60)
        return read_report(body, form)

    monkeypatch.setattr(reconciling, "read_report", slowly)
    desk = Desk({ONE: told(f"c-1,tok_1,yes,,{AT}")}, timeout="20ms")
    late = PartnerUnclear(because="the files were not read in time")

    try:
        assert [await desk.ask() for _ in range(3)] == [late] * 3
    finally:
        may_end.set()

    while (answer := await desk.ask()) == late:
        pass
    assert answer == Eligible()
    assert len(begun) == 1


DATED = "/links-{date}.csv"
DAYS = {"path": DATED, "days": 4, "columns": {"time": None}}


def dated(day):
    return f"/links-2026-01-{day}.csv"


def line(word):
    return f"c-1,tok_1,{word},,"


async def test_of_the_days_since_the_link_began_the_newest_that_says_something_counts():
    begun = NOW - timedelta(days=2)
    files = {dated(28): told(line("no")), dated(29): told(line("no"))}
    files |= {dated(30): told(line("yes")), dated(31): told()}
    desk = Desk(files, **DAYS)

    assert await desk.ask(begun) == Eligible()
    assert [path for path, _ in desk.files.asked] == [dated(31), dated(30)]


async def test_days_before_the_link_began_are_never_looked_into():
    desk = Desk({dated(28): told(line("no"))}, **DAYS)

    assert await desk.ask(NOW - timedelta(days=1)) == PartnerPending()
    assert [path for path, _ in desk.files.asked] == [dated(31), dated(30)]


async def test_no_more_days_are_looked_into_than_the_table_says():
    desk = Desk({}, **DAYS)

    await desk.ask(NOW - timedelta(days=20))

    assert [path for path, _ in desk.files.asked] == [
        dated(day) for day in (31, 30, 29, 28)
    ]


async def test_a_newer_file_that_cannot_be_read_hides_the_older():
    files = {dated(31): FileLost(because="status 500"), dated(30): told(line("yes"))}
    desk = Desk(files, **DAYS)

    assert isinstance(await desk.ask(), PartnerUnclear)


@pytest.mark.parametrize(
    ("answer", "known", "said"),
    [
        (Response(status=404, body=b""), None, FileNotThere()),
        (Response(status=410, body=b"<html>"), None, FileNotThere()),
        (Response(status=304, body=b""), FileVersion("1"), FileUnchanged()),
        (
            Response(status=200, body=b"x", headers={"etag": '"7"'}),
            None,
            FileBody(b"x", FileVersion('"7"')),
        ),
        (
            Response(status=200, body=b"x", headers={"etag": "a\x00b"}),
            None,
            FileBody(b"x", FileVersion()),
        ),
        (RequestNotSent("no"), None, FileLost(because="no", sent=False)),
        (Lost("no answer"), None, FileLost(because="no answer")),
    ],
)
def test_only_a_200_holds_a_file(answer, known, said):
    assert file_answer(answer, known) == said


@pytest.mark.parametrize("status", [201, 204, 206, 300, 301, 304, 401, 403, 500, 503])
def test_every_other_status_is_no_file(status):
    assert isinstance(file_answer(Response(status=status, body=b"x"), None), FileLost)


def test_when_a_link_began_stands_in_its_id():
    assert begun_at(new_id(NOW)) == NOW
    assert begun_at("t-1") is None
    assert begun_at("") is None
