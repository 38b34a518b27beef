"""Declared wire forms piece by piece: templates, places, amounts, answers, proofs."""

import itertools
import shutil
import ssl
import subprocess
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from fsm.domain.errors import InvalidRequest
from fsm.domain.money import AMOUNT_MAX, EXPONENTS, Money
from fsm.domain.odd import Odd
from fsm.domain.reading import UnreadableField
from fsm.domain.webhook_events import WebhookEventType
from handlers.ports.provider import (
    Accepted,
    Cancelled,
    Declined,
    NotFound,
    NotSent,
    Payout,
    Succeeded,
    TooLate,
    Unclear,
)
from providers.config import ProviderTable
from providers.config.creates import CreateTable
from providers.config.forms import CancelTable, StatusTable
from providers.config.places import parse_place
from providers.config.templates import (
    BadTemplate,
    MissingValue,
    parse_template,
)
from providers.config.unsafe_calls import unsafe_call
from providers.http import outbound
from providers.http.outbound import Lost, Outbound, Response
from providers.rest import RestProvider
from providers.rest.amounts import decimal_of, minor_in
from providers.rest.answers import (
    cancel_answer,
    create_answer,
    status_answer,
)
from providers.rest.auth import proof_of, stamped
from providers.rest.reading import Reading
from providers.rest.requests import CallTemplate, PreparedRequest, Unsendable, values_of

TASK = "018f0000-0000-7000-8000-000000000001"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAYOUT = Payout(
    reference=TASK,
    money=Money(12550, "EUR"),
    destination={"type": "card", "token": "tok_8f2a", "odd": "a/../b?c=d&e\r\nX: y"},
    terminal_id="t-1",
    provider_reference="p-1",
)
ANSWERS: dict[str, Any] = {
    "status_at": "data.state",
    "status_map": {
        "PAID": "succeeded",
        "NEW": "accepted",
        "NO": "declined",
        "DEAD": "failed",
        "GONE": "cancelled",
        "LATE": "too_late",
        "HUH": "unclear",
    },
    "reference_at": "data.ref",
    "provider_reference_at": "data.id",
    "code_at": ["error.code", "data.why"],
    "message_at": "error.text",
    "amount_at": "data.sum",
    "amount_form": "decimal",
    "currency_at": "data.cur",
    "accepted": [202],
    "error_map": [
        {"http": [422], "codes": ["LIMIT"], "means": "declined"},
        {"codes": ["41"], "means": "declined"},
        {"http": [400], "means": "declined"},
        {"codes": ["DUP"], "means": "exists"},
        {"http": [404], "codes": ["NONE"], "means": "not_found"},
        {"http": [429], "means": "retry_later"},
        {"http": [412], "means": "too_late"},
    ],
}
GONE = object()
WORDS = [*ANSWERS["status_map"], "other", ""]
STATUSES = [199, 200, 201, 202, 204, 302, 400, 401, 404, 408, 409, 412, 418, 422]
STATUSES += [425, 429, 500, 503]


def answer(status, body=b"", **headers):
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(status=status, body=raw, headers=headers)


def reading(model, success_codes=(200,), **changes):
    answers = {n: v for n, v in (ANSWERS | changes).items() if v is not GONE}
    table = model(path="/x", answers=answers)
    return Reading(table.answers, reference_form="uuid", success_codes=success_codes)


def created(status, body=b"", codes=(), **changes):
    form = reading(CreateTable, range(200, 300), **changes)
    return create_answer(answer(status, body), PAYOUT, form, codes)


def asked(status, body=b"", **changes):
    return status_answer(answer(status, body), PAYOUT, reading(StatusTable, **changes))


def cancelled(status, body=b"", **table):
    form = CancelTable(path="/x", **table)
    return cancel_answer(answer(status, body), PAYOUT, reading(CancelTable), form)


def data(state=None, **more):
    return {"data": {"state": state, **more}}


def error(code):
    return {"error": {"code": code, "text": "so it is"}}


# Templates and places.


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{reference}", "r"),
        ("a {reference} b {n}", "a r b 7"),
        ("{{reference}}", "{reference}"),
        ("{{{reference}}}", "{r}"),
        ("{destination.token}", "{reference}"),
        ("{gone?}", None),
        ("a {gone?}", None),
    ],
)
def test_a_template_is_filled_once(text, filled):
    values = {"reference": "r", "n": 7, "destination.token": "{reference}"}

    assert parse_template(text).filled(values) == filled


