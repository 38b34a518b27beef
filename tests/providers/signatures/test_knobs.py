"""The scheme ``hmac``: every knob turned, and every unsafe position refused."""

import base64
import hashlib
import hmac
from datetime import timedelta
from typing import Any

import pytest

from handlers.ports.provider import Rejected, Verified
from providers.signatures import (
    RejectionReason,
    SchemeSettings,
    Secret,
    SignatureForm,
    Unsafe,
    verifier,
)
from tests.fuzz.routes import NOW

KEY = "test-signature-key"
BODY = b'{"test": 2432232314, "data": [{"a/b": "evt-1", "n": 7, "~": true}], "~1": 8}'
SENT = int(NOW.timestamp())
PLAIN: dict[str, Any] = {"header": "x-sig", "event_id_header": "x-id"}
TIMED = PLAIN | {"template": "{ts}{body}", "timestamp_header": "x-ts"}
LISTED = {
    "header": "x-sig",
    "template": "{ts}.{body}",
    "separator": ",",
    "prefix": "v1=",
    "timestamp_item": "t=",
    "event_id_pointer": "/data/0/a~1b",
}


def made(*, secrets=(KEY,), tolerance=None, **knobs):
    known = [Secret(value=secret) for secret in secrets]
    settings = SchemeSettings(
        secrets=known, hmac=SignatureForm(**knobs), tolerance=tolerance
    )
    return verifier("hmac", settings)


def check(check_, headers, body=BODY, now=NOW):
    told = {name: [value] for name, value in headers.items()}
    return check_.verify(told, body, now)


def mac(content, digest="sha256"):
    return hmac.new(KEY.encode(), content, digest)


def in_base64(made_mac):
    return base64.b64encode(made_mac.digest()).decode()


def test_the_vector_like_cashfrees_holds():
    body = b'{"test": 2432232314}'
    knobs = TIMED | {"encoding": "base64"}
    headers = {
        "x-sig": "ypzhnWzUg0Vw6rkzI/EDGeR6Se9UAVrudZFtZ/c5+t8=",
        "x-ts": "1614265330",
        "x-id": "e",
    }
    then = NOW.fromtimestamp(1614265330, NOW.tzinfo)

    assert check(made(**knobs), headers, body, then) == Verified("e")
    assert check(made(**knobs), headers, body) == Rejected(RejectionReason.TOO_OLD)


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("prefix", ["", "sha=", "v0,"])
def test_digest_encoding_and_prefix(digest, encoding, prefix):
    given = mac(BODY, digest=digest)
    told = given.hexdigest() if encoding == "hex" else in_base64(given)
    check_ = made(**PLAIN, digest=digest, encoding=encoding, prefix=prefix)

    assert check(check_, {"x-sig": prefix + told, "x-id": "e"}) == Verified("e")
    for wrong in (
        prefix + told + "=",
        prefix + told[:-3],
        f" {prefix}{told}",
        told[1:],
    ):
        answer = check(check_, {"x-sig": wrong, "x-id": "e"})
        assert answer == Rejected(RejectionReason.MALFORMED)


@pytest.mark.parametrize(
    ("knobs", "secret"),
    [
        ({}, KEY),
        ({"key_encoding": "hex"}, KEY.encode().hex().upper()),
        ({"key_encoding": "base64"}, base64.b64encode(KEY.encode()).decode()),
        (
            {"key_encoding": "base64", "key_prefix": "whk_"},
            "whk_" + base64.b64encode(KEY.encode()).decode(),
        ),
        ({"key_prefix": "k:"}, f"k:{KEY}"),
    ],
)
def test_how_the_key_is_written(knobs, secret):
    headers = {"x-sig": mac(BODY).hexdigest(), "x-id": "e"}

    assert check(made(**PLAIN, **knobs, secrets=[secret]), headers) == Verified("e")


@pytest.mark.parametrize(
    ("knobs", "secret"),
    [
        ({}, "fifteen bytes.."),
        ({"key_encoding": "hex"}, "0" * 33),
        ({"key_encoding": "hex"}, "00 " * 20),
        ({"key_encoding": "hex"}, "\uff10" * 40),
        ({"key_encoding": "base64"}, "A" * 43),
        ({"key_encoding": "base64"}, "A" * 42 + "B="),
        ({"key_encoding": "base64"}, "A" * 40 + "\nAAA="),
        ({"key_encoding": "base64"}, "A-_A" * 10),
        ({"key_prefix": "whk_"}, KEY),
        ({"key_prefix": "long enough by itself"}, "long enough by itself" + "k" * 15),
    ],
)
def test_a_key_that_is_short_or_badly_written_is_refused(knobs, secret):
    assert refusal(**PLAIN, **knobs, secrets=[secret]) == "secrets"


