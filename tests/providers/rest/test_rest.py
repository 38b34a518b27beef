"""The rest wire form: what is definite is listed here, and all else is unclear."""

import asyncio
import itertools
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from fsm.domain.errors import InvalidRequest
from fsm.domain.money import Money
from fsm.domain.odd import Odd
from fsm.domain.webhook_events import WebhookEventType
from handlers.ports.provider import (
    Accepted,
    Cancelled,
    Declined,
    NotFound,
    NotSent,
    Payout,
    Rejected,
    Returned,
    Succeeded,
    TooLate,
    Unclear,
)
from providers.config import ProviderTable
from providers.http import outbound
from providers.http.outbound import Lost, Outbound, Response
from providers.rest import RestProvider
from providers.rest.translate import cancel_answer, create_answer, status_answer
from providers.rest.webhooks import read_webhook

TASK = "018f0000-0000-7000-8000-000000000001"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "tok_8f2a"
PAYOUT = Payout(
    reference=TASK,
    money=Money(12550, "EUR"),
    destination={"type": "card", "token": TOKEN},
    terminal_id="t-1",
)
DECLINED = {"status": "declined", "code": "limit", "message": "too much"}
WORDS = [
    "succeeded",
    "accepted",
    "declined",
    "failed",
    "pending",
    "SUCCEEDED",
    "",
    None,
]
UNREADABLE = [b"", b"<html>", b"[]", b'"declined"', b'{"status":"declined"', b"\xff"]
UNREADABLE += [b'{"status":"declined","status":"declined"}', b"[" * 100_000]
STATUSES = [100, 200, 201, 202, 204, 299, 301, 304, 400, 401, 402, 403, 404, 405, 406]
STATUSES += [407, 408, 409, 410, 418, 422, 423, 425, 428, 429, 451, 499, 500, 501, 503]


def answer(status, body=b""):
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(status=status, body=raw)


def created(status, body=b"", codes=()):
    return create_answer(answer(status, body), PAYOUT, codes)


def asked(status, body=b"", payout=PAYOUT):
    return status_answer(answer(status, body), payout)


def cancelled(status, body=b""):
    return cancel_answer(answer(status, body), PAYOUT)


# Create.


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_2xx_takes_the_payout(status):
    took = created(status, {"status": "accepted", "provider_reference": "p-1"})
    paid = created(status, {"status": "succeeded", "provider_reference": "p-1"})

    assert isinstance(took, Accepted)
    assert isinstance(paid, Succeeded)
    assert took.reference == paid.reference == "p-1"
    assert took.evidence["http_status"] == status


def test_what_a_success_says_of_the_money_is_passed_on():
    body = {"status": "succeeded", "amount": 1, "currency": "USD"}

    paid = created(200, body)

    assert (paid.amount, paid.currency, paid.reference) == (1, "USD", None)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 410, 422, 451, 499])
def test_a_declined_4xx_is_a_definite_no(status):
    no = created(status, DECLINED)

    assert (no.code, no.message) == ("limit", "too much")
    assert no.evidence == {"http_status": status, "status": "declined", "code": "limit"}


@pytest.mark.parametrize("status", [408, 409, 425, 429])
def test_a_4xx_that_may_have_been_taken_is_unclear(status):
    assert isinstance(created(status, DECLINED), Unclear)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("limit", Declined), ("other", Unclear), (None, Unclear), (["limit"], Unclear)],
)
def test_where_codes_are_listed_only_they_are_a_no(code, kind):
    assert isinstance(created(422, DECLINED | {"code": code}, {"limit"}), kind)


@pytest.mark.parametrize("code", [None, 7, "", "a\nb", "x" * 65])
def test_where_none_are_listed_a_no_needs_no_code(code):
    assert created(422, DECLINED | {"code": code}).code == "declined"


def test_only_the_listed_pairs_of_status_and_word_are_definite():
    definite = {
        (status, word)
        for status, word in itertools.product(STATUSES, WORDS)
        if not isinstance(created(status, {"status": word}), Unclear)
    }

    ok = itertools.product([200, 201, 202, 204, 299], ["succeeded", "accepted"])
    may_have = {408, 409, 425, 429}
    no = {(s, "declined") for s in STATUSES if 400 <= s < 500 and s not in may_have}
    assert definite == set(ok) | no


@pytest.mark.parametrize("body", UNREADABLE)
@pytest.mark.parametrize("status", STATUSES)
def test_a_create_whose_answer_cannot_be_read_is_unclear(status, body):
    assert isinstance(created(status, body), Unclear)