@pytest.mark.parametrize(
    "text",
    [
        *["{", "}", "{}", "{a", "a}", "{a b}", "{a!r}", "{a:>9}", "{a[0]}", "{a.b.c}"],
        *["{A}", "{__class__}", "{a??}", "{{a}", "{a}}", "x" * 4097],
    ],
)
def test_what_is_no_template_is_refused(text):
    with pytest.raises(BadTemplate):
        parse_template(text)


@given(st.text(max_size=40))
def test_every_text_is_a_template_or_none(text):
    try:
        template = parse_template(text)
    except BadTemplate:
        return
    try:
        template.filled({})
    except MissingValue:
        assert template.holes


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a", {"b": [{"c": 1}], "x/y~": 2}),
        ("a.b.0.c", 1),
        ("/a/b/0/c", 1),
        ("/a/x~1y~0", 2),
        ("a.b.1", None),
        ("a.b.c", None),
        ("z", None),
        ("a.b.0.c.d", None),
    ],
)
def test_a_place_is_looked_up(path, found):
    tree = {"a": {"b": [{"c": 1}], "x/y~": 2}}

    assert parse_place(path).look(tree) == found


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "/", "/~2", "a." * 17])
def test_what_is_no_place_is_refused(path):
    with pytest.raises(ValueError, match="must"):
        parse_place(path)


# Amounts.

MINOR, DECIMAL = ["minor"], ["decimal"]


@given(st.integers(1, AMOUNT_MAX), st.sampled_from(sorted(EXPONENTS)))
def test_a_decimal_is_read_back_as_it_was(amount, currency):
    text = decimal_of(Money(amount, currency))

    assert minor_in(text, "decimal", currency) == amount


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (12550, "EUR", "125.50"),
        (5, "EUR", "0.05"),
        (1255, "JPY", "1255"),
        (1, "KWD", "0.001"),
    ],
)
def test_a_decimal_has_the_currencys_places(amount, currency, text):
    assert decimal_of(Money(amount, currency)) == text


@pytest.mark.parametrize(
    ("value", "form", "currency", "amount"),
    [
        (12550, "minor", "EUR", 12550),
        ("12550", "minor", "EUR", 12550),
        ("125.5", "decimal", "EUR", 12550),
        (125.5, "decimal", "EUR", 12550),
        (0.29, "decimal", "EUR", 29),
        (1.005, "decimal", "KWD", 1005),
        (125, "decimal", "EUR", 12500),
        ("125.5000", "decimal", "EUR", 12550),
        ("1255.00", "decimal", "JPY", 1255),
    ],
)
def test_an_amount_is_read(value, form, currency, amount):
    assert minor_in(value, form, currency) == amount


@pytest.mark.parametrize(
    ("value", "form"),
    [
        *itertools.product([True, 0, -1, 1.5, "1.0", "", "x", 2**53, [], None], MINOR),
        *itertools.product(["\u0661", " 1", "1_0", "9" * 17], MINOR),
        *itertools.product(["1.005", "1,5", ".5", "1.", "-1", "1e3", "0.00"], DECIMAL),
        *itertools.product([1e22, 1e-9, float("nan"), 12345678901234.56], DECIMAL),
    ],
)
def test_what_is_no_amount_is_unreadable(value, form):
    with pytest.raises(UnreadableField):
        minor_in(value, form, "EUR")


def test_without_a_known_currency_a_decimal_is_unreadable():
    with pytest.raises(UnreadableField):
        minor_in("1.00", "decimal", None)


# Requests.


def request(values=None, **table):
    call = CallTemplate(CreateTable(**{"path": "/p"} | table), "https://x.example/api")
    return call.request(values or values_of(PAYOUT, None, "uuid"))


def test_a_leaf_of_one_placeholder_keeps_its_type():
    body = {
        "whole": "{amount}",
        "text": "{amount} cents",
        "number": "{amount_number}",
        "to": "{destination}",
        "list": ["{currency_lower}", 7, True, "{callback_url?}"],
        "gone": "{callback_url?}",
    }

    made = request(body=body).body

    assert b'"number":125.50' in made
    assert orjson.loads(made) == {
        "whole": 12550,
        "text": "12550 cents",
        "number": 125.5,
        "to": PAYOUT.destination,
        "list": ["eur", 7, True],
    }


