"""A partner over HTTP: what it definitely says is heard, and all else is unclear."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.ports.partners import (
    Eligible,
    MultiMatch,
    NotEligible,
    PartnerNotSent,
    PartnerPending,
    PartnerUnclear,
    RevokeNoted,
)
from providers.http.outbound import Response
from providers.partners.said import DEFAULT, eligibility_said, notice_said
from tests.providers.partners.played import (
    AGAIN,
    CALL,
    NOTICE,
    ORDER,
    TASK,
    TOKEN,
    played,
)

FORM = """
headers = { Authorization = "Bearer ${NORTH_TOKEN}" }
[partners.northbank.eligibility]
method = "PUT"
path = "/cards/{customer_id}"
query = { n = "{n}" }
headers = { X-Request = "{key}" }
body = { card = "{card_token}", land = "{card_country}", kind = "{check}" }
[partners.northbank.eligibility.answers]
result_at = "data.outcome"
results = { MATCH = "eligible", NONE = "not_eligible", MANY = "multi_match", "7" = "pending" }
code_at = ["data.why", "why"]
message_at = "data.text"
echoes = { key = "data.request" }
refusals = [{ http = [404], codes = ["unknown_customer"] }]
[partners.northbank.revocation]
method = "DELETE"
path = "/cards/{customer_id}/{order_id}"
done = [404]
"""  # noqa: E501 - as a table has it
ENVIRONMENT = {"NORTH_TOKEN": "t0k3n-of-ours"}


async def said(status, body=b"", *, headers=None, lines="", call=CALL, how="check"):
    async with played(lines, environment=ENVIRONMENT) as (partner, fake):
        fake.says(status, body, headers)
        ask = {
            "check": partner.check_eligibility,
            "again": partner.check_again,
            "notice": partner.notify_revoked,
        }[how]
        return await ask(call)


async def test_the_questions_are_those_of_the_contract():
    async with played() as (partner, fake):
        fake.says(200, {"result": "eligible"})
        await partner.check_eligibility(CALL)
        await partner.check_again(AGAIN)
        await partner.notify_revoked(NOTICE)

    first, again, notice = fake.asked
    assert first[:2] == ("POST", "/api/eligibility")
    assert first[2]["Idempotency-Key"] == f"{TASK}:1"
    assert first[3] == ORDER
    assert again[:2] == ("POST", "/api/eligibility")
    assert again[2]["Idempotency-Key"] == f"{TASK}:2"
    assert again[3] == ORDER | {"check": "fallback"}
    assert notice[:2] == ("POST", "/api/revocations")
    assert notice[2]["Idempotency-Key"] == f"{TASK}:revoked"
    assert notice[3] == ORDER


async def test_the_questions_are_those_of_the_table():
    async with played(FORM, environment=ENVIRONMENT) as (partner, fake):
        await partner.check_eligibility(CALL)
        await partner.check_again(AGAIN)
        await partner.notify_revoked(NOTICE)

    first, again, notice = fake.asked
    assert first[:2] == ("PUT", "/api/cards/c-1")
    assert first[2]["X-Request"] == f"{TASK}:1"
    assert first[2]["Authorization"] == "Bearer t0k3n-of-ours"
    assert "Idempotency-Key" not in first[2]
    assert first[3] == {"card": TOKEN, "land": "CA", "kind": "first"}
    assert again[3] == {"card": TOKEN, "land": "CA", "kind": "fallback"}
    assert notice[:2] == ("DELETE", "/api/cards/c-1/l-1")


async def test_who_wants_to_hear_of_no_revoke_hears_of_none():
    async with played("notices = false") as (partner, fake):
        assert await partner.notify_revoked(NOTICE) == RevokeNoted()

    assert fake.asked == []


@pytest.mark.parametrize("how", ["check", "again"])
@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"result": "eligible"}, Eligible()),
        ({"result": "eligible", "key": f"{TASK}:1", "task_id": TASK}, Eligible()),
        ({"result": "multi_match"}, MultiMatch()),
        ({"result": "pending"}, PartnerPending()),
        ({"result": "not_eligible"}, NotEligible(code="not_eligible")),
        (
            {"result": "not_eligible", "code": "blocked", "message": "no"},
            NotEligible(code="blocked", message="no"),
        ),
        (
            {"result": "not_eligible", "code": "a b", "message": f"not {TOKEN}"},
            NotEligible(code="not_eligible", message="not ***"),
        ),
    ],
)
async def test_a_definite_answer_is_heard(how, body, answer):
    assert await said(200, body, how=how) == answer


UNCLEAR = [
    *((status, {"result": "eligible"}) for status in (300, 301, 404, 409, 422, 500)),
    *((status, {"result": "not_eligible"}) for status in (404, 409, 422, 429, 500)),
    (200, b""),
    (200, b"<html>"),
    (200, []),
    (200, {}),
    (200, {"result": "maybe"}),
    (200, {"result": None}),
    (200, {"result": True}),
    (200, {"result": ["eligible"]}),
    (200, b'{"result": "eligible", "result": "not_eligible"}'),
    (200, {"result": "eligible", "error": "no such path"}),
    (200, {"result": "eligible", "key": f"{TASK}:2"}),
    (200, {"result": "eligible", "task_id": "another"}),
    (200, {"result": "not_eligible", "customer_id": "c-2"}),
]


@pytest.mark.parametrize(("status", "body"), UNCLEAR)
async def test_all_else_is_unclear(status, body):
    answer = await said(status, body)

    assert isinstance(answer, PartnerUnclear)
    assert f"status {status}" in answer.because


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, {"data": {"outcome": "MATCH"}}, Eligible()),
        (200, {"data": {"outcome": 7}}, PartnerPending()),
        (
            200,
            {"data": {"outcome": "NONE", "text": "x"}, "why": "w"},
            NotEligible(code="w", message="x"),
        ),
        (404, {"why": "unknown_customer"}, NotEligible(code="unknown_customer")),
    ],
)
async def test_words_are_those_of_the_table(status, body, answer):
    assert await said(status, body, lines=FORM) == answer


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"data": {"outcome": "eligible"}}),
        (200, {"result": "eligible"}),
        (404, {"why": "no_such_path"}),
        (404, {"data": {"outcome": "MATCH"}, "why": "unknown_customer"}),
        (422, {"why": "unknown_customer"}),
        (200, {"data": {"outcome": "MATCH", "request": "another"}}),
    ],
)
async def test_what_the_table_does_not_list_is_unclear(status, body):
    assert isinstance(await said(status, body, lines=FORM), PartnerUnclear)


@pytest.mark.parametrize(
    ("status", "body", "lines", "is_done"),
    [
        (200, b"", "", True),
        (204, b"", "", True),
        (202, {"status": "taken"}, "", True),
        (200, b"<html>", "", False),
        (200, {"error": "x"}, "", False),
        (404, b"", "", False),
        (404, b"", FORM, True),
        (409, {}, FORM, False),
        (500, b"", "", False),
    ],
)
async def test_a_notice_is_done_by_what_says_so(status, body, lines, is_done):
    answer = await said(status, body, lines=lines, call=NOTICE, how="notice")

    assert (answer == RevokeNoted()) is is_done
    assert is_done or isinstance(answer, PartnerUnclear)


@pytest.mark.parametrize("how", ["check", "again", "notice"])
async def test_a_connection_that_breaks_is_unclear(how):
    assert isinstance(await said(None, how=how), PartnerUnclear)


@pytest.mark.parametrize("how", ["check_eligibility", "check_again", "notify_revoked"])
async def test_what_was_never_sent_says_so(how):
    async with played(url="http://127.0.0.1:9") as (partner, _):
        answer = await getattr(partner, how)(CALL)

    assert isinstance(answer, PartnerNotSent)
    assert not answer.lacking


async def test_what_cannot_be_put_into_words_is_not_sent():
    async with played(FORM, environment=ENVIRONMENT) as (partner, fake):
        call = type(CALL)(task_id=TASK, key="k", n=1, order={"card": {}})
        assert isinstance(await partner.check_eligibility(call), PartnerNotSent)

    assert fake.asked == []


async def test_a_partner_that_asks_to_be_left_alone_is_for_a_bounded_time():
    some = await said(429, headers={"Retry-After": "7"})
    long = await said(503, headers={"Retry-After": "90000"})

    assert some.after == timedelta(seconds=7)
    assert long.after == timedelta(minutes=15)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
WORDS = st.sampled_from(["eligible", "not_eligible", "multi_match", "pending", ""])
BODIES = st.binary() | st.fixed_dictionaries(
    {},
    optional={
        "result": WORDS | JSON,
        "code": JSON,
        "message": JSON,
        "error": JSON,
        "key": JSON,
        "task_id": st.just(TASK) | JSON,
    },
)


@given(st.integers(200, 599), BODIES)
def test_whatever_comes_is_read_as_what_it_definitely_says_or_unclear(status, body):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = Response(status=status, body=raw)

    heard = eligibility_said(answer, {"task_id": TASK}, DEFAULT)
    noted = notice_said(answer, ())

    assert 200 <= status < 300 or isinstance(heard, PartnerUnclear)
    assert 200 <= status < 300 or isinstance(noted, PartnerUnclear)
    assert isinstance(noted, RevokeNoted | PartnerUnclear)