STRANGE = [
    {"reference": "another"},
    {"reference": 7},
    {"amount": "12550"},
    {"amount": 12550.0},
    {"amount": True},
    {"amount": -1},
    {"amount": 2**53},
    {"currency": "eur"},
    {"currency": 978},
]


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize(
    ("status", "word"), [(200, "succeeded"), (200, "accepted"), (422, "declined")]
)
def test_an_answer_that_cannot_be_about_our_payout_is_unclear(status, word, strange):
    assert isinstance(created(status, {"status": word} | strange), Unclear)


@pytest.mark.parametrize("call", [create_answer, status_answer, cancel_answer])
def test_not_sent_stays_not_sent_and_lost_becomes_unclear(call):
    assert call(outbound.RequestNotSent("x"), PAYOUT) == NotSent(because="x")
    assert call(Lost("x"), PAYOUT) == Unclear(because="x")


def test_no_answer_shows_the_destination():
    told = f"the card {TOKEN} (4111 1111 1111 1111) is blocked"
    no = created(422, {"status": "declined", "code": TOKEN, "message": told})
    odd = created(200, {"status": TOKEN, "code": TOKEN})

    assert TOKEN not in repr((no, odd))
    assert no.message == "the card *** (***) is blocked"


# Status.


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"status": "succeeded", "amount": 12550, "currency": "EUR"}, Succeeded),
        ({"status": "accepted"}, Accepted),
        ({"status": "declined", "code": "limit"}, Declined),
        ({"status": "failed", "code": "limit"}, Declined),
        ({"status": "returned"}, Returned),
        ({"status": "returned", "reference": "somebody-elses"}, Unclear),
        ({"status": None}, Unclear),
        ({}, Unclear),
    ],
)
def test_the_status_says_what_became_of_it(body, kind):
    assert isinstance(asked(200, body), kind)


def test_a_failure_without_a_code_is_named_by_its_word():
    assert asked(200, {"status": "failed"}).code == "failed"


@pytest.mark.parametrize("status", [s for s in STATUSES if s not in (200, 404)])
@pytest.mark.parametrize("word", WORDS)
def test_no_other_status_than_200_says_anything(status, word):
    assert isinstance(asked(status, {"status": word}), Unclear)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", {"code": "not_found"}, {"status": 404}]
)
def test_404_is_not_found(body):
    assert isinstance(asked(404, body), NotFound)


def test_a_404_that_tells_a_state_is_unclear():
    assert isinstance(asked(404, {"status": "succeeded"}), Unclear)


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_status_that_cannot_be_read_is_unclear(body):
    assert isinstance(asked(200, body), Unclear)


@pytest.mark.parametrize("strange", STRANGE)
def test_a_status_of_something_else_is_unclear(strange):
    assert isinstance(asked(200, {"status": "failed"} | strange), Unclear)


@pytest.mark.parametrize(
    "other", [{"amount": 1}, {"currency": "USD"}, {"provider_reference": "p-2"}]
)
def test_a_no_about_other_money_is_no_proof(other):
    known = Payout(
        reference=TASK,
        money=PAYOUT.money,
        destination={},
        terminal_id=None,
        provider_reference="p-1",
    )

    assert isinstance(asked(200, {"status": "failed"} | other, known), Unclear)


# Cancel.


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"", Cancelled),
        (200, {}, Cancelled),
        (200, {"status": "cancelled"}, Cancelled),
        (200, {"status": "accepted"}, Unclear),
        (200, {"status": "succeeded"}, Unclear),
        (200, {"reference": "another"}, Unclear),
        (200, b"<html>", Unclear),
        (202, b"", Unclear),
        (404, b"", TooLate),
        (405, b"", TooLate),
        (409, {"code": "too_late"}, TooLate),
        (501, b"", TooLate),
        (408, b"", Unclear),
        (422, DECLINED, Unclear),
        (500, b"", Unclear),
        (302, b"", Unclear),
    ],
)
def test_a_cancellation(status, body, kind):
    assert isinstance(cancelled(status, body), kind)


# Whatever is sent, there is an answer.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
KEYS = ["status", "code", "message", "amount", "currency", "reference"]
OBJECTS = st.dictionaries(
    st.sampled_from([*KEYS, "provider_reference", "id", "type"]),
    JSON | st.sampled_from(["declined", "succeeded", TASK, "EUR", 12550]),
)


@given(st.integers(100, 599), st.binary() | OBJECTS)
def test_every_answer_is_translated(status, body):
    try:
        heard = answer(status, body)
    except (TypeError, ValueError):
        return  # what JSON cannot say
    create_answer(heard, PAYOUT)
    create_answer(heard, PAYOUT, {"limit"})
    status_answer(heard, PAYOUT)
    cancel_answer(heard, PAYOUT)


# News.


def webhook(event_id="e-1", **body):
    return read_webhook("acme", event_id, {"reference": TASK} | body, NOW)