def test_values_are_escaped_in_paths_and_queries():
    made = request(
        path="/p/{destination.odd}/x",
        query={"q": "{destination.odd}", "gone": "{callback_url?}", "a b": "1"},
    )

    odd = "a%2F..%2Fb%3Fc%3Dd%26e%0D%0AX%3A%20y"
    assert made.url == f"https://x.example/api/p/{odd}/x?q={odd}&a%20b=1"


@pytest.mark.parametrize("value", ["..", ".", "", "\ud800"])
def test_a_value_that_would_change_the_path_is_not_sent(value):
    with pytest.raises(Unsendable):
        request({"terminal_id": value}, path="/p/{terminal_id}/x")


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "é", "", " a", "\0"])
def test_a_value_that_would_end_a_header_is_not_sent(value):
    with pytest.raises(Unsendable):
        request({"terminal_id": value}, headers={"X-T": "{terminal_id}"})


def test_what_is_not_known_is_not_sent():
    with pytest.raises(Unsendable, match="callback_url"):
        request(body={"a": {"b": "{callback_url}"}})


# Answers to a create.


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, data("PAID", id=7, ref=TASK, sum="125.50", cur="eur"), Succeeded),
        (201, data("NEW"), Accepted),
        (202, b"", Accepted),
        (202, {}, Accepted),
        (200, {}, Unclear),
        (202, b"<html>", Unclear),
        (202, data("other"), Unclear),
        (200, data("HUH"), Unclear),
        (200, data("NO"), Declined),
        (422, data("DEAD"), Declined),
        (500, data("NO"), Unclear),
        (409, data("NO"), Unclear),
        (422, error("LIMIT"), Declined),
        (422, error("OTHER"), Unclear),
        (401, error("LIMIT"), Unclear),
        (200, error(41), Declined),
        (500, error(41), Unclear),
        (409, error(41), Unclear),
        (400, {}, Declined),
        (400, b"", Unclear),
        (400, b"<html>", Unclear),
        (422, error("DUP"), Unclear),
        (404, error("NONE"), Unclear),
        (200, data("PAID") | error(41), Unclear),
        (200, data("PAID") | error("DUP"), Unclear),
        (200, data("PAID", ref="another"), Unclear),
        (200, data("PAID", sum="125.505"), Unclear),
        (200, data("PAID", sum="125.50", cur="e"), Unclear),
        (400, data("NO", sum="1.00"), Unclear),
        (400, data("NO", id="p-2"), Unclear),
    ],
)
def test_a_create_is_read_by_the_table(status, body, kind):
    assert type(created(status, body)) is kind


def test_what_a_declared_success_says_is_passed_on():
    paid = created(200, data("PAID", id=7, sum="125.50", cur="eur"))

    assert (paid.reference, paid.amount, paid.currency) == ("7", 12550, "EUR")
    assert paid.evidence["status"] == "PAID"


def test_a_decimal_without_a_currency_is_of_ours():
    assert created(200, data("PAID", sum="125.50")).amount == 12550


def test_a_decimal_is_of_the_currency_that_is_said():
    yen = created(200, data("PAID", sum="125", cur="JPY"))

    assert (yen.amount, yen.currency) == (125, "JPY")
    assert type(created(200, data("PAID", sum="125.50", cur="JPY"))) is Unclear


@pytest.mark.parametrize(
    ("state", "kind"),
    [(True, Succeeded), (False, Declined), (1, Unclear), (7, Accepted)],
)
def test_a_word_may_be_a_number_or_a_truth(state, kind):
    words = {"true": "succeeded", "false": "failed", "7": "accepted"}

    assert type(asked(200, data(state), status_map=words)) is kind


def test_what_has_no_place_is_not_said():
    bare = created(200, data("PAID"), reference_at=GONE, amount_at=GONE)

    assert bare == Succeeded(
        reference=None, evidence={"http_status": 200, "status": "PAID"}
    )


def test_a_no_has_its_code_and_words():
    no = created(422, error("LIMIT"))

    assert (no.code, no.message) == ("LIMIT", "so it is")


