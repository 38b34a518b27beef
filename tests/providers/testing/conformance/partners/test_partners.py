"""The kit of partners: a good adapter passes, and each broken promise is caught."""

import pytest

from providers.partners import reconciling
from providers.partners.report import FileContent
from providers.testing.conformance.doubles import NoDouble
from providers.testing.conformance.partners import PARTNER_SCENARIOS, PartnerCandidate

PLANTED = "tests.providers.testing.conformance.partners.planted"
KNOWN = {each.name: each for each in PARTNER_SCENARIOS}
TABLE = {
    "base_url": "https://northbank.example/api",
    "headers": {"Authorization": "Bearer ${NORTH_TOKEN}"},
    "countries": ["CA"],
    "bins": ["4510"],
}
FORM = {
    "auth": {
        "hmac": {
            "key": "${NORTH_KEY}",
            "signed": "{body}",
            "headers": {"X-Signature": "{signature}"},
        }
    },
    "eligibility": {
        "path": "/cards/{customer_id}",
        "headers": {"X-Request": "{key}"},
        "body": {"card": "{card_token}", "land": "{card_country}", "kind": "{check}"},
        "answers": {
            "result_at": "data.outcome",
            "results": {"Y": "eligible", "N": "not_eligible", "M": "multi_match"},
            "code_at": ["data.why"],
            "message_at": "data.text",
            "echoes": {"key": "data.request"},
            "refusals": [{"http": [404], "codes": ["unknown_customer"]}],
        },
    },
    "revocation": {
        "path": "/cards/{customer_id}/{order_id}",
        "method": "DELETE",
        "done": [404],
    },
}
FILE = {
    "file": {
        "path": "/reports/links-{date}.csv",
        "delimiter": ";",
        "columns": {
            "customer_id": "customer",
            "card_token": "card",
            "result": "outcome",
            "time": "at",
        },
        "results": {"yes": "eligible", "no": "not_eligible"},
    }
}
TABLES = {
    "default": TABLE,
    "without notices": TABLE | {"notices": False},
    "declared": TABLE | FORM,
    "file": TABLE | FILE,
    "file in UTF-16": TABLE | {"file": {**FILE["file"], "encoding": "utf-16"}},
    "file, last line taken": TABLE | {"file": {**FILE["file"], "unended": "taken"}},
}


async def found(raw, *names):
    chosen = [KNOWN[name] for name in names] or PARTNER_SCENARIOS
    outcomes = await PartnerCandidate("northbank", raw).play_all(chosen)
    return {str(each.scenario): each for each in outcomes}


@pytest.mark.slow
@pytest.mark.parametrize("raw", TABLES.values(), ids=TABLES)
async def test_a_good_adapter_passes(raw):
    outcomes = await found(raw)

    assert {n: o.wrong for n, o in outcomes.items() if o.wrong} == {}
    files = [o.not_here is None for n, o in outcomes.items() if n.startswith("file-")]
    assert any(files) == ("file" in raw)


CAUGHT = {
    "TakesATimeoutForANo": ["lost-timeout", "no-answer", "unlisted"],
    "TakesSilenceForAYes": ["lost-reset", "no-object", "lost-half", "lost-slow"],
    "TakesALostConnectionForNotSent": ["lost-timeout", "lost-reset"],
    "CannotSayNotSent": ["lost-refused"],
    "CannotWait": ["said-pending"],
    "NeverHeedsRetryAfter": ["retry-after"],
    "AsksTwice": ["said-eligible"],
    "AnotherKeyEachTime": ["wire-key"],
    "OneKeyForAll": ["wire-key"],
    "LosesTheCard": ["wire-card"],
    "ShowsTheToken": ["secrets-card"],
    "ShowsItsSecret": ["secrets-hidden"],
    "Raises": ["lost-reset"],
    "TakesAnyNoticeForHeard": ["no-answer", "lost-timeout"],
    "NeverHearsThatANoticeIsDone": ["told-revoked"],
}


@pytest.mark.parametrize("planted", CAUGHT)
async def test_a_broken_promise_is_caught(planted):
    raw = TABLE | {"adapter": f"{PLANTED}:{planted}"}

    outcomes = await found(raw, *CAUGHT[planted])

    assert [n for n, outcome in outcomes.items() if not outcome.wrong] == []


async def test_the_right_one_by_another_name_passes():
    raw = TABLE | {"adapter": f"{PLANTED}:Right"}

    outcomes = await found(raw, "said-eligible", "no-answer", "wire-key")

    assert [outcome.wrong for outcome in outcomes.values()] == [()] * 3


async def test_a_file_whose_odd_lines_about_the_card_are_passed_over_is_caught(
    monkeypatch,
):
    leave_out = FileContent.leave_out
    monkeypatch.setattr(
        FileContent, "leave_out", lambda self, odd, *_: leave_out(self, odd)
    )

    outcomes = await found(TABLE | FILE, "file-odd-about")

    assert outcomes["file-odd-about"].wrong


async def test_a_file_whose_first_line_about_a_card_stands_is_caught(monkeypatch):
    said = reconciling._said

    def first(report, about, *others):
        lines = {key: each[:1] for key, each in report.lines.items()}
        return said(FileContent(lines=lines), about, *others)

    monkeypatch.setattr(reconciling, "_said", first)

    outcomes = await found(TABLE | FILE, "file-contradiction", "file-listed")

    assert outcomes["file-contradiction"].wrong
    assert not outcomes["file-listed"].wrong


async def test_an_adapter_without_a_double_is_told_where_it_is_looked_for():
    raw = TABLE | {"adapter": "providers.partners.rest:RestPartner"}

    with pytest.raises(NoDouble, match=r"providers.partners.rest_double and no"):
        await found(raw, "said-eligible")


def test_each_scenario_has_a_name_of_its_own_and_a_sentence():
    assert len(KNOWN) == len(PARTNER_SCENARIOS)
    assert all(each.proves.endswith(".") for each in PARTNER_SCENARIOS)
