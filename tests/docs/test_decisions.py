"""Decision records: each has a status, a date, what keeps it, a line in the index."""

import re
from datetime import date

import pytest

from tests.docs.pages import ROOT

FOLDER = ROOT / "ops/decisions"
INDEX = FOLDER / "README.md"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
TITLE = re.compile(r"# (\d+)\. (.+)")
STATUS = re.compile(
    r"\*Accepted, (\d{4}-\d\d-\d\d)(?:; replaced by \[(\d+)\]\(([^)]+)\)(?: .+)?)?\.\*"
)
LINES = re.findall(
    r"^- \[(\d+)\. (.+)\]\(([^)]+)\)$", INDEX.read_text(), flags=re.MULTILINE
)


def named(record):
    return record.stem


@pytest.mark.parametrize("record", RECORDS, ids=named)
def test_a_record_has_its_number_status_and_date(record):
    title, blank, status, *_ = record.read_text().splitlines()

    found = TITLE.fullmatch(title)
    assert found
    assert int(found[1]) == int(record.name[:4])
    assert blank == ""
    accepted = STATUS.fullmatch(status)
    assert accepted, "below the title: *Accepted, 2026-11-30.*"
    assert date.fromisoformat(accepted[1])
    if accepted[2]:
        later = (FOLDER / accepted[3]).read_text()
        assert re.search(rf"replaces .*record {int(found[1])}\b", later)


@pytest.mark.parametrize("record", RECORDS, ids=named)
def test_a_record_says_what_keeps_it(record):
    assert "**Kept by**" in record.read_text()


@pytest.mark.parametrize("record", RECORDS, ids=named)
def test_what_keeps_it_is_there(record):
    kept = record.read_text().partition("**Kept by**")[2]
    for path in re.findall(r"`((?:tests|ops|docs)/[\w/.-]+)`", kept):
        assert (ROOT / path).exists(), path


def test_every_record_is_in_the_index_once_under_its_title():
    listed = {file: (int(number), title) for number, title, file in LINES}
    there = {
        record.name: (int(found[1]), found[2])
        for record in RECORDS
        if (found := TITLE.match(record.read_text()))
    }

    assert len(LINES) == len(listed)
    assert listed == there


def test_every_record_stands_under_a_topic():
    before_topics = INDEX.read_text().partition("\n## ")[0]

    assert not re.search(r"^- \[\d+", before_topics, re.MULTILINE)