def test_no_word_makes_a_definite_answer_of_a_wrong_status():
    definite = {
        (status, word)
        for status, word in itertools.product(STATUSES, WORDS)
        if not isinstance(created(status, data(word), error_map=[]), Unclear)
    }

    ok = {200, 201, 202, 204}
    taken = set(itertools.product(ok, ["PAID", "NEW"]))
    no = set(itertools.product(ok | {400, 401, 404, 412, 418, 422}, ["NO", "DEAD"]))
    gone = {(status, "GONE") for status, _ in no}
    assert definite == taken | no | gone


@pytest.mark.parametrize(("code", "kind"), [("LIMIT", Declined), ("x", Unclear)])
def test_listed_codes_narrow_a_declared_no_too(code, kind):
    assert type(created(422, error("LIMIT"), codes={code})) is kind


def test_when_to_come_back_is_kept():
    later = answer(429, {}, **{"X": "1", "retry-after": "30"})
    form = reading(CreateTable)

    unclear = create_answer(later, PAYOUT, form)

    assert isinstance(unclear, Unclear)
    assert unclear.evidence["retry_after"] == "30"


# Answers to a status question.


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, data("PAID"), Succeeded),
        (200, data("NEW"), Accepted),
        (200, data("NO"), Declined),
        (200, data("DEAD", why=51), Declined),
        (200, data("GONE"), Declined),
        (200, data("LATE"), Unclear),
        (201, data("PAID"), Unclear),
        (422, data("NO"), Unclear),
        (404, error("NONE"), NotFound),
        (404, error("OTHER"), Unclear),
        (404, b"", Unclear),
        (404, b"<html>", Unclear),
        (200, error("NONE"), Unclear),
        (404, data("PAID") | error("NONE"), Unclear),
        (404, data("DEAD") | error("NONE"), Unclear),
        (404, data(ref="another") | error("NONE"), Unclear),
        (400, {}, Unclear),
        (400, data("NO"), Unclear),
        (422, error("LIMIT"), Unclear),
        (200, error(41), Unclear),
        (200, data("NO") | error(41), Unclear),
        (200, data("NO", ref=7), Unclear),
        (200, data("DEAD", sum="1.00"), Unclear),
        (429, {}, Unclear),
    ],
)
def test_a_status_is_read_by_the_table(status, body, kind):
    assert type(asked(status, body)) is kind


def test_an_error_of_the_question_never_proves_that_nothing_was_paid():
    codes = [entry["codes"][0] for entry in ANSWERS["error_map"] if "codes" in entry]

    for status, code in itertools.product(STATUSES, [*codes, None]):
        assert not isinstance(asked(status, error(code)), Declined)


# Answers to a cancellation.


@pytest.mark.parametrize(
    ("status", "body", "table", "kind"),
    [
        (200, data("GONE"), {}, Cancelled),
        (200, data("LATE"), {}, TooLate),
        (200, data("GONE") | error(41), {}, Unclear),
        (200, data("NEW"), {}, Unclear),
        (200, data("PAID"), {}, Unclear),
        (200, {}, {}, Unclear),
        (200, b"", {}, Unclear),
        (204, b"", {"cancelled": [204]}, Cancelled),
        (204, b"", {"cancelled": [200]}, Unclear),
        (200, {}, {"cancelled": [200]}, Cancelled),
        (200, error("X"), {"cancelled": [200]}, Unclear),
        (200, data("NEW"), {"cancelled": [200]}, Unclear),
        (200, b"<html>", {"cancelled": [200]}, Unclear),
        (200, data("GONE", ref="another"), {}, Unclear),
        (422, data("GONE"), {}, Unclear),
        (404, error("NONE"), {"too_late": []}, TooLate),
        (409, b"", {}, TooLate),
        (409, b"", {"too_late": []}, Unclear),
        (412, b"", {}, TooLate),
        (429, b"", {}, Unclear),
        (200, error(41), {"cancelled": [200]}, Unclear),
    ],
)
def test_a_cancellation_is_read_by_the_table(status, body, table, kind):
    assert type(cancelled(status, body, **table)) is kind


