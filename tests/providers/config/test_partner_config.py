"""What is unsafe in a partner's table is refused, by the table and the key."""

from datetime import timedelta

import pytest

from fsm.partner.policy import LinkPolicy, OnMultiMatch
from providers.config import ConfigError, parse_config

KEYS = {
    "base_url": '"https://northbank.example/api"',
    "countries": '["CA"]',
    "bins": '["4510", "451400-451499"]',
}
ASKED = """
[partners.northbank.eligibility]
path = "/cards"
body = { id = "{key}", card = "{card_token}" }
[partners.northbank.eligibility.answers]
result_at = "outcome"
results = { yes = "eligible", no = "not_eligible" }
code_at = "reason"
"""
FILE = """
[partners.northbank.file]
path = "/links.csv"
columns = { order_id = "reference", result = "outcome" }
results = { yes = "eligible", no = "not_eligible" }
"""


def read(text, environment=None):
    return parse_config(
        text, ack_wait=timedelta(seconds=30), environment=environment or {}
    )


def text_of(more="", **changes):
    keys = {name: value for name, value in (KEYS | changes).items() if value}
    lines = [f"{name} = {value}" for name, value in keys.items()]
    return "\n".join(["[partners.northbank]", *lines, more])


def problems(text):
    with pytest.raises(ConfigError) as refused:
        read(text)
    return refused.value.problems


def test_the_policy_says_what_the_table_says():
    text = text_of(
        multi_match='"provisional"',
        fallback='{ first = "1h", factor = 3.0, max = "9h", deadline = "4d" }',
        retry='{ first = "2s", factor = 4.0, max = "1m", attempts = 3 }',
    )

    policy = read(text).partners["northbank"].policy

    assert isinstance(policy, LinkPolicy)
    assert policy.countries == ("CA",)
    assert policy.bins == ("4510", "451400-451499")
    assert policy.multi_match is OnMultiMatch.PROVISIONAL
    assert policy.deadline == timedelta(days=4)
    assert (policy.fallback.first, policy.fallback.longest) == (
        timedelta(hours=1),
        timedelta(hours=9),
    )
    assert (policy.retry.first, policy.attempts) == (timedelta(seconds=2), 3)