@pytest.mark.parametrize(
    ("template", "content"),
    [
        ("{body}", "{body}"),
        ("{ts}{body}", f"{SENT}{{body}}"),
        ("{ts}.{body}", f"{SENT}.{{body}}"),
        ("v0:{ts}:{body}", f"v0:{SENT}:{{body}}"),
        ("{id}.{ts}.{body}", f"e-1.{SENT}.{{body}}"),
        ("{method}\n{path}\n{ts}\n{body}", f"POST\n/hooks/a\n{SENT}\n{{body}}"),
        ("{body}.{ts}", f"{{body}}.{SENT}"),
        ("{body}|{id}|{ts}", f"{{body}}|e-1|{SENT}"),
    ],
)
def test_what_is_signed_is_what_the_template_says(template, content):
    knobs = dict(PLAIN, template=template)
    knobs |= {"timestamp_header": "x-ts"} if "{ts}" in template else {}
    knobs |= {"path": "/hooks/a"} if "{path}" in template else {}
    text = content.encode().replace(b"{body}", BODY)
    headers = {"x-sig": mac(text).hexdigest(), "x-id": "e-1", "x-ts": str(SENT)}

    assert check(made(**knobs), headers) == Verified("e-1")
    assert check(made(**knobs), headers, BODY + b" ") == Rejected(RejectionReason.WRONG)


def test_an_id_that_is_signed_cannot_run_into_its_neighbour():
    check_ = made(**TIMED | {"template": "{id}.{ts}.{body}"})
    content = f"a.b.{SENT}.".encode() + BODY
    headers = {"x-sig": mac(content).hexdigest(), "x-ts": str(SENT)}

    assert check(check_, headers | {"x-id": "a.b"}) == Rejected(
        RejectionReason.MALFORMED
    )


@pytest.mark.parametrize(
    ("template", "event", "holds"),
    [
        ("{id}ab{body}", "xb", True),
        ("{id}ab{body}", "xa", False),
        ("{body}ab{id}", "ax", True),
        ("{body}ab{id}", "bx", False),
    ],
)
def test_the_sign_beside_an_id_is_never_in_it(template, event, holds):
    content = template.encode().replace(b"{id}", event.encode())
    headers = {
        "x-sig": mac(content.replace(b"{body}", BODY)).hexdigest(),
        "x-id": event,
    }
    check_ = made(**PLAIN | {"template": template})

    assert isinstance(check(check_, headers), Verified) is holds


@pytest.mark.parametrize("unit", ["s", "ms"])
@pytest.mark.parametrize("place", ["header", "item"])
def test_the_time_is_within_its_tolerance_on_each_side(unit, place):
    knobs = TIMED if place == "header" else LISTED
    times = {"timestamp_unit": unit, "tolerance_future": timedelta(seconds=10)}
    check_ = made(**knobs | times, tolerance=timedelta(seconds=60))
    for late, verdict in ((60, None), (61, "too_old"), (-10, None), (-11, "too_new")):
        sent = (SENT - late) * (1000 if unit == "ms" else 1)
        answer = check(check_, told(place, sent))
        assert getattr(answer, "reason", None) == verdict


def told(place, sent, *, body=BODY):
    if place == "header":
        signature = mac(f"{sent}".encode() + body).hexdigest()
        return {"x-sig": signature, "x-ts": str(sent), "x-id": "e"}
    signature = mac(f"{sent}.".encode() + body).hexdigest()
    return {"x-sig": f"t={sent},v1={signature}"}


@pytest.mark.parametrize(
    "sent", ["", "-1", "+1", " 1", "1.0", "1_0", "\uff11", "\xb2", "9" * 13, "9" * 5000]
)
def test_a_time_is_of_ascii_digits(sent):
    for knobs, place in ((TIMED, "header"), (LISTED, "item")):
        assert check(made(**knobs), told(place, sent)) == Rejected(
            RejectionReason.MALFORMED
        )


def test_one_signature_of_the_list_is_enough_and_one_time_is_there():
    good = mac(f"{SENT}.".encode() + BODY).hexdigest()
    check_ = made(**LISTED)
    for text, holds in (
        (f"v1={good},t={SENT}", True),
        (f"t={SENT},v1={'0' * 64},v1={good},v0=x", True),
        (f"t={SENT}," + f"v1={'0' * 64}," * 15 + f"v1={good}", True),
        (f"t={SENT}," + f"v1={'0' * 64}," * 16 + f"v1={good}", False),
        (f"t={SENT}," + "x," * 20 + f"v1={good}", False),
        (f"t={SENT},t={SENT},v1={good}", False),
        (f"t={SENT},v0={good}", False),
        (f"t={SENT},{good}", False),
        (f"v1={good}", False),
    ):
        assert isinstance(check(check_, {"x-sig": text}), Verified) is holds, text