# Whatever comes, there is an answer.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
FIELDS = st.sampled_from(["state", "ref", "id", "sum", "cur", "why", "code", "text"])
PARTS = st.dictionaries(FIELDS, JSON | st.sampled_from([*WORDS, TASK, "LIMIT"])) | JSON
BODIES = st.fixed_dictionaries({}, optional={"data": PARTS, "error": PARTS})


@given(st.integers(100, 599), st.binary() | BODIES)
def test_every_declared_answer_is_translated(status, body):
    try:
        answer(status, body)
    except (TypeError, ValueError):
        return  # what JSON cannot say
    created(status, body)
    asked(status, body)
    cancelled(status, body, cancelled=[200])


@pytest.mark.parametrize("read", [create_answer, status_answer])
def test_no_answer_is_read_as_in_the_default_form(read):
    form = reading(CreateTable)

    assert read(outbound.RequestNotSent("x"), PAYOUT, form) == NotSent(because="x")
    assert read(Lost("x"), PAYOUT, form) == Unclear(because="x")


# Webhooks.

WEBHOOK = {
    "type_at": "event",
    "type_map": {"2": "succeeded", "bad": "failed", "back": "returned"},
    "event_id_at": "n",
    "order_at": "seq",
    "reference_at": "o.ref",
    "provider_reference_at": "o.id",
    "code_at": "o.why",
    "amount_at": "o.sum",
    "amount_form": "decimal",
    "currency_at": "o.cur",
}
CREATE = {"path": "/p", "answers": ANSWERS}


def declared(**table):
    table = {"name": "acme", "adapter": "rest", "create": CREATE} | table
    return ProviderTable.model_validate(table)


def provider(out=None, base_url="https://x.example", **table):
    made = declared(**table)
    return RestProvider(made, out or Outbound(), base_url=base_url, callback_url=None)


def webhook(event_id=None, body=None, **changes):
    table = {"webhook_body": WEBHOOK | changes, "reference_form": "hex"}
    whole = {"event": 2, "n": 5, "seq": 9, "o": {"ref": TASK.replace("-", "")}}
    return provider(**table).read_webhook(event_id, whole | (body or {}), NOW)


def test_a_declared_webhook_is_read():
    order = {"ref": TASK.replace("-", ""), "id": 7, "sum": 125.5, "cur": "eur"}

    told = webhook(body={"o": {**order, "why": 51}})

    assert (told.type, told.event_id, told.reference) == (
        WebhookEventType.SUCCEEDED,
        "5",
        TASK,
    )
    assert (told.provider_reference, told.code) == ("7", "51")
    assert (told.amount, told.currency) == (12550, "EUR")
    assert told.detail == {"order": "9"}


def test_the_signatures_event_id_goes_first():
    assert webhook("e-1").event_id == "e-1"


@pytest.mark.parametrize("event", ["payout.succeeded", "succeeded", 3, None, True])
def test_a_type_that_is_not_in_the_map_is_unknown(event):
    assert webhook(body={"event": event}).type is WebhookEventType.UNKNOWN


ODD = Odd("is there twice", content=[1, 2])


@pytest.mark.parametrize(
    ("order", "name"),
    [
        ({"sum": "1.005", "cur": "EUR"}, "amount"),
        ({"sum": "1.00"}, "amount"),
        ({"sum": 12550, "cur": None}, "amount"),
        ({"sum": "12,50", "cur": "EUR"}, "amount"),
        ({"sum": None, "cur": "EUR"}, "amount"),
        ({"sum": -1, "cur": "EUR"}, "amount"),
        ({"sum": 2**70, "cur": "EUR"}, "amount"),
        ({"sum": ODD, "cur": "EUR"}, "amount"),
        ({"sum": 1, "cur": 978}, "currency"),
        ({"cur": ODD}, "currency"),
        ({"id": ODD}, "provider_reference"),
    ],
)
def test_declared_money_that_cannot_be_read_is_told_of_a_definite_event(order, name):
    told = webhook(body={"o": {"ref": TASK, **order}})

    assert (told.type, told.amount) == (WebhookEventType.SUCCEEDED, None)
    assert name in told.detail["unreadable"]


