"""All schemes together under invented input: alone, and behind the endpoint."""

import socket
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.ports.provider import Rejected, Verified
from providers.config import parse_config
from tests.fuzz.__main__ import main
from tests.fuzz.oracle import Violation
from tests.fuzz.requests import INVENTIONS
from tests.fuzz.routes import (
    DEAD_KEY,
    NEXT_KEY,
    NOW,
    OLD_KEY,
    PaypalKey,
    Wish,
    configuration,
    routes,
)
from tests.fuzz.webhooks import prepared

ROUTES = {route.name: route for route in routes(PaypalKey.made())}
CONFIG = parse_config(
    configuration(list(ROUTES.values())), ack_wait=timedelta(minutes=1), environment={}
)
VERIFIERS = {
    name: table.webhook.verifier()
    for name, table in CONFIG.providers.items()
    if table.webhook
}
WITH_HEADERS = sorted(set(ROUTES) - {"adyen"})
WISH = Wish(event="e-1", sent=int(NOW.timestamp()))
# Headers that a scheme does not sign.
FREE = {"x-event-id", "x-event", "x-delivery-id"}
IN_HEX = {"stripe", "hmac-sha256", "checkout", "listed", "chained"}
IN_HEX |= {"several", "composed", "hashed"}


def signed(name, wish=WISH):
    body = ROUTES[name].compose(wish.event, "task-1")
    headers = {key: [value] for key, value in ROUTES[name].sign(body, wish)}
    return headers, body


def check(name, headers, body, now=NOW):
    return VERIFIERS[name].verify(headers, body, now)


GENUINE = {name: signed(name) for name in ROUTES}
PLACES = [(name, key) for name in WITH_HEADERS for key in GENUINE[name][0]]
ANY_TEXT = st.text(max_size=80) | st.text(alphabet="v1,=; .tsha256:", max_size=90)
ANY_HEADERS = st.dictionaries(
    st.sampled_from(sorted({key for _, key in PLACES})), st.lists(ANY_TEXT, max_size=3)
)


@pytest.mark.parametrize("name", ROUTES)
def test_what_is_genuine_holds_in_both_opinions(name):
    headers, body = GENUINE[name]
    answer = check(name, headers, body)

    assert isinstance(answer, Verified)
    second = ROUTES[name].second(headers, body, NOW)
    assert answer.event_id in {None, second}


@pytest.mark.attack("port", "No invented webhook holds, for any scheme")
@given(st.sampled_from(sorted(ROUTES)), ANY_HEADERS, st.binary(max_size=200))
def test_nothing_raises_and_nothing_invented_holds(name, headers, body):
    assert isinstance(check(name, headers, body), Rejected)


@given(st.sampled_from(PLACES), ANY_TEXT)
def test_no_signed_header_can_be_replaced(place, text):
    name, key = place
    headers, body = GENUINE[name]
    if key in FREE or text == headers[key][0]:
        return

    assert isinstance(check(name, headers | {key: [text]}, body), Rejected)


@pytest.mark.attack("port", "One bit changed in a signed body is seen")
@pytest.mark.parametrize("name", sorted(set(ROUTES) - {"token"}))
def test_any_flipped_bit_of_the_body_is_seen(name):
    headers, body = GENUINE[name]
    for place in range(len(body)):
        for bit in range(8):
            changed = bytearray(body)
            changed[place] ^= 1 << bit
            answer = check(name, headers, bytes(changed))
            if name == "adyen" and isinstance(answer, Verified):
                assert ROUTES[name].second(headers, bytes(changed), NOW), changed
            else:
                assert isinstance(answer, Rejected), changed


@pytest.mark.parametrize(("name", "key"), PLACES)
def test_any_flipped_bit_of_a_header_is_seen(name, key):
    headers, body = GENUINE[name]
    value = headers[key][0]
    for place in range(len(value)):
        for bit in range(8):
            sign = chr(ord(value[place]) ^ 1 << bit)
            changed = value[:place] + sign + value[place + 1 :]
            in_mac = name in IN_HEX and place > value.rfind("=")
            forgiven = key in FREE or (in_mac and changed.lower() == value.lower())
            answer = check(name, headers | {key: [changed]}, body)
            assert forgiven or isinstance(answer, Rejected), changed


@pytest.mark.parametrize(("name", "key"), PLACES)
@pytest.mark.parametrize("space", [" ", "\t", "\n", "\r\n", "\0", "\xa0", "\u2003"])
def test_white_space_is_never_forgiven(name, key, space):
    headers, body = GENUINE[name]
    (value,) = headers[key]
    for changed in (space + value, value + space, value[:3] + space + value[3:]):
        answer = check(name, headers | {key: [changed]}, body)
        assert isinstance(answer, Rejected), changed


