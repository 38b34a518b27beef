"""A declared wire form is refused at the start, by table and key, if unsafe."""

import copy
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from providers.config import ConfigError, parse_config
from tests.wires.certificates import authority

EXAMPLES = Path(__file__).parents[3] / "ops" / "examples"
# Stripe's own tests read its table, whose key has a form of its own.
SHOWN = [
    each
    for each in sorted(EXAMPLES.glob("*/payment.toml"))
    if each.parent.name != "stripe"
]
SECRET = "a secret of some length"
HEX_SECRET = "8f2a41c09be6d3570f1e2d3c4b5a69788f2a41c09be6d3570f1e2d3c4b5a6978"
GONE = object()
SAFE: dict[str, Any] = {
    "adapter": "rest",
    "base_url": "https://acme.example",
    "create": {
        "path": "/payouts",
        "headers": {"Idempotency-Key": "{reference}"},
        "body": {
            "ref": "{reference}",
            "money": [{"sum": "{amount}", "cur": "{currency}"}],
            "to": "{destination.token}",
        },
    },
    "status": {"path": "/payouts/{reference}"},
    "cancel": {"path": "/payouts/{reference}/cancel", "cancelled": [204]},
    "answers": {
        "status_at": "state",
        "status_map": {"PAID": "succeeded"},
        "code_at": "code",
        "error_map": [{"http": [404], "codes": ["NONE"], "means": "not_found"}],
    },
    "webhook": {"scheme": "hmac-sha256", "secrets": [SECRET]},
    "webhook_body": {
        "type_at": "type",
        "type_map": {"paid": "succeeded"},
        "reference_at": "ref",
    },
}
HMAC = {
    "key": SECRET,
    "signed": "{timestamp}{body}",
    "headers": {"X-Time": "{timestamp}", "X-Sign": "{signature}"},
}
STATEMENT = {
    "path": "/list",
    "query": {"from": "{from}"},
    "rows_at": "rows",
    "reference_at": "ref",
    "status_at": "st",
    "status_map": {"2": "succeeded"},
    "amount_at": "sum",
    "currency_at": "cur",
}


def toml(value):
    if isinstance(value, dict):
        pairs = (f"{json.dumps(k)} = {toml(v)}" for k, v in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value)


def changed(**changes):
    """Return the safe table with changes, each by its dotted path (``__`` for dots)."""
    table = copy.deepcopy(SAFE)
    for path, value in changes.items():
        *steps, last = path.split("__")
        inner = table
        for step in steps:
            inner = inner.setdefault(step, {})
        if value is GONE:
            del inner[last]
        else:
            inner[last] = value
    return table


def read(table, environment=None):
    text = "[providers.acme]\n" + "\n".join(
        f"{k} = {toml(v)}" for k, v in table.items()
    )
    limit = timedelta(seconds=30)
    config = parse_config(text, ack_wait=limit, environment=environment or {})
    return config.providers["acme"]


def problems(table):
    with pytest.raises(ConfigError) as refused:
        read(table)
    assert SECRET not in str(refused.value)
    return list(refused.value.problems)


def test_the_safe_table_is_read_and_shows_no_secret():
    table = read(SAFE)

    assert table.status is True
    assert table.asking.path == "/payouts/{reference}"
    assert SECRET not in repr(read(changed(auth={"hmac": HMAC})))