def test_a_declared_refusal_may_have_nulls_for_money():
    order = {"ref": TASK, "sum": None, "cur": None}

    told = webhook(body={"event": "bad", "o": order})

    assert (told.type, told.amount, told.detail) == (
        WebhookEventType.FAILED,
        None,
        {"order": "9"},
    )


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"event": ODD}, "/event"),
        ({"n": ODD}, "/n"),
        ({"o": {"ref": ODD}}, "/o/ref"),
        ({"o": ODD}, "/o/ref"),
    ],
)
def test_what_is_odd_and_must_be_read_is_named_by_its_place(body, place):
    with pytest.raises(InvalidRequest, match=f"^{place} is there twice$"):
        webhook(body=body)


def test_an_id_of_many_digits_is_exact():
    order = {"ref": TASK, "id": 2**70}

    told = webhook(body={"n": 2**71, "o": order})

    assert (told.event_id, told.provider_reference) == (str(2**71), str(2**70))


@pytest.mark.parametrize("body", [{"o": {}}, {"o": None}, {"n": None}])
def test_without_a_reference_or_an_event_there_is_no_declared_webhook(body):
    assert webhook(body=body) is None


@given(st.dictionaries(st.sampled_from(["event", "n", "seq", "o"]), PARTS))
def test_every_declared_webhook_is_read_or_refused(body):
    webhook(body=body)


# Proofs.


def test_a_bearer_and_a_basic_header_are_made():
    bearer = declared(auth={"bearer": {"token": "t0k3n"}})
    basic = declared(auth={"basic": {"user": "Aladdin", "password": "open sesame"}})
    nobody = PreparedRequest("GET", "https://x.example/", {}, None)

    assert proof_of(bearer).headers(nobody) == {"Authorization": "Bearer t0k3n"}
    assert proof_of(basic).headers(nobody) == {
        "Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    }
    assert "t0k3n" not in repr(bearer)
    assert "sesame" not in repr(basic)


@pytest.mark.parametrize(
    ("key", "key_encoding"), [("key", "text"), ("6b6579", "hex"), ("a2V5", "base64")]
)
def test_a_signature_is_the_known_one(key, key_encoding):
    # The best known example of HMAC-SHA256.
    sentence = "The quick brown fox jumps over the lazy dog"
    auth = {
        "key": key,
        "key_encoding": key_encoding,
        "signed": "{body}",
        "headers": {"X-Sign": "v1={signature}"},
    }
    signed = PreparedRequest("POST", "https://x.example/", {}, sentence.encode())

    (made,) = proof_of(declared(auth={"hmac": auth})).headers(signed).values()

    known = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
    assert made == f"v1={known}"


def test_everything_of_a_request_can_be_signed():
    names = ["method", "path", "query", "target", "timestamp", "body"]
    auth = {
        "key": "key",
        "algorithm": "sha512",
        "encoding": "base64",
        "timestamp": "rfc3339",
        "signed": "|".join(f"{{{name}}}" for name in names),
        "headers": {"X-Sign": "{signature}", "X-Time": "{timestamp}"},
    }
    table = declared(auth={"hmac": auth}, headers={"X-Key": "k-1"})

    def signed(url, method="POST", body=b"{}", at=10**9):
        proof = proof_of(table, lambda: at)
        return proof.headers(PreparedRequest(method, url, {}, body))

    first = signed("https://x.example/a?b=c")
    others = [
        signed("https://x.example/a?b=d"),
        signed("https://x.example/b?b=c"),
        signed("https://x.example/a?b=c", method="GET"),
        signed("https://x.example/a?b=c", body=b"[]"),
        signed("https://x.example/a?b=c", at=2 * 10**9),
    ]
    assert first["X-Key"] == "k-1"
    assert first["X-Time"] == "1970-01-01T00:00:01Z"
    assert len({each["X-Sign"] for each in [first, *others]}) == 6


def test_a_time_is_written_as_asked():
    assert stamped(1_999_999_999, "seconds") == "1"
    assert stamped(1_999_999_999, "milliseconds") == "1999"
    assert stamped(1_999_999_999, "rfc3339") == "1970-01-01T00:00:01Z"


def openssl(*words, folder):
    command = shutil.which("openssl") or "openssl"
    subprocess.run([command, *words], cwd=folder, check=True, capture_output=True)


async def test_the_certificate_of_the_table_is_shown(tmp_path):
    for name in ("server", "client"):
        openssl(
            *["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"],
            *["-subj", "/CN=localhost"],
            *["-addext", "subjectAltName=DNS:localhost"],
            *["-keyout", f"{name}.key", "-out", f"{name}.pem"],
            folder=tmp_path,
        )
    seen = []
    context = ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "client.pem"
    )
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED

    async def handle(asked):
        seen.append(asked.transport.get_extra_info("peercert"))
        return web.json_response(data("NEW"))

    runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "localhost", 0, ssl_context=context).start()
    port = runner.addresses[0][1]
    files = {
        "certificate": "client.pem",
        "key": "client.key",
        "authority": "server.pem",
    }
    tls = {name: str(tmp_path / file) for name, file in files.items()}
    async with Outbound() as out:
        known = provider(out, f"https://localhost:{port}", tls=tls)
        assert isinstance(await known.create(PAYOUT), Accepted)
    await runner.cleanup()

    assert seen[0]["subject"] == ((("commonName", "localhost"),),)


