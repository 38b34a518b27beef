"""The doctor says where anchors go, that they do not, and how old the newest is."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from fsm.domain.anchors import FIRST_PREVIOUS, Root, signed
from fsm.domain.audit_keys import UNKEYED
from payment_service.cli.doctor.anchors import check
from payment_service.settings import Settings
from tests.cli.test_export import PUBLIC, SEED


def findings(**settings):
    async def gathered():
        return [each async for each in check(Settings(**settings))]

    return asyncio.run(gathered())


@pytest.fixture
def file(tmp_path):
    return tmp_path / "anchors.jsonl"


def put(file, age):
    at = datetime.now(UTC) - age
    line = signed(
        UNKEYED, n=7, at=at, complete_to=at, root=Root(), previous=FIRST_PREVIOUS
    ).line()
    file.write_bytes(line + b'\n{"torn":')


def test_no_place_is_told():
    (finding,) = findings()

    assert (finding.state, finding.what) == ("advice", "anchors")
    assert "PAYMENT_ANCHOR_FILE" in finding.mend


def test_a_new_anchor_is_well_and_an_old_one_is_not(file):
    put(file, timedelta(seconds=5))
    (young,) = findings(anchor_file=file)
    put(file, timedelta(minutes=4))
    (old,) = findings(anchor_file=file)

    assert (young.state, old.state) == ("ok", "wrong")
    assert "the newest is number 7" in young.told
    assert "one each 1m" in old.told


def test_a_place_without_a_line_of_ours_is_told(file):
    file.write_bytes(b"{}\n")

    (finding,) = findings(anchor_file=file)
    assert (finding.state, "none of ours" in finding.told) == ("advice", True)


def test_a_place_that_cannot_be_written_is_told(file):
    file.mkdir()

    (finding,) = findings(anchor_file=file)
    assert finding.state == "wrong"
    assert "Is a directory" in finding.told


def test_the_public_key_of_exports_is_told(file):
    put(file, timedelta())
    key, _ = findings(audit_export_key=SecretStr(SEED), anchor_file=file)

    assert key.told == f"the public key is {PUBLIC}"