@pytest.mark.parametrize(
    ("pointer", "event"),
    [
        ("/data/0/a~1b", "evt-1"),
        ("/data/0/n", "7"),
        ("/test", "2432232314"),
        ("/~01", "8"),
        ("/data/0/~0", False),
        ("/data", False),
        ("/data/1/n", None),
        ("/data/-/n", None),
        ("/data/00/n", None),
        ("/data/0/n/x", None),
        ("/none", None),
    ],
)
def test_the_event_is_where_the_pointer_leads(pointer, event):
    check_ = made(header="x-sig", event_id_pointer=pointer)
    expected = Rejected(RejectionReason.NO_EVENT) if event is False else Verified(event)

    assert check(check_, {"x-sig": mac(BODY).hexdigest()}) == expected


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": ""}',
        b'{"id": "a b"}',
        b'{"id": 1.5}',
        b'{"id": NaN}',
        b'{"id": "a", "id": "b"}',
        b'{"id": "' + b"a" * 129 + b'"}',
        b'{"id": "a", "x": ' + b"[" * 60_000,
        b"\xff",
    ],
)
def test_a_body_whose_event_cannot_be_read_is_rejected_and_says_why(body):
    check_ = made(header="x-sig", event_id_pointer="/id")

    answer = check(check_, {"x-sig": mac(body).hexdigest()}, body)

    assert answer == Rejected(RejectionReason.NO_EVENT)
    assert answer.problem


@pytest.mark.parametrize("body", [b"", b" \n", b"{}", b"[1]", b'{"id": null}'])
def test_a_ping_is_signed_and_names_no_event(body):
    check_ = made(header="x-sig", event_id_pointer="/id")

    assert check(check_, {"x-sig": mac(body).hexdigest()}, body) == Verified(None)


def test_what_is_signed_and_has_no_event_in_its_header_is_told_so():
    check_ = made(**PLAIN)
    signature = {"x-sig": mac(BODY).hexdigest()}

    answer = check(check_, signature | {"x-id": "of two words"})
    forged = check(check_, {"x-sig": "0" * 64})

    assert answer == Rejected(RejectionReason.MALFORMED)
    assert answer.problem == "the header x-id has no event's id: malformed"
    assert check(check_, signature) == Verified(None)
    assert (forged.reason, forged.problem) == (RejectionReason.WRONG, None)


def test_what_is_odd_above_an_event_is_no_event_left_to_the_body():
    body = b'{"data": {"id": "a"}, "data": {"id": "a"}}'
    check_ = made(header="x-sig", event_id_pointer="/data/id")

    answer = check(check_, {"x-sig": mac(body).hexdigest()}, body)

    assert answer == Rejected(RejectionReason.NO_EVENT)
    assert answer.problem == "/data/id is there twice"


def test_a_pointer_is_followed_only_once_the_signature_holds():
    check_ = made(header="x-sig", event_id_pointer="/id")

    assert check(check_, {"x-sig": "0" * 64}, b"") == Rejected(RejectionReason.WRONG)


# Rotation


def rotated(**window):
    secrets = [Secret(value=KEY, **window), Secret(value="another key of 22 bytes")]
    check_ = verifier(
        "hmac", SchemeSettings(secrets=secrets, hmac=SignatureForm(**PLAIN))
    )
    headers = {"x-sig": mac(BODY).hexdigest(), "x-id": "e"}
    return lambda now: isinstance(check(check_, headers, now=now), Verified)


