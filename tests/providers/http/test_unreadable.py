"""What is no answer proves nothing, and the trail says what it was instead."""

import gzip
from dataclasses import replace

import orjson
import pytest

from handlers.ports.provider import Unclear
from providers.config.creates import CreateTable
from providers.config.forms import StatusTable
from providers.http.outbound import Response
from providers.http.unreadable import kind_of, unreadable
from providers.rest import answers, translate
from tests.providers.rest.test_declared import PAYOUT, reading

PAID = b'{"status": "succeeded"}'
KINDS = {
    b"": "empty",
    b" \r\n": "empty",
    gzip.compress(PAID): "compressed (gzip), and does not say so",
    b"\x28\xb5\x2f\xfd\x00": "compressed (zstd), and does not say so",
    b"\xef\xbb\xbf" + PAID: "JSON after a byte order mark",
    PAID.decode().encode("utf-16"): "no JSON",
    b"<!DOCTYPE html><html>": "an HTML page",
    b"\n <html><body>504": "an HTML page",
    b"<?xml version='1.0'?><a/>": "XML or HTML",
    b'{"status": "na\xefve"}': "not UTF-8",
    b"[]": "JSON, and a list",
    b'"succeeded"': "JSON, and a text",
    b"true": "JSON, and a word",
    b"null": "JSON, and a number or null",
    b'{"a":1,"a":2}': "a JSON object in which a name occurs twice",
    b'{"a":NaN}': "JSON with numbers or characters that it must not have",
    PAID[:-1]: "JSON that is cut off or broken",
    b"upstream connect error": "no JSON",
    b"[" * 100_000: "JSON that is cut off or broken",
}


@pytest.mark.parametrize("body", KINDS, ids=KINDS.values())
def test_a_body_is_called_what_it_is(body):
    assert kind_of(Response(status=200, body=body)) == KINDS[body]


@pytest.mark.parametrize("coding", ["gzip", "GZIP ", "br", "deflate", "gzip, br"])
def test_a_compressed_answer_is_told_though_identity_was_asked_for(coding):
    headers = {"content-encoding": coding}
    told = kind_of(Response(status=200, body=b"\x0b\x02", headers=headers))

    named = coding.strip().lower()
    assert told == f"compressed ({named}), though identity was asked for"


@pytest.mark.parametrize("body", KINDS, ids=KINDS.values())
def test_every_call_finds_it_unclear_and_says_so(body):
    page = Response(status=200, body=body, headers={"content-type": "text/x"})
    declared = reading(StatusTable)
    found = [
        translate.create_answer(page, PAYOUT),
        translate.status_answer(page, PAYOUT),
        answers.create_answer(page, PAYOUT, reading(CreateTable)),
        answers.status_answer(page, PAYOUT, declared),
    ]

    for answer in found:
        assert isinstance(answer, Unclear)
        assert answer.because == f"the body cannot be read: it is {KINDS[body]}"
        kept = orjson.loads(orjson.dumps(answer.evidence))["body"]
        assert (kept["is"], kept["content_type"]) == (KINDS[body], "text/x")


def test_the_first_bytes_are_shown_without_any_secret():
    secret = {"type": "card", "token": "tok_8f2a"}
    page = b"<p>tok_8f2a 4111 1111 1111 1111 Bearer sk_live_0123456789abcdef</p>"

    _, kept = unreadable(Response(status=200, body=page), secret)

    assert kept["begins"] == "<p>*** *** Bearer ***</p>"


def test_a_secret_that_is_cut_by_the_limit_is_hidden_too():
    page = b"x" * 60 + b"tok_8f2a"

    _, kept = unreadable(Response(status=200, body=page), {"token": "tok_8f2a"})

    assert "tok_" not in str(kept)


def test_bytes_that_are_no_text_show_as_dots():
    _, kept = unreadable(Response(status=200, body=b"\x1f\x8b\x08\x00\xff\xff"))

    assert set(str(kept["begins"])) <= {".", " "}


def test_the_destination_is_hidden_in_what_the_trail_keeps():
    page = b"<h1>cannot pay " + PAYOUT.destination["token"].encode() + b"</h1>"
    answer = translate.status_answer(
        Response(status=502, body=page), replace(PAYOUT, provider_reference=None)
    )

    assert isinstance(answer, Unclear)
    assert PAYOUT.destination["token"] not in str(answer.evidence)