def test_a_whole_webhook_is_read():
    told = webhook(
        id="other",
        type="payout.failed",
        provider_reference="p-1",
        amount=12550,
        currency="EUR",
        code="limit",
        message="too much",
    )

    assert (told.provider, told.event_id, told.reference) == ("acme", "e-1", TASK)
    assert (told.type, told.provider_reference) == (WebhookEventType.FAILED, "p-1")
    assert (told.amount, told.currency) == (12550, "EUR")
    assert (told.code, told.message, told.received_at) == ("limit", "too much", NOW)


@pytest.mark.parametrize(
    "kind", [k for k in WebhookEventType if k is not WebhookEventType.UNKNOWN]
)
def test_every_type_is_known(kind):
    assert webhook(type=kind.value).type is kind


def test_our_reference_is_known_in_either_case():
    task_id = "0195f1de-abcd-7000-8000-00000000000f"

    told = webhook(type="payout.succeeded", reference=task_id.upper())

    assert told.task_id == task_id


@pytest.mark.parametrize("kind", [None, 7, "", "payout.lost", "unknown", ["a"], {}])
def test_any_other_type_is_unknown(kind):
    assert webhook(type=kind).type is WebhookEventType.UNKNOWN


@pytest.mark.parametrize(
    "reference",
    [None, "", 7, True, ["a"], "a" * 129, "a\nb", "a\x00", "\x7f", "\u202e"],
)
def test_without_a_reference_there_is_no_webhook(reference):
    assert webhook(reference=reference) is None


def test_the_body_names_the_event_where_the_scheme_does_not():
    assert webhook(event_id=None, id="e-2").event_id == "e-2"
    assert webhook(event_id=None) is None
    assert webhook(event_id=None, id=7) is None


ODD = Odd("is there twice", content=[1, 2])


@pytest.mark.parametrize(
    "strange",
    [
        *STRANGE[2:],
        {"amount": "12,50"},
        {"amount": None},
        {"amount": 2**70},
        {"amount": ODD},
        {"currency": None},
        {"currency": ODD},
        {"provider_reference": ODD},
    ],
)
def test_money_that_cannot_be_read_is_told_of_a_definite_event(strange):
    (name,) = strange

    told = webhook(type="payout.succeeded", **strange)

    assert told.type is WebhookEventType.SUCCEEDED
    assert getattr(told, name) is None
    assert set(told.detail["unreadable"]) == {name}


@pytest.mark.parametrize("kind", ["returned", "succeeded", "failed", "accepted"])
@pytest.mark.parametrize("name", ["amount", "currency"])
def test_a_null_is_unreadable_only_where_money_moved(kind, name):
    told = webhook(type=f"payout.{kind}", **{name: None})

    moved = kind in {"returned", "succeeded"}
    assert told.detail == ({"unreadable": {name: "null"}} if moved else {})


def test_what_cannot_be_read_is_shown_to_people_without_a_card():
    told = webhook(type="payout.failed", amount="12,50", currency="4111111111111111")

    assert told.detail["unreadable"] == {"amount": "12,50", "currency": "***"}


@pytest.mark.parametrize("name", ["reference", "type", "id"])
def test_what_is_odd_and_must_be_read_is_named(name):
    with pytest.raises(InvalidRequest, match=f"^/{name} is there twice$"):
        webhook(event_id=None, **{"id": "e", "type": "payout.failed", name: ODD})


def test_what_is_odd_and_need_not_be_read_spoils_nothing():
    odd = {"id": ODD, "code": ODD, "more": ODD}
    told = webhook(
        type="payout.failed", message=Odd("is not UTF-8", shown="a\ufffd"), **odd
    )

    assert (told.type, told.detail) == (WebhookEventType.FAILED, {})
    assert (told.code, told.message) == (None, "a\ufffd")


def test_a_message_shows_no_card_and_has_one_line():
    told = webhook(message="card 4111-1111-1111-1111\nis bad" + "!" * 1000)

    assert told.message.startswith("card *** is bad!")
    assert len(told.message) <= 300


@given(OBJECTS, st.none() | st.just("e-1"))
def test_every_webhook_is_read_or_refused(body, event_id):
    read_webhook("acme", event_id, body, NOW)


# Over the wire.