def test_a_secret_counts_within_its_window_and_at_its_ends():
    second = timedelta(seconds=1)
    holds = rotated(not_before=NOW, not_after=NOW + 10 * second)

    assert [holds(NOW + n * second) for n in (-1, 0, 10, 11)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_window_may_be_open_on_either_side():
    hour = timedelta(hours=1)

    assert [rotated(not_after=NOW)(NOW + n * hour) for n in (-1, 1)] == [True, False]
    assert [rotated(not_before=NOW)(NOW + n * hour) for n in (-1, 1)] == [False, True]


def test_where_no_secret_counts_nothing_holds():
    secrets = [Secret(value=KEY, not_after=NOW - timedelta(days=1))]
    check_ = verifier(
        "hmac", SchemeSettings(secrets=secrets, hmac=SignatureForm(**PLAIN))
    )
    headers = {"x-sig": mac(BODY).hexdigest(), "x-id": "e"}

    assert check(check_, headers) == Rejected(RejectionReason.WRONG)
    assert check(check_, headers | {"x-sig": ""}) == Rejected(RejectionReason.MALFORMED)


def test_a_window_that_never_opens_is_refused():
    known = [Secret(value=KEY), Secret(value=KEY, not_before=NOW, not_after=NOW)]

    with pytest.raises(Unsafe) as refused:
        verifier("hmac", SchemeSettings(secrets=known, hmac=SignatureForm(**PLAIN)))

    assert refused.value.key == "secrets[1].not_after"


# What is refused at the start


def refusal(**knobs):
    with pytest.raises(Unsafe) as refused:
        made(**knobs)
    assert KEY not in str(refused.value)
    return refused.value.key


@pytest.mark.parametrize(
    ("knobs", "key"),
    [
        (PLAIN | {"digest": "sha1"}, "digest"),
        (PLAIN | {"digest": "md5"}, "digest"),
        (PLAIN | {"digest": "SHA256"}, "digest"),
        (PLAIN | {"event_id_pointer": "/id"}, "event_id_header"),
        ({"header": "x-sig", "event_id_pointer": "id"}, "event_id_pointer"),
        ({"header": "x-sig", "event_id_pointer": "/"}, "event_id_pointer"),
        ({"header": "x-sig", "event_id_pointer": "/a~2"}, "event_id_pointer"),
        ({"header": "x-sig", "event_id_pointer": "/a" * 17}, "event_id_pointer"),
        ({"header": "x-sig", "event_id_header": "x-sig"}, "header"),
        (TIMED | {"timestamp_header": "x-sig"}, "header"),
        (PLAIN | {"template": ""}, "template"),
        (PLAIN | {"template": "body"}, "template"),
        (PLAIN | {"template": "{id}"}, "template"),
        (PLAIN | {"template": "{body}{body}"}, "template"),
        (PLAIN | {"template": "{BODY}"}, "template"),
        (PLAIN | {"template": "{body}{"}, "template"),
        (PLAIN | {"template": "{nonce}.{body}"}, "template"),
        (PLAIN | {"template": "ä{body}"}, "template"),
        (PLAIN | {"template": "{ts}.{body}"}, "template"),
        (PLAIN | {"template": "{id}{body}"}, "template"),
        (PLAIN | {"template": "{body}{id}"}, "template"),
        (PLAIN | {"template": "{id}1{body}"}, "template"),
        (TIMED | {"template": "{body}"}, "template"),
        (TIMED | {"template": "{id}{ts}{body}"}, "template"),
        (TIMED | {"template": "{ts}{id}.{body}"}, "template"),
        (TIMED | {"template": "{ts}0{body}"}, "template"),
        (LISTED | {"template": "{id}.{ts}.{body}"}, "template"),
        (LISTED | {"template": "{body}"}, "template"),
        (PLAIN | {"template": "{path}.{body}"}, "path"),
        (PLAIN | {"path": "/hooks/a"}, "path"),
        (PLAIN | {"template": "{path}.{body}", "path": "/{ts}"}, "path"),
        (PLAIN | {"template": "{path}.{body}", "path": "hooks"}, "path"),
        (PLAIN | {"separator": ""}, "separator"),
        (PLAIN | {"separator": ", "}, "separator"),
        (PLAIN | {"separator": "a"}, "separator"),
        (PLAIN | {"separator": "="}, "separator"),
        (PLAIN | {"separator": ",", "prefix": "v1,"}, "separator"),
        (LISTED | {"separator": None}, "separator"),
        (LISTED | {"timestamp_item": "v1="}, "timestamp_item"),
        (LISTED | {"timestamp_item": "v"}, "timestamp_item"),
        (LISTED | {"prefix": ""}, "timestamp_item"),
        (LISTED | {"timestamp_header": "x-ts"}, "timestamp_item"),
        (PLAIN | {"tolerance_future": timedelta(1)}, "tolerance_future"),
        (TIMED | {"tolerance_future": timedelta(minutes=61)}, "tolerance_future"),
    ],
)
def test_a_form_that_protects_less_than_it_seems_is_refused(knobs, key):
    assert refusal(**knobs) == f"hmac.{key}"


def test_a_tolerance_is_at_most_an_hour_and_needs_a_time():
    assert refusal(**TIMED, tolerance=timedelta(minutes=61)) == "tolerance"
    assert refusal(**PLAIN, tolerance=timedelta(minutes=1)) == "tolerance"
    assert made(**TIMED, tolerance=timedelta(hours=1))


def test_no_secret_is_shown():
    assert KEY not in repr(Secret(value=KEY))
    assert KEY not in repr(SchemeSettings(secrets=[Secret(value=KEY)]))
    assert hashlib.sha256(KEY.encode()).hexdigest() not in repr(made(**PLAIN))