@pytest.mark.parametrize(("name", "key"), PLACES)
def test_a_header_is_there_once_and_of_ascii(name, key):
    headers, body = GENUINE[name]
    (value,) = headers[key]
    foreign = "".join(
        chr(0xFF10 + int(sign)) if sign.isdigit() else sign for sign in value
    )
    missing: list[list[str]] = [] if key in FREE else [[]]
    for values in (*missing, [value, value], [value, ""], [value + "A" * 5000]):
        assert isinstance(check(name, headers | {key: values}, body), Rejected)
    if foreign != value:
        assert isinstance(check(name, headers | {key: [foreign]}, body), Rejected)


@pytest.mark.parametrize("name", ROUTES)
def test_the_headers_of_other_schemes_prove_nothing(name):
    body = GENUINE[name][1] if name != "adyen" else GENUINE["stripe"][1]
    strange: dict[str, list[str]] = {}
    for other in set(ROUTES) - {name}:
        strange |= {key: [v] for key, v in ROUTES[other].sign(body, WISH)}

    assert isinstance(check(name, strange, body), Rejected)


@pytest.mark.attack("port", "A key that was exchanged proves nothing any more")
@pytest.mark.parametrize("name", sorted(set(WITH_HEADERS) - {"paypal"}))
@pytest.mark.parametrize(
    ("key", "hours", "holds"),
    [
        (OLD_KEY, 0, True),
        (OLD_KEY, 2, False),
        (DEAD_KEY, 0, False),
        (DEAD_KEY, -200, True),
        (NEXT_KEY, 0, False),
        (NEXT_KEY, 25, True),
    ],
)
def test_a_key_counts_within_its_window(name, key, hours, holds):
    now = NOW + timedelta(hours=hours)
    wish = replace(WISH, sent=int(now.timestamp()), key=key)

    headers, body = signed(name, wish)

    assert isinstance(check(name, headers, body, now), Verified) is holds


# Behind the endpoint


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("somebody wants to connect")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
async def test_a_short_run_finds_nothing_and_sees_everything():
    fuzz = prepared(seed=1)

    await fuzz.run(2000)

    assert not fuzz.oracle.idle()
    assert set(fuzz.oracle.statuses) == {200, 202, 400, 401, 404, 413, 415}
    assert set(fuzz.oracle.kinds) == {maker.__name__ for maker, _ in INVENTIONS}
    assert fuzz.oracle.statuses.total() == 2000


async def test_the_same_seed_sends_the_same():
    runs = [prepared(seed=2), prepared(seed=2), prepared(seed=3)]
    for fuzz in runs:
        await fuzz.run(300)

    first, second, other = (fuzz.oracle.statuses for fuzz in runs)
    assert first == second != other


def gullible(*_):
    return Verified("e-1")


def fragile(*_):
    raise UnicodeError("a decoder")


@pytest.mark.parametrize(
    ("broken", "told"), [(gullible, "forgery"), (fragile, "UnicodeError")]
)
async def test_a_broken_verifier_is_found_and_the_seed_is_told(
    monkeypatch, broken, told
):
    monkeypatch.setattr("providers.signatures.signed.SignatureVerifier.verify", broken)
    fuzz = prepared(seed=4)

    with pytest.raises(Violation, match=told) as found:
        await fuzz.run(2000)

    assert "again: python -m tests.fuzz webhooks --requests" in str(found.value)
    assert "--seed 4" in str(found.value)


def test_the_command_says_what_it_did(capsys):
    assert main(["webhooks", "--requests", "400", "--seed", "5"]) == 0

    said = capsys.readouterr().out
    assert "seed 5" in said
    assert "a second" in said


def test_a_violation_is_an_exit_of_one(capsys, monkeypatch):
    monkeypatch.setattr(
        "providers.signatures.signed.SignatureVerifier.verify", gullible
    )

    assert main(["webhooks", "--requests", "400", "--seed", "6"]) == 1
    assert "VIOLATION" in capsys.readouterr().err


def test_too_little_seen_is_an_exit_of_one(capsys):
    assert main(["webhooks", "--requests", "1", "--seed", "7"]) == 1
    assert "never taken: " in capsys.readouterr().err


def test_the_module_runs_by_its_name():
    command = [sys.executable, "-m", "tests.fuzz", "webhooks", "--help"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "--seed" in answer.stdout
