"""Partner links at the command line: shown in each state, exported, verified."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from handlers.ports.partners import Eligible, MultiMatch
from tests.cli.stage import Here, with_world
from tests.cli.test_outside import answering
from tests.tampering import links
from tests.world.links import an_unlink

CARDS = ("tok_1", "tok_2", "tok_3", "tok_4")
TODAY = datetime.now(UTC).date()
PERIOD = ("--from", f"{TODAY - timedelta(1)}", "--to", f"{TODAY + timedelta(2)}")


@pytest.fixture
def shell(tmp_path):
    """Run commands in this process: how they start is tested elsewhere."""
    return Here(tmp_path)


async def a_book(world):
    """Have links that are linked, refused, members for now, and removed."""
    links.partnered(world, again=timedelta(days=1))
    await links.linked(world, "l-linked", "tok_1", Eligible())
    await links.linked(world, "l-refused", "tok_2", links.NO)
    await links.linked(world, "l-waits", "tok_3", MultiMatch())
    gone = await links.linked(world, "l-gone", "tok_4", Eligible())
    removal = await links.requested(world, an_unlink(gone, "u-gone"))
    await links.driven(world, removal)
    return world


@pytest.fixture(autouse=True)
async def _booked(database_url):
    await with_world(database_url, a_book)


async def run(shell, *words):
    return await asyncio.to_thread(shell, *words)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (
            "l-linked",
            [
                "0. link at northbank: SUCCEEDED",
                "COMPLETED",
                "linked",
                "core has granted",
            ],
        ),
        ("l-refused", ["FAILED", "not_eligible", "the card is not eligible"]),
        ("l-waits", ["RECHECKING", "several matches", "fallback"]),
        ("u-gone", ["partner_unlink", "unlinked", "core has revoked"]),
    ],
)
async def test_a_link_is_shown_in_words_and_without_its_card(at_database, order, said):
    shown = await run(at_database, "order", "show", order)
    as_json = await run(at_database, "order", "show", order, "--json")

    assert (shown.code, as_json.code) == (0, 0)
    assert [words for words in said if words not in shown.out] == [], shown.out
    for told in (shown.out, as_json.out):
        assert [card for card in CARDS if card in told] == []


async def test_an_export_has_the_hash_of_a_card_and_not_its_token(at_database):
    file = at_database.folder / "export.jsonl"
    answer = await run(at_database, "audit", "export", *PERIOD, "--output", str(file))

    assert (answer.code, answer.out) == (0, ""), answer
    told = file.read_text()
    records = [json.loads(line) for line in told.splitlines()]
    lines = [record["line"] for record in records if "line" in record]
    asked = [each["detail"]["request"] for each in lines if "request" in each["detail"]]
    assert {each["kind"] for each in asked} == {"partner_link", "partner_unlink"}
    assert {type(each["details"]) for each in asked} == {str}
    assert [card for card in CARDS if card in told] == []
    checks = [each["detail"]["check"] for each in lines if "check" in each["detail"]]
    assert checks == [1, 1, 1, 1]


async def test_verify_compares_no_link_with_balances_and_says_so(at_database):
    page = b'{"entries": [], "next_cursor": null}'
    async with answering(200, page) as core:
        at_database.env["PAYMENT_CORE_URL"] = core
        answer = await run(at_database, "verify", "--core", "--json")
        alone = await run(at_database, "verify", "--json")

    assert (answer.code, answer.json["offences"]) == (0, [])
    assert alone.json["notes"] == []
    assert answer.json["notes"] == [
        (
            "core's ledger was not compared with 4 tasks of 'link', 1 task of "
            "'unlink', which nothing there is about"
        )
    ]