def test_a_table_of_the_contract_needs_no_more():
    table = read(text_of()).partners["northbank"]

    assert (table.adapter, table.multi_match, table.notices) == ("rest", "hold", True)


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"base_url": ""}, "base_url", "is missing"),
        ({"timeout": '"30s"'}, "timeout", "PAYMENT_ACK_WAIT"),
        ({"countries": "[]"}, "countries", "must not be empty"),
        ({"countries": '["Canada"]'}, "countries[0]", "must be a country like CA"),
        ({"countries": '["CA", "XX"]'}, "countries[1]", "no country of ISO 3166-1"),
        ({"countries": '["CA", "UK"]'}, "countries[1]", "no country of ISO 3166-1"),
        ({"countries": '["CA", "CA"]'}, "countries[1]", "is there already"),
        ({"bins": "[]"}, "bins", "must not be empty"),
        ({"bins": '["45x0"]'}, "bins[0]", "must be a BIN"),
        ({"bins": '["45"]'}, "bins[0]", "must be a BIN"),
        ({"bins": '["451401123"]'}, "bins[0]", "must be a BIN of 4 to 8 digits"),
        ({"bins": '["4519-4510"]'}, "bins[0]", "must be a BIN"),
        ({"bins": '["4510-45109"]'}, "bins[0]", "must be a BIN"),
        ({"bins": '["4510", "4510"]'}, "bins", "4510 and 4510 overlap"),
        ({"bins": '["451012", "4510"]'}, "bins", "4510 and 451012 overlap"),
        (
            {"bins": '["4514-4516", "451500-451600"]'},
            "bins",
            "4514-4516 and 451500-451600 overlap",
        ),
        (
            {"bins": '["4514-4518", "4515", "451700"]'},
            "bins",
            "4514-4518 and 451700 overlap",
        ),
        (
            {"fallback": '{ first = "5d", max = "9d", deadline = "5d" }'},
            "fallback.first",
            "must be shorter than fallback.deadline",
        ),
        (
            {"fallback": '{ first = "2h", max = "1h" }'},
            "fallback.first",
            "must not be longer than fallback.max",
        ),
        (
            {"retry": '{ first = "1m", max = "30s" }'},
            "retry.first",
            "must not be longer than retry.max",
        ),
        ({"multi_match": '"grant"'}, "multi_match", "'provisional' or 'hold'"),
        ({"options": "{ x = 1 }"}, "options", "unknown key of the adapter rest"),
        ({"notice": "false"}, "notice", "unknown key"),
        (
            {"adapter": '"a.b:C"', "notices": "false"},
            "notices",
            "unknown key of the adapter a.b:C",
        ),
        ({"auth": "{}"}, "auth", "must have one of bearer, basic, hmac and oauth2"),
        (
            {
                "auth": '{ bearer = { token = "t" } }',
                "headers": '{ Authorization = "x" }',
            },
            "headers",
            "must not have a header that auth makes",
        ),
        ({"tls": '{ authority = "/none.pem" }'}, "tls.authority", "cannot be read"),
    ],
)
def test_what_is_unsafe_is_refused(changes, key, said):
    told = problems(text_of(**changes))

    assert any(p.startswith(f"[partners.northbank] {key}: ") for p in told), told
    assert any(said in p for p in told), told


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ('"{card_token}"', '"{card}"', "eligibility.body.card", "unknown placeholder"),
        ('"{card_token}"', '"x"', "eligibility", "must send {card_token}"),
        ('"{key}"', '"x"', "eligibility", "must send one of {key}"),
        (
            '"/cards"',
            '"/cards/{card_token}"',
            "eligibility",
            "write down what is asked",
        ),
        ('"/cards"', '"cards"', "eligibility.path", "must be a path"),
        (', no = "not_eligible"', "", "eligibility.answers.results", "not_eligible"),
        ('yes = "eligible", ', "", "eligibility.answers.results", "word for eligible"),
        (
            '"not_eligible"',
            '"never"',
            "eligibility.answers.results.no",
            "one of eligible",
        ),
        (
            'code_at = "reason"',
            'echoes = { amount = "amount" }',
            "eligibility.answers.echoes.amount",
            "must be one of",
        ),
        (
            'code_at = "reason"',
            'code_at = "reason"\nrefusals = [{ http = [500], codes = ["x"] }]',
            "eligibility.answers.refusals[0].http",
            "500 must not mean no",
        ),
        (
            'code_at = "reason"',
            'code_at = "reason"\nrefusals = [{ http = [422], codes = [] }]',
            "eligibility.answers.refusals[0]",
            "must have http and codes",
        ),
        (
            'code_at = "reason"',
            'refusals = [{ http = [422], codes = ["x"] }]',
            "eligibility.answers.refusals[0].codes",
            "without code_at",
        ),
    ],
)
def test_an_unsafe_form_is_refused(old, new, key, said):
    read(text_of(ASKED))
    assert ASKED.count(old) == 1

    told = problems(text_of(ASKED.replace(old, new)))

    assert any(p.startswith(f"[partners.northbank] {key}: ") for p in told), told
    assert any(said in p for p in told), told


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ('order_id = "reference", ', "", "file.columns", "must have card_token"),
        (
            'order_id = "reference"',
            'card_token = "card"',
            "file.columns",
            "an earlier link of the same card",
        ),
        ('"outcome"', '"reference"', "file.columns", "each column once"),
        ('"/links.csv"', '"links.csv"', "file.path", "must be a path"),
        ('"/links.csv"', '"/../links.csv"', "file.path", "must be a path"),
        ('"/links.csv"', '"/{month}.csv"', "file.path", "unknown placeholder"),
        ('"/links.csv"', '"/{date?}.csv"', "file.path", "no optional placeholder"),
        ('"/links.csv"', '"/links.csv"\ndays = 3', "file.days", "no {date}"),
        ('"/links.csv"', '"/l.csv"\ntimeout = "30s"', "file.timeout", "ACK_WAIT"),
        ('"/links.csv"', '"/l.csv"\nencoding = "ebcdic"', "file.encoding", "utf-8"),
        ('"/links.csv"', '"/l.csv"\nbytes_max = 7', "file.bytes_max", "1024"),
        (', no = "not_eligible"', "", "file.results", "word for not_eligible"),
    ],
)
def test_an_unsafe_file_is_refused(old, new, key, said):
    read(text_of(FILE))
    assert FILE.count(old) == 1

    told = problems(text_of(FILE.replace(old, new)))

    assert any(p.startswith(f"[partners.northbank] {key}: ") for p in told), told
    assert any(said in p for p in told), told


def test_a_card_alone_will_do_where_files_have_dates():
    text = FILE.replace('order_id = "reference"', 'card_token = "card"')

    read(text_of(text.replace("/links.csv", "/{date}/links.csv")))


def test_a_partner_and_a_provider_are_two():
    provider = (
        '[providers.northbank]\nadapter = "rest"\nbase_url = "https://n.example"\n'
    )

    told = problems(text_of() + "\n" + provider)

    (problem,) = told
    assert problem.startswith("[partners.northbank]: a provider has this name: ")


def test_a_file_beside_a_fallback_check_is_refused():
    again = ASKED.replace("eligibility", "fallback_check")

    told = problems(text_of(ASKED + again + FILE))

    assert any("fallback_check: must not be there beside file" in p for p in told)