async def test_what_a_provider_cannot_do_is_not_asked():
    async with Outbound() as out:
        bare = provider(out, status=False)

        assert isinstance(await bare.status(PAYOUT), Unclear)
        assert await bare.cancel(PAYOUT) == TooLate()


NARROWED: dict[str, Any] = {
    "sub_status_at": "data.why",
    "code_at": [],
    "error_map": [],
    "status_map": {"DEAD": "failed", "DEAD/soon": "unclear", "NEW/done": "succeeded"}
    | {"HUH/": "accepted"},
    "accepted": [],
}


@pytest.mark.parametrize(
    ("state", "why", "kind"),
    [
        ("DEAD", "soon", Unclear),
        ("DEAD", "gone", Declined),
        ("DEAD", GONE, Declined),
        ("DEAD", ["soon"], Unclear),
        ("NEW", "done", Succeeded),
        ("NEW", "other", Unclear),
        ("NEW", GONE, Unclear),
        ("NEW", ["done"], Unclear),
        ("NEW/done", GONE, Unclear),
        ("NEW/done", "x", Unclear),
        ("HUH", GONE, Accepted),
        ("HUH", "", Accepted),
        ("HUH", "x", Unclear),
        ("HUH", ["x"], Unclear),
    ],
)
def test_a_second_word_narrows_the_first(state, why, kind):
    data = {"state": state} | ({} if why is GONE else {"why": why})

    assert isinstance(asked(200, {"data": data}, **NARROWED), kind)
    assert isinstance(created(200, {"data": data}, **NARROWED), kind)


def test_a_form_says_what_is_in_what():
    table = CreateTable(
        path="/p",
        body_form="urlencoded",
        body={
            "a": "{amount}",
            "to": {"token": "{destination.odd}", "list": ["{currency}", True, 7]},
            "gone": {"x": "{provider_reference?}"},
        },
    )
    values = values_of(PAYOUT, None, "uuid") | {"provider_reference": None}
    request = CallTemplate(table, "https://x.example").request(values)

    assert request.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert parse_qsl((request.body or b"").decode()) == [
        ("a", "12550"),
        ("to[token]", "a/../b?c=d&e\r\nX: y"),
        ("to[list][0]", "EUR"),
        ("to[list][1]", "true"),
        ("to[list][2]", "7"),
    ]


@pytest.mark.parametrize("name", ["a[b]", "b]", "["])
def test_a_destination_that_would_look_like_another_field_is_not_sent(name):
    table = CreateTable(path="/p", body_form="urlencoded", body={"d": "{destination}"})
    call = CallTemplate(table, "https://x.example")

    with pytest.raises(Unsendable):
        call.request({"destination": {name: "1"}})


def test_what_cannot_be_a_form_is_refused():
    vocabulary = frozenset({"amount_number"})
    table = CreateTable(
        path="/p", body_form="urlencoded", body={"a[b]": {"c": "{amount_number}"}}
    )
    bare = CreateTable(path="/p", body_form="urlencoded")

    told = dict(unsafe_call(table, "create", vocabulary))
    assert "{amount_decimal}" in told["create.body.a[b].c"]
    assert "no name with [ or ]" in told["create.body"]
    assert "create.body_form" in dict(unsafe_call(bare, "create", vocabulary))
