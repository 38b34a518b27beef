import asyncio
import gzip
import hashlib
import hmac
import time
from dataclasses import replace
from random import Random

import orjson
import pytest

from fsm.domain.strict_json import SIZE_MAX
from payment_service.api.app import create_app
from payment_service.api.webhooks import ADDRESSES_MAX, FAILURES, Failures
from payment_service.observability.notes import NOTED_AT_ONCE, Notes
from payment_service.observability.repeats import WINDOW_SECONDS
from payment_service.playground.memory.clock import VirtualClock
from tests.api.fakes import SECRET, calling, deps_of
from tests.fuzz.requests import Sent
from tests.fuzz.webhooks import post

TASK = "0195f1de-0000-7000-8000-000000000001"
BODY = orjson.dumps({"id": "e", "type": "payout.succeeded", "reference": TASK})


def signed(body, event_id="evt-1", **more):
    digest = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    return {"X-Signature": digest, "X-Event-Id": event_id, **more}


JSON = {"Content-Type": "application/json"}
JSON_PAIRS = [("content-type", "application/json")]


async def deliver(session, body=BODY, provider="acme", headers=None):
    headers = signed(body) | JSON if headers is None else headers
    path = f"/webhooks/{provider}"
    async with session.post(path, data=body, headers=headers) as response:
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        await response.read()
        return response.status


async def test_a_webhook_is_stored_once_whatever_its_second_body_says(world):
    other = BODY.replace(b"succeeded", b"failed")
    async with calling(deps_of(world)) as session:
        assert await deliver(session) == 202
        assert await deliver(session) == 200
        assert await deliver(session, other) == 200
    assert len(world.webhook) == 1
    assert world.webhook["acme", "evt-1"].body_hash == hashlib.sha256(BODY).digest()
    assert world.counted == {
        ("acme", "stored"): 1,
        ("acme", "seen"): 1,
        ("acme", "differs"): 1,
    }
    assert [event for event, _ in world.noted] == ["webhook.differs"]


@pytest.mark.attack(
    "port", "A webhook without the provider's signature is stored nowhere"
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Signature": "0" * 64},
        {"X-Signature": "é"},
        {"X-Signature": signed(BODY)["X-Signature"].upper()},
    ],
)
async def test_a_signature_that_does_not_hold_is_401(world, headers):
    async with calling(deps_of(world)) as session:
        assert await deliver(session, headers=headers | JSON) == 401
    assert not world.webhook
    assert world.counted == {("acme", "unsigned"): 1}


MANY = 3_000


@pytest.mark.attack("port", "Forged webhooks without end make few lines of log")
@pytest.mark.parametrize(
    "headers", [{}, {"X-Signature": "0" * 64}, None], ids=["none", "forged", "differs"]
)
async def test_what_is_sent_without_end_is_told_a_few_times(world, headers):
    lines = []
    notes = Notes(lambda event, told: lines.append((event, told)))
    app = create_app(replace(deps_of(world), note=notes))
    dice, began = Random(1), time.monotonic()
    for number in range(MANY):
        body = BODY.replace(b"succeeded", b"failed") if number else BODY
        told = signed(body) if headers is None else headers
        pairs = [(n.lower(), v) for n, v in told.items()]
        sent = Sent(kind="", route="acme", headers=[*pairs, *JSON_PAIRS], body=body)
        await post(app, sent, dice)
    windows = 1 + (time.monotonic() - began) / WINDOW_SECONDS

    assert lines
    assert len(lines) <= NOTED_AT_ONCE * 2 * windows
    assert sum(world.counted.values()) == MANY
    assert len(orjson.dumps(lines)) < 300 * len(lines)


async def test_white_space_around_a_header_is_no_part_of_it(world):
    app = create_app(deps_of(world))
    pairs = [(n.lower(), f"\t {v} \t") for n, v in (signed(BODY) | JSON).items()]

    sent = Sent(kind="", route="acme", headers=pairs, body=BODY)

    assert await post(app, sent, Random(1)) == 202


@pytest.mark.attack("port", "Two signatures in one request are none")
async def test_two_signatures_are_none(world):
    pairs = [*signed(BODY).items(), *signed(BODY).items(), *JSON.items()]
    async with calling(deps_of(world)) as session:
        assert await deliver(session, headers=pairs) == 401