@pytest.mark.parametrize(
    "changes",
    [
        {"status": False, "on_sla": "manual"},
        {"cancel": GONE},
        {"webhook": GONE, "webhook_body": GONE},
        {"webhook__event_id": "body-hash"},
        {"webhook__event_id": ["ref", "type"]},
        {"webhook__event_id": ["ref", "header:X-Event"]},
        {"webhook__events_at": "events", "webhook__event_id": ["ref", "type"]},
        {"webhook__events_at": "", "webhook_body__event_id_at": "id"},
        {
            "webhook__scheme": "hmac",
            "webhook__hmac": {"header": "x-s"},
            "webhook_body__event_id_at": "id",
        },
        {"not_found": "definite"},
        {"auth": {"hmac": HMAC}},
        {"auth": {"bearer": {"token": "t0k3n"}}},
        {"statement": STATEMENT},
        {"statement": STATEMENT | {"rows_at": ""}},
        {"status__answers": {"items_at": "data", "reference_at": "ref"}},
        {"status__answers": {"items_at": "", "reference_at": "ref"}},
        {"answers__status_map": {"PAID": "succeeded", "BACK": "returned"}},
        {
            "status": {"path": "/p/{provider_reference}"},
            "answers__provider_reference_at": "id",
        },
        {"create__headers": {"X-Trace": "{{{reference}}}"}},
        {"create__body__ref": "ours", "create__headers": {"Key": "{reference}"}},
        {"create__body__ref": "ours", "create__query": {"r": "{reference?}"}},
        {"create__body__ref": "ours", "create__path": "/p/{reference}/new"},
        {"create__method": "PUT", "idempotent_create": True},
        {"cancel": {"path": "/p/{reference}", "method": "DELETE", "cancelled": [204]}},
        {"cancel": {"path": "/p/{reference}", "method": "PUT", "cancelled": [204]}},
        {"cancel": {"path": "/p/{reference}", "method": "PATCH", "cancelled": [204]}},
        {"create__answers": {"accepted": [202], "status_map": {}}},
    ],
)
def test_what_is_safe_is_read(changes):
    assert read(changed(**changes)).create is not None


