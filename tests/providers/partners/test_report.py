"""A partner's file: what can be read counts, and what cannot is named by its line."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.config.partners import Eligibility, FileTable
from providers.partners.report import UnreadableReport, read_report

HEAD = "reference,customer,card,outcome,reason,decided at"
COLUMNS = {
    "order_id": "reference",
    "customer_id": "customer",
    "card_token": "card",
    "result": "outcome",
    "code": "reason",
    "time": "decided at",
}
AT = "2026-01-31T12:00:00Z"
ABOUT = ("c-1", "tok_1", "l-1")
GOOD = f"l-1,c-1,tok_1,yes,,{AT}"


def table(**keys):
    words = {"yes": "eligible", "no": "not_eligible", "several": "multi_match"}
    told = {"path": "/links.csv", "columns": COLUMNS, "results": words}
    return FileTable.model_validate(told | keys)


def read(*lines, ending="\r\n", encoding="utf-8", **keys):
    text = "".join(f"{line}{ending}" for line in (HEAD, *lines))
    return read_report(text.encode(encoding), table(**keys))


def results(report, about=ABOUT):
    return [line.result for line in report.lines.get(about, ())]


def test_a_line_is_known_by_all_that_the_table_names():
    report = read(GOOD, f"l-2,c-1,tok_1,no,blocked,{AT}")

    (line,) = report.lines[ABOUT]
    assert (line.number, line.result) == (2, Eligibility.ELIGIBLE)
    assert line.at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    (other,) = report.lines["c-1", "tok_1", "l-2"]
    assert (other.number, other.code) == (3, "blocked")
    assert (report.line_count, report.odd_count) == (2, 0)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("latin-1", "latin-1"),
        ("cp1252", "cp1252"),
    ],
)
def test_each_encoding_is_read(encoding, named, ending):
    told = GOOD.replace("c-1", "zoë")
    body = f"{HEAD}{ending}{told}{ending}".encode(encoding)

    report = read_report(body, table(encoding=named))

    assert results(report, ("zoë", "tok_1", "l-1")) == [Eligibility.ELIGIBLE]
    assert report.odd_count == 0


@pytest.mark.parametrize(
    ("odd", "because"),
    [
        ("l-2,c-2", "it has 2 fields, and the first line has 6"),
        (f"{GOOD},more", "it has 7 fields, and the first line has 6"),
        (f'"l-2,c-2,tok_2,yes,,{AT}', "its quotes do not close, or are odd"),
        (f'"l"-2,c-2,tok_2,yes,,{AT}', "its quotes do not close, or are odd"),
        (f"l-2,c-2,tok_2,maybe,,{AT}", "its result is none of file.results"),
        (f"l-2,c-2,tok_2,Yes,,{AT}", "its result is none of file.results"),
        ("l-2,c-2,tok_2,yes,,yesterday", "its time is none like"),
        ("l-2,c-2,tok_2,yes,,2026-01-31", "its time is none like"),
        (f",c-2,tok_2,yes,,{AT}", "it does not say whom it is about"),
        (f"l-2,c\0-2,tok_2,yes,,{AT}", "there is a NUL in it"),
        (f"{'x' * 20_000},c-2,tok_2,yes,,{AT}", "it is longer than 16384 bytes"),
    ],
)
def test_an_odd_line_is_named_and_the_others_count(odd, because):
    report = read(odd, GOOD, odd)

    assert [line.number for line in report.odd] == [2, 4]
    assert all(because in line.because for line in report.odd)
    assert report.odd_count == 2
    assert results(report) == [Eligibility.ELIGIBLE]


def test_an_odd_line_says_nothing_of_what_stands_in_it():
    report = read("l-2,c-2,4111111111111111,maybe,,x")

    assert "4111" not in str(report.odd[0])


def test_whom_an_odd_line_is_about_is_known_where_it_can_be_read():
    report = read(f"l-1,c-1,tok_1,maybe,,{AT}")

    assert report.odd_about[ABOUT].number == 2


def test_a_line_that_is_not_of_the_encoding_is_odd_alone():
    body = f"{HEAD}\nl-2,".encode() + b"\xff" + f",c,yes,,\n{GOOD}\n".encode()

    report = read_report(body, table())

    assert [str(line) for line in report.odd] == ["line 2: it is not utf-8"]
    assert results(report) == [Eligibility.ELIGIBLE]


def test_a_last_line_without_its_end_may_still_be_written():
    body = f"{HEAD}\n{GOOD}\n{GOOD}".encode()

    report = read_report(body, table())
    taken = read_report(body, table(unended="taken"))

    assert [line.number for line in report.odd] == [3]
    assert "still be written" in report.odd[0].because
    assert (report.line_count, taken.line_count) == (1, 2)


def test_only_line_feeds_end_a_line():
    report = read(f"l-1,c-1,tok_1,yes,a\x0bb\x85c\u2028d,{AT}")

    assert (report.line_count, report.odd_count) == (1, 0)


def test_lines_without_anything_are_none():
    report = read("", GOOD, "  ", "")

    assert (report.line_count, report.odd_count) == (1, 0)


@pytest.mark.parametrize(
    ("body", "because"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"<!doctype html><html>\n", "no column customer"),
        (b"reference,customer,card,outcome,reason\n", "no column decided at"),
        (f"{HEAD},outcome\n".encode(), "more than one column outcome"),
        (f"{HEAD}\n".encode("utf-16"), 'set file.encoding = "utf-16"'),
        (b"\x1f\x8b\x08\x00\xff\n", "its first line cannot be read"),
        (HEAD.encode(), "its first line cannot be read: it does not end"),
    ],
)
def test_a_file_of_another_form_is_refused_whole(body, because):
    with pytest.raises(UnreadableReport, match=re.escape(because)):
        read_report(body, table())


def test_utf16_that_is_none_is_refused():
    with pytest.raises(UnreadableReport, match="not UTF-16"):
        read_report(b"\xff\xfe\x00", table(encoding="utf-16"))


def test_the_columns_may_stand_in_any_order_and_among_others():
    names = HEAD.split(",")
    head = ";".join(["x", *reversed(names)])
    line = ";".join(["?", *reversed(GOOD.split(","))])

    report = read_report(f"{head}\n{line}\n".encode(), table(delimiter=";"))

    assert results(report) == [Eligibility.ELIGIBLE]


def test_of_very_many_odd_lines_all_are_counted():
    report = read(*["x"] * 3000)

    assert (len(report.odd), report.odd_count) == (1000, 3000)


@given(st.lists(st.text(max_size=60) | st.just(GOOD), max_size=8))
def test_each_line_is_read_or_named_and_none_is_lost(lines):
    body = "\n".join([HEAD, *lines, ""]).encode("utf-8", "surrogatepass")

    report = read_report(body, table())

    whole = body.split(b"\n")[1:-1]
    said = sum(1 for line in whole if line.decode("utf-8", "replace").strip())
    assert report.line_count + report.odd_count == said


@given(st.binary(max_size=300))
def test_whatever_comes_is_a_file_or_none(body):
    try:
        report = read_report(f"{HEAD}\n".encode() + body, table())
    except UnreadableReport:
        return
    assert report.odd_count >= len(report.odd)