@pytest.mark.parametrize("provider", ["nobody", "mute", "ACME", "%00", "%ff", "a%2Fb"])
async def test_a_provider_without_webhooks_is_404(world, provider):
    async with calling(deps_of(world)) as session:
        url = session._base_url.with_path(f"/webhooks/{provider}", encoded=True)
        headers = signed(BODY) | JSON
        async with session.post(url, data=BODY, headers=headers) as response:
            assert response.status == 404
    assert world.counted == {("unknown", "no_provider"): 1}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[",
        b'{"amount": 1, "amount": 2}',
        b'{"reference": "a", "x": ' + b"[" * 40 + b"]" * 39 + b"}",
    ],
)
async def test_what_is_signed_and_unreadable_is_400(world, body):
    async with calling(deps_of(world)) as session:
        assert await deliver(session, body) == 400
    assert world.counted == {("acme", "unreadable"): 1}


@pytest.mark.parametrize(
    "more",
    [
        b'"x": NaN',
        b'"x": 1180591620717411303424',
        b'"x": 1, "x": 2',
        b'"x": "Malm\xf6"',
        b'"x": "\\ud800"',
        b'"x": "\\u0000"',
        b'"x": ' + b"[" * 40 + b"]" * 40,
    ],
)
async def test_what_nobody_reads_spoils_nothing(world, more):
    body = b"\xef\xbb\xbf" + BODY[:-1] + b", " + more + b"}\r\n\0"
    async with calling(deps_of(world)) as session:
        assert await deliver(session, body) == 202
        assert await deliver(session, body) == 200
    (webhook,) = world.webhook.values()
    assert len(webhook.content_hash) == 32


async def test_who_signed_a_body_is_told_what_is_wrong_with_it(world):
    body = b'{"reference": "tok_secret" "x": 1}'
    async with calling(deps_of(world)) as session:
        path, headers = "/webhooks/acme", signed(body) | JSON
        async with session.post(path, data=body, headers=headers) as response:
            told = await response.json()
    assert response.status == 400
    problem = "the body is no JSON at byte 27: expecting ',' delimiter"
    assert told["detail"].endswith(problem)
    assert world.noted == [
        ("webhook.unreadable", {"provider": "acme", "problem": problem})
    ]
    assert "tok_secret" not in f"{told} {world.noted}"


@pytest.mark.parametrize(
    "path",
    ["/webhooks/acme/", "/webhooks//acme", "//webhooks/acme//", "/webhooks/acm%65/"],
)
async def test_a_slash_too_many_is_no_other_address(world, path):
    async with calling(deps_of(world)) as session:
        url = session._base_url.with_path(path, encoded=True)
        headers = signed(BODY) | JSON
        async with session.post(url, data=BODY, headers=headers) as response:
            assert response.status == 202


@pytest.mark.attack("port", "An address written otherwise opens nothing else")
async def test_a_slash_too_many_opens_nothing_else(world):
    async with calling(deps_of(world)) as session:
        for path in ("/webhooks/acme/x", "/webhooks/", "/webhooks/a%2Fb/", "/v1/"):
            url = session._base_url.with_path(path, encoded=True)
            async with session.post(url, data=BODY, headers=JSON) as response:
                assert response.status in {401, 404}
    assert not world.webhook


async def test_an_unreadable_body_without_a_signature_is_401(world):
    async with calling(deps_of(world)) as session:
        assert await deliver(session, b"[" * 1000, headers=JSON) == 401