REFUSED = [
    # Templates.
    ({"create__body__x": "{ref}"}, "create.body.x"),
    ({"create__body__x": [{"y": "{"}]}, "create.body.x[0].y"),
    ({"create__body__x": "{reference.real}"}, "create.body.x"),
    ({"create__body__x": "no {destination}"}, "create.body.x"),
    ({"create__body__x": "{amount_number} EUR"}, "create.body.x"),
    ({"create__body__x": 1.5}, "create.body.x"),
    ({"create__body__x": 2**64}, "create.body.x"),
    ({"create__body__x": "{cursor}"}, "create.body.x"),
    ({"create__query": {"x": "{destination}"}}, "create.query.x"),
    ({"create__query": {"x": "{nobody}"}}, "create.query.x"),
    # The provider would know it by another name than ours.
    ({"create__body__ref": "w-{reference}"}, "create"),
    ({"create__body__ref": "x", "create__path": "/w-{reference}"}, "create"),
    ({"create__body__ref": "x", "create__headers": {"Key": "w-{reference}"}}, "create"),
    ({"create__path": "/p/{nobody}"}, "create.path"),
    ({"create__path": "payouts"}, "create.path"),
    ({"create__path": "/p?x=1"}, "create.path"),
    ({"create__path": "/p#x"}, "create.path"),
    ({"create__path": "/p q"}, "create.path"),
    ({"create__path": "/../admin"}, "create.path"),
    ({"create__path": "/%2E%2e/admin"}, "create.path"),
    ({"create__path": "//evil.example"}, "create.path"),
    ({"create__path": "/p/{terminal_id?}"}, "create.path"),
    ({"create__path": GONE}, "create.path"),
    ({"create__headers": {"Content-Length": "7"}}, "create.headers.Content-Length"),
    ({"create__headers": {"A B": "7"}}, "create.headers.A B"),
    ({"create__headers": {"A": "x\r\nB: y"}}, "create.headers.A"),
    ({"create__headers": {"A": "{nobody}"}}, "create.headers.A"),
    ({"headers": {"X": "1"}, "create__headers": {"x": "2"}}, "create.headers.x"),
    ({"status__body": {"a": 1}}, "status.body"),
    # A place that no reader can follow.
    *[
        ({"answers__status_at": place}, "answers.status_at")
        for place in (
            "",
            ".",
            "/",
            "data.",
            ".data",
            "data..state",
            "$.data.state",
            "data[0].state",
            "data.[0].state",
            "data.*.state",
            "data.-1.state",
            "data.00.state",
            "data.1000000.state",
            "/data/-/state",
            "/data//state",
            "/data/~2",
            " data.state",
            "data state",
            "data/state",
            "data.state\n",
            ".".join("a" * 17),
            7,
        )
    ],
    ({"answers__code_at": ["code", "errors[0].code"]}, "answers.code_at"),
    ({"status__answers": {"amount_at": "a..b"}}, "status.answers.amount_at"),
    ({"webhook_body__reference_at": "$.ref"}, "webhook_body.reference_at"),
    ({"statement": STATEMENT | {"rows_at": "rows[*]"}}, "statement.rows_at"),
    # A name that never exists at that call.
    ({"create__body__x": "{provider_reference}"}, "create"),
    ({"status": {"path": "/p/{provider_reference}"}}, "status"),
    ({"status": {"path": "/p"}}, "status"),
    ({"cancel__path": "/p/{provider_reference}/cancel"}, "cancel"),
    ({"cancel__path": "/p/cancel"}, "cancel"),
    (
        {"statement": STATEMENT | {"path": "/l/{cursor}", "next_cursor_at": "n"}},
        "statement",
    ),
    (
        {"statement": STATEMENT | {"query": {"c": "{cursor?}"}}},
        "statement.next_cursor_at",
    ),
    ({"statement": STATEMENT | {"next_cursor_at": "n"}}, "statement.next_cursor_at"),
    # What must be said.
    ({"create__body__money": [{"cur": "{currency}"}]}, "create"),
    ({"create__body__money": [{"sum": "{amount}"}]}, "create"),
    ({"create__body__to": "somebody"}, "create"),
    ({"create__body__ref": "x", "create__headers": {}}, "create"),
    ({"status__path": "/p/{provider_reference}"}, "status"),
    ({"status": True}, "status"),
    ({"status": GONE}, "status"),
    ({"create__method": "PUT"}, "create.method"),
    ({"create__colour": "red"}, "create.colour"),
    ({"status__colour": "red"}, "status.colour"),
    # Answers.
    ({"answers__status_at": ""}, "answers.status_at"),
    ({"answers__status_at": 7}, "answers.status_at"),
    ({"answers__code_at": ["a", "/~"]}, "answers.code_at"),
    ({"answers__status_map": {"PAID": "gone"}}, "answers.status_map.PAID"),
    ({"answers__success_codes": [500]}, "answers.success_codes"),
    ({"answers__success_codes": [99]}, "answers.success_codes[0]"),
    ({"answers__accepted": [409]}, "answers.accepted"),
    ({"answers__currency_at": "cur"}, "answers.amount_at"),
    ({"answers__amount_form": "float"}, "answers.amount_form"),
    ({"answers__error_map": [{"means": "declined"}]}, "answers.error_map[0]"),
    ({"status__answers": {"accepted": [409]}}, "status.answers.accepted"),
    ({"cancel__answers": {"accepted": [409]}}, "cancel.answers.accepted"),
    ({"create__answers": {"success_codes": [409]}}, "create.answers.success_codes"),
    ({"cancel__cancelled": [409]}, "cancel.cancelled"),
    ({"cancel__cancelled": []}, "cancel.answers.status_map"),
    ({"cancel__too_late": [200]}, "cancel.too_late"),
    ({"not_found": "definite", "answers__error_map": []}, "status.answers.error_map"),
    (
        {
            "not_found": "definite",
            "answers__error_map": [{"http": [404], "means": "not_found"}],
        },
        "status.answers.error_map",
    ),
    # Webhooks.
    ({"webhook_body": GONE}, "webhook_body"),
    ({"webhook": GONE}, "webhook_body"),
    ({"webhook_body__type_map": {"x": "returned"}}, "webhook_body.type_map"),
    ({"webhook_body__type_map": {"x": "lost"}}, "webhook_body.type_map.x"),
    ({"webhook_body__currency_at": "c"}, "webhook_body.amount_at"),
    (
        {"webhook_body__amount_at": "a", "webhook_body__amount_form": "decimal"},
        "webhook_body.currency_at",
    ),
    ({"webhook__scheme": "stripe"}, "webhook_body.event_id_at"),
    ({"webhook__scheme": "checkout"}, "webhook_body.event_id_at"),
    ({"webhook__events_at": "events"}, "webhook_body.event_id_at"),
    ({"webhook_body__event_id_at": "ref"}, "webhook_body.event_id_at"),
    (
        {"webhook_body__event_id_at": "a", "webhook_body__provider_reference_at": "/a"},
        "webhook_body.event_id_at",
    ),
    ({"webhook__event_id": "ref"}, "webhook.event_id"),
    ({"webhook__event_id": ["ref", "ref"]}, "webhook.event_id"),
    ({"webhook__event_id": []}, "webhook.event_id"),
    ({"webhook__event_id": ["body-hash", "id"]}, "webhook.event_id"),
    ({"webhook__event_id": "header:x y"}, "webhook.event_id"),
    ({"webhook__event_id": "$.id"}, "webhook.event_id"),
    (
        {"webhook__event_id": ["id", "type"], "webhook_body__event_id_at": "id"},
        "webhook.event_id",
    ),
    (
        {
            "webhook__scheme": "hmac",
            "webhook__hmac": {"header": "x-s", "event_id_pointer": "/ref"},
        },
        "webhook.hmac.event_id_pointer",
    ),
    # Proofs.
    ({"auth": {}}, "auth"),
    (
        {"auth": {"bearer": {"token": "t"}, "basic": {"user": "u", "password": "p"}}},
        "auth",
    ),
    ({"auth": {"bearer": {"token": "a\r\nb"}}}, "auth.bearer.token"),
    ({"auth": {"basic": {"user": "a:b", "password": "p"}}}, "auth.basic.user"),
    ({"auth": {"basic": {"user": "a", "password": ""}}}, "auth.basic.password"),
    (
        {"auth": {"bearer": {"token": "t"}}, "headers": {"authorization": "x"}},
        "headers",
    ),
    ({"auth": {"hmac": HMAC | {"key": ""}}}, "auth.hmac.key"),
    ({"auth": {"hmac": HMAC | {"key_encoding": "hex"}}}, "auth.hmac.key"),
    ({"auth": {"hmac": HMAC | {"key_encoding": "base64"}}}, "auth.hmac.key"),
    ({"auth": {"hmac": HMAC | {"algorithm": "md5"}}}, "auth.hmac.algorithm"),
    ({"auth": {"hmac": HMAC | {"signed": "{body}{amount}"}}}, "auth.hmac.signed"),
    ({"auth": {"hmac": HMAC | {"signed": "{timestamp}"}}}, "auth.hmac.signed"),
    (
        {"auth": {"hmac": HMAC | {"headers": {"X": "{signature}"}}}},
        "auth.hmac.headers",
    ),
    (
        {"auth": {"hmac": HMAC | {"headers": {"X": "{timestamp}"}}}},
        "auth.hmac.headers",
    ),
    (
        {"auth": {"hmac": HMAC}, "create__headers": {"x-sign": "1"}},
        "create.headers.x-sign",
    ),
    ({"tls": {"certificate": "nowhere.pem", "key": __file__}}, "tls.certificate"),
    ({"tls": {"certificate": __file__, "key": "nowhere.pem"}}, "tls.key"),
    ({"tls": {"certificate": __file__}}, "tls.key"),
    ({"tls": {"key": __file__}}, "tls.certificate"),
    ({"tls": {"authority": "nowhere.pem"}}, "tls.authority"),
    ({"tls": {"authority": "/"}}, "tls.authority"),
    ({"tls": {"authority": __file__}}, "tls.authority"),
    ({"tls": {}}, "tls"),
    ({"tls": {"certificate": __file__, "key": __file__}}, "tls"),
    # The rest.
    ({"reference_form": "short"}, "reference_form"),
    ({"asking": {"path": "/x"}}, "asking"),
    ({"statement": STATEMENT | {"query": {"x": "{reference}"}}}, "statement.query.x"),
    # A list is for a status alone, and an item must say whose it is.
    (
        {"answers__items_at": "data", "answers__reference_at": "ref"},
        "answers.items_at",
    ),
    ({"create__answers": {"items_at": "data"}}, "create.answers.items_at"),
    ({"cancel__answers": {"items_at": ""}}, "cancel.answers.items_at"),
    ({"status__answers": {"items_at": "data"}}, "status.answers.reference_at"),
    ({"status__answers": {"more_at": "more"}}, "status.answers.more_at"),
    ({"status__answers": {"items_at": "d[0]"}}, "status.answers.items_at"),
]