class FakeProvider:
    """Answers with what it is given, and remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.answer = 200, {"status": "accepted", "provider_reference": "p-1"}
        self.silent = False

    async def handle(self, request):
        body = await request.read()
        headers = dict(request.headers)
        self.asked.append((request.method, request.path, headers, body))
        if self.silent:
            await asyncio.sleep(60)
        status, told = self.answer
        return web.json_response(told, status=status)


@asynccontextmanager
async def provider(callback_url=None, **table):
    fake = FakeProvider()
    runner = web.ServerRunner(
        web.Server(fake.handle, access_log=None, handler_cancellation=True),
        shutdown_timeout=0,
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/api"
    table = {"name": "acme", "adapter": "rest"} | table
    async with Outbound() as out:
        yield (
            RestProvider(
                ProviderTable.model_validate(table),
                out,
                base_url=base_url,
                callback_url=callback_url,
            ),
            fake,
        )
    await runner.cleanup()


async def test_a_create_is_as_the_contract_says():
    url = "https://me.example/webhooks/acme"
    async with provider(url, headers={"Authorization": "Bearer t0k3n"}) as (acme, fake):
        assert isinstance(await acme.create(PAYOUT), Accepted)

    ((method, path, headers, body),) = fake.asked
    assert (method, path) == ("POST", "/api/payouts")
    assert headers["Idempotency-Key"] == TASK
    assert headers["Authorization"] == "Bearer t0k3n"
    assert orjson.loads(body) == {
        "reference": TASK,
        "amount": 12550,
        "currency": "EUR",
        "destination": {"type": "card", "token": TOKEN},
        "terminal_id": "t-1",
        "callback_url": url,
    }


async def test_without_a_public_address_no_callback_is_sent():
    async with provider() as (acme, fake):
        await acme.create(PAYOUT)

    assert "callback_url" not in orjson.loads(fake.asked[0][3])


async def test_status_and_cancel_go_to_the_payout():
    async with provider() as (acme, fake):
        assert isinstance(await acme.status(PAYOUT), Accepted)
        fake.answer = 409, {}
        assert isinstance(await acme.cancel(PAYOUT), TooLate)

    assert [(method, path) for method, path, *_ in fake.asked] == [
        ("GET", f"/api/payouts/{TASK}"),
        ("POST", f"/api/payouts/{TASK}/cancel"),
    ]


async def test_where_the_status_cannot_be_asked_it_is_not():
    async with provider(status=False, on_sla="manual") as (acme, fake):
        assert isinstance(await acme.status(PAYOUT), Unclear)

    assert fake.asked == []


async def test_listed_codes_reach_the_translation():
    async with provider(rejection_codes=["limit"]) as (acme, fake):
        fake.answer = 422, DECLINED | {"code": "other"}
        unlisted = await acme.create(PAYOUT)
        fake.answer = 422, DECLINED
        listed = await acme.create(PAYOUT)

    assert (type(unlisted), type(listed)) == (Unclear, Declined)


async def test_silence_is_unclear_and_nobody_there_is_not_sent():
    async with provider(timeout="200ms") as (acme, fake):
        fake.silent = True
        assert isinstance(await acme.create(PAYOUT), Unclear)
    async with Outbound() as out:
        table = ProviderTable(name="acme", adapter="rest")
        gone = RestProvider(
            table, out, base_url="http://127.0.0.1:9", callback_url=None
        )
        assert isinstance(await gone.create(PAYOUT), NotSent)


async def test_a_provider_is_what_its_table_says():
    secret = "a secret of some length"
    webhook = {"scheme": "hmac-sha256", "secrets": [secret]}
    async with provider(timeout="7s", webhook=webhook) as (acme, _):
        assert (acme.name, acme.timeout) == ("acme", timedelta(seconds=7))
        assert acme.takes_webhooks
        assert isinstance(acme.verify({}, b"", NOW), Rejected)
        assert acme.read_webhook("e-1", {"reference": TASK}, NOW).provider == "acme"
    async with provider() as (acme, _):
        assert not acme.takes_webhooks
        assert acme.verify({}, b"", NOW) == Rejected("no_webhooks")


@pytest.mark.parametrize(
    ("said", "sequence"),
    [
        (7, 7),
        ("7", 7),
        (0, 0),
        (-3, -3),
        ("2026-01-31T12:00:00Z", 1_769_860_800_000_000),
        ("2026-01-31T12:00:00.000001Z", 1_769_860_800_000_001),
        (2**63, None),
        ("9" * 30, None),
        ("seventh", None),
        ("", None),
        (True, None),
        (1.5, None),
        (None, None),
        ([7], None),
    ],
)
async def test_a_webhook_has_its_place_in_the_providers_order(said, sequence):
    webhook = {
        "scheme": "hmac-sha256",
        "secrets": ["a secret of some length"],
        "ordering": "event.sequence",
    }
    async with provider(webhook=webhook) as (acme, _):
        body = {"reference": TASK, "event": {"sequence": said}}
        assert acme.read_webhook("e-1", body, NOW).sequence == sequence
        assert acme.read_webhook("e-1", {"reference": TASK}, NOW).sequence is None


async def test_without_an_ordering_no_webhook_has_a_place():
    async with provider() as (acme, _):
        body = {"reference": TASK, "sequence": 7}
        assert acme.read_webhook("e-1", body, NOW).sequence is None