@pytest.mark.attack("port", "A webhook has a size, before its signature is looked at")
async def test_a_webhook_over_256_kib_is_413(world):
    exact = BODY + b" " * (SIZE_MAX - len(BODY))
    async with calling(deps_of(world)) as session:
        assert await deliver(session, exact) == 202
        assert await deliver(session, exact + b" ") == 413
        assert await deliver(session, b" " * 2**20) == 413
    assert world.counted["acme", "too_large"] == 2


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/xml",
        "application/json; charset=utf-16",
        "application/json; charset=utf-8; charset=iso-8859-1",
        "application/json; charset",
        "application/x-www-form-urlencoded",
    ],
)
async def test_a_webhook_that_is_not_json_is_415(world, kind):
    async with calling(deps_of(world)) as session:
        headers = signed(BODY) | {"Content-Type": kind}
        assert await deliver(session, headers=headers) == 415
    assert not world.webhook


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/json;charset=UTF-8;",
        'application/json; charset="utf-8"',
        "application/cloudevents+json",
        "text/json",
        "",
    ],
)
async def test_json_by_any_of_its_names_is_taken(world, kind):
    async with calling(deps_of(world)) as session:
        headers = signed(BODY) | {"Content-Type": kind}
        assert await deliver(session, headers=headers) == 202


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "identity, br"])
async def test_a_compressed_webhook_is_415(world, encoding):
    packed = gzip.compress(BODY)
    async with calling(deps_of(world)) as session:
        headers = signed(packed) | JSON | {"Content-Encoding": encoding}
        assert await deliver(session, packed, headers=headers) == 415


async def test_over_the_rate_is_429_and_only_signed_ones_count(world):
    async with calling(deps_of(world)) as session:
        for _ in range(5):
            assert await deliver(session, provider="zeta", headers=JSON) == 401
        for status in (202, 202, 429):
            event = signed(BODY, f"evt-{status}-{len(world.webhook)}") | JSON
            assert await deliver(session, provider="zeta", headers=event) == status
        assert await deliver(session) == 202
    assert len(world.webhook) == 3


async def test_what_is_not_stored_is_503_so_that_it_comes_again(world):
    async with calling(deps_of(world)) as session:
        world.down = True
        assert await deliver(session) == 503
        world.down = False
        assert await deliver(session) == 202


async def drip():
    for _ in range(100):
        yield b" "
        await asyncio.sleep(0.05)


async def test_a_webhook_that_drips_is_400(world):
    async with calling(deps_of(world)) as session:
        assert await deliver(session, drip(), headers=JSON) == 400
    assert world.counted == {("acme", "unreadable"): 1}


async def test_no_problem_tells_why_a_signature_failed(world):
    async with calling(deps_of(world)) as session:
        answers = []
        for headers in ({}, {"X-Signature": "0" * 64}):
            response = await session.post(
                "/webhooks/acme", data=BODY, headers=headers | JSON
            )
            answers.append(await response.read())
    assert answers[0] == answers[1]


@pytest.mark.attack(
    "port",
    "Guessing signatures is slowed down, and takes nothing from the true provider",
)
async def test_guessing_is_slowed_down_and_a_true_webhook_still_goes_through(world):
    async with calling(deps_of(world)) as session:
        statuses = [await deliver(session, headers=JSON) for _ in range(25)]
        assert await deliver(session) == 202

    assert statuses == [401] * 20 + [429] * 5
    assert world.counted["acme", "guessing"] == 5


async def test_guessing_is_told_when_to_come_again(world):
    async with calling(deps_of(world)) as session:
        for _ in range(20):
            await deliver(session, headers=JSON)
        response = await session.post("/webhooks/acme", data=BODY, headers=JSON)

    assert response.headers["Retry-After"] == "60"


def test_addresses_are_forgotten_from_the_one_quiet_for_longest():
    failures = Failures(VirtualClock())
    for _ in range(FAILURES.count):
        assert not failures.are_too_many("first")
    assert failures.are_too_many("first")

    for number in range(ADDRESSES_MAX):
        failures.are_too_many(f"other-{number}")

    assert not failures.are_too_many("first")


@pytest.mark.attack("port", "A stranger cannot use up a provider's rate")
async def test_strangers_leave_the_rate_to_the_provider(world):
    async with calling(deps_of(world)) as session:
        for _ in range(30):
            await deliver(session, provider="zeta", headers=JSON)
        assert await deliver(session, provider="zeta") == 202


async def test_the_same_statement_under_another_id_has_the_same_content(world):
    again = BODY.replace(b'"e"', b'"f"')
    other = BODY.replace(TASK.encode(), TASK.replace("1", "2").encode())
    async with calling(deps_of(world)) as session:
        for number, body in enumerate((BODY, again, other)):
            headers = signed(body, f"evt-{number}") | JSON
            assert await deliver(session, body, headers=headers) == 202

    contents = [world.webhook["acme", f"evt-{n}"].content_hash for n in range(3)]
    assert contents[0] == contents[1] != contents[2]
    assert len(contents[0]) == 32