@pytest.mark.parametrize(("changes", "key"), REFUSED)
def test_what_is_unsafe_is_refused_by_key(changes, key):
    (problem,) = problems(changed(**changes))

    assert problem.startswith(f"[providers.acme] {key}: ")


@pytest.mark.parametrize("status", [200, 302, 408, 409, 425, 429, 500, 503])
def test_an_http_status_that_may_have_paid_is_never_a_no(status):
    entry = {"http": [422, status], "means": "declined"}

    (problem,) = problems(changed(answers__error_map=[entry]))

    assert problem == (
        f"[providers.acme] answers.error_map[0].http: {status} must not mean "
        "declined: it may have paid"
    )


def test_codes_need_a_place_and_a_map_needs_one_too():
    codes = changed(answers__code_at=GONE)
    words = changed(answers__status_at=GONE)

    assert problems(codes) == [
        "[providers.acme] answers.error_map[0].codes: cannot be read without code_at"
    ]
    assert problems(words)[0].startswith("[providers.acme] answers.status_at: ")


def test_a_status_that_cannot_say_succeeded_is_refused():
    found = problems(changed(answers__status_map={"NEW": "accepted"}))

    assert found == [
        "[providers.acme] status.answers.status_map: must have a word for succeeded"
    ]


def test_a_create_that_cannot_say_yes_is_refused():
    table = changed(create__answers={"status_map": {"NO": "declined"}})

    (problem,) = problems(table)

    assert problem.startswith("[providers.acme] create.answers.status_map: ")


@pytest.mark.parametrize("key", ["status", "cancel", "answers", "webhook_body"])
def test_nothing_is_declared_without_a_create(key):
    table = {name: SAFE[name] for name in ("adapter", "base_url", "webhook", key)}

    (problem,) = problems(table)

    assert problem == f"[providers.acme] {key}: has no meaning without create"


def test_only_rest_has_a_declared_form():
    found = problems(changed(adapter="simulator", base_url=GONE))

    assert "[providers.acme] create: unknown key of the adapter simulator" in found
    assert "[providers.acme] status: unknown key of the adapter simulator" in found


def test_a_certificate_is_shown_over_tls_only():
    tls = {"certificate": "a", "key": "b"}
    found = problems(changed(base_url="http://acme.example", tls=tls))

    assert found[0] == "[providers.acme] tls: needs a base_url with https://"


def test_a_private_authority_needs_no_certificate_of_ours(tmp_path):
    known = authority(tmp_path, "Acme Root")

    read(changed(tls={"authority": str(known.pem)}))


def test_all_problems_of_a_form_are_told_at_once():
    found = problems(
        changed(create__path="x", create__body__x="{y}", answers__accepted=[500])
    )

    keys = [line.split("] ")[1].split(": ")[0] for line in found]
    assert keys == ["create.path", "create.body.x", "answers.accepted"]


@pytest.mark.parametrize("path", SHOWN, ids=[each.parent.name for each in SHOWN])
def test_the_examples_are_safe(path):
    text = path.read_text()
    environment = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), HEX_SECRET)

    config = parse_config(text, ack_wait=timedelta(seconds=30), environment=environment)

    assert [*config.providers, *config.services]


def test_only_rest_proves_who_asks():
    table = {"adapter": "simulator", "auth": {"bearer": {"token": "t"}}}

    assert problems(table) == [
        "[providers.acme] auth: unknown key of the adapter simulator"
    ]
