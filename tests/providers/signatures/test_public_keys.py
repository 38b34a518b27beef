"""Schemes ``public-key`` and ``token``: every kind of key, and every weak one."""

import base64
import re
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import (
    dsa,
    ec,
    ed25519,
    padding,
    rsa,
    utils,
    x25519,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from handlers.ports.provider import Rejected, Verified
from providers.signatures import (
    RejectionReason,
    SchemeSettings,
    Secret,
    SignatureForm,
    Unsafe,
    verifier,
)
from providers.signatures.public_keys import ALGORITHMS, KEYS_MAX
from tests.fuzz.routes import NOW
from tests.wires.certificates import self_signed

BODY = b'{"id": "evt-1", "n": 1180591620717411303424, "x": NaN}'
SENT = int(NOW.timestamp())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
P521 = ec.generate_private_key(ec.SECP521R1())
EDWARDS = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
KEYS: dict[str, list[Any]] = {
    "rsa": [RSA],
    "ecdsa": [P256, P384, P521],
    "ed25519": [EDWARDS],
}
CASES = [(name, key) for name in ALGORITHMS for key in KEYS[name.split("-", 1)[0]]]


def spki(key, encoding=Encoding.PEM):
    return key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def pem(key):
    return spki(key).decode()


def made_by(key, algorithm, content=BODY):
    kind, _, rest = algorithm.partition("-")
    if kind == "ed25519":
        return key.sign(content)
    digest = HASHES[rest.split("-")[-1]]
    if kind == "rsa":
        longest = padding.PSS(padding.MGF1(digest), padding.PSS.MAX_LENGTH)
        return key.sign(
            content, longest if "pss" in rest else padding.PKCS1v15(), digest
        )
    der = key.sign(content, ec.ECDSA(digest))
    if "raw" not in rest:
        return der
    size = -(-key.curve.key_size // 8)
    return b"".join(half.to_bytes(size) for half in utils.decode_dss_signature(der))


def in_base64(signature):
    return base64.b64encode(signature).decode()


def made(*, keys, tolerance=None, secrets=(), **knobs):
    knobs = {
        "table": "public_key",
        "header": "x-sig",
        "encoding": "base64",
        "event_id_pointer": "/id",
        **knobs,
    }
    known = [key if isinstance(key, Secret) else Secret(value=key) for key in keys]
    settings = SchemeSettings(
        keys=known,
        public_key=SignatureForm(**knobs),
        tolerance=tolerance,
        secrets=secrets,
    )
    return verifier("public-key", settings)


def check(check_, signature, body=BODY, now=NOW, **more):
    headers = {"x-sig": [signature], **{name: [value] for name, value in more.items()}}
    return check_.verify(headers, body, now)


@pytest.mark.parametrize(("algorithm", "key"), CASES)
def test_every_algorithm_holds_for_its_content_and_its_key_alone(algorithm, key):
    check_ = made(keys=[pem(key)], algorithm=algorithm)
    signature = made_by(key, algorithm)

    assert check(check_, in_base64(signature)) == Verified("evt-1")
    for wrong in (
        check(check_, in_base64(signature), BODY + b" "),
        check(check_, in_base64(signature[:-1])),
        check(check_, in_base64(signature + b"\0")),
        check(check_, in_base64(bytes(len(signature)))),
        check(check_, in_base64(b"\xff" * len(signature))),
        check(check_, in_base64(made_by(key, algorithm, b"{}"))),
    ):
        assert wrong == Rejected(RejectionReason.WRONG)


def test_two_halves_have_one_spelling():
    check_ = made(keys=[pem(P256)], algorithm="ecdsa-raw-sha256")
    both = made_by(P256, "ecdsa-raw-sha256")
    longer = both[:32] + b"\0" + both[32:]

    assert check(check_, in_base64(longer)) == Rejected(RejectionReason.WRONG)


@pytest.mark.parametrize(("algorithm", "key"), CASES)
def test_a_signature_by_another_algorithm_proves_nothing(algorithm, key):
    check_ = made(keys=[pem(key)], algorithm=algorithm)
    for other, other_key in CASES:
        if other != algorithm and other_key is key:
            answer = check(check_, in_base64(made_by(key, other)))
            assert answer == Rejected(RejectionReason.WRONG), other


@pytest.mark.parametrize(
    ("key", "algorithm", "text"),
    [
        (RSA, "rsa-sha256", pem(RSA)),
        (RSA, "rsa-sha256", pem(RSA).replace("\n", "\\n")),
        (RSA, "rsa-sha256", in_base64(spki(RSA, Encoding.DER))),
        (RSA, "rsa-sha256", self_signed(RSA, NOW)),
        (
            RSA,
            "rsa-sha256",
            RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode(),
        ),
        (P256, "ecdsa-sha256", in_base64(spki(P256, Encoding.DER))),
        (
            P256,
            "ecdsa-sha256",
            re.sub("(.{64})", r"\1\n ", in_base64(spki(P256, Encoding.DER))),
        ),
        (EDWARDS, "ed25519", EDWARDS.public_key().public_bytes_raw().hex()),
        (EDWARDS, "ed25519", in_base64(EDWARDS.public_key().public_bytes_raw())),
        (
            EDWARDS,
            "ed25519",
            "whpk_" + in_base64(EDWARDS.public_key().public_bytes_raw()),
        ),
    ],
)
def test_how_a_key_may_be_written(key, algorithm, text):
    check_ = made(keys=[text], algorithm=algorithm)

    assert check(check_, in_base64(made_by(key, algorithm))) == Verified("evt-1")


def private(key):
    plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key.private_bytes(*plain).decode()


def weak(bits):
    return pem(rsa.generate_private_key(public_exponent=65537, key_size=bits))


@pytest.mark.parametrize(
    ("algorithm", "text", "problem"),
    [
        ("rsa-sha256", weak(1024), "2048 to 8192 bits: this one has 1024"),
        ("rsa-pss-sha512", weak(1536), "this one has 1536"),
        ("rsa-sha256", pem(P256), "RSA keys"),
        ("rsa-sha256", private(RSA), "private"),
        ("ed25519", private(EDWARDS), "private"),
        ("ecdsa-sha256", pem(RSA), "of a curve"),
        ("ecdsa-sha256", pem(ec.generate_private_key(ec.SECP192R1())), "secp192r1"),
        ("ecdsa-raw-sha256", pem(ec.generate_private_key(ec.SECP256K1())), "secp256k1"),
        ("ed25519", pem(P256), "Ed25519 keys"),
        ("ed25519", "00" * 32, "small order"),
        ("ed25519", "01" + "00" * 31, "small order"),
        ("ed25519", "01" + "00" * 30 + "80", "small order"),
        ("ed25519", pem(x25519.X25519PrivateKey.generate()), "PEM"),
        ("rsa-sha256", pem(dsa.generate_private_key(2048)), "PEM"),
        ("rsa-sha256", "", "PEM"),
        ("rsa-sha256", "AAAA", "PEM"),
        ("rsa-sha256", pem(RSA)[:-40], "PEM"),
        ("rsa-sha256", self_signed(RSA, NOW) * 2, "PEM"),
    ],
)
def test_a_key_that_is_weak_or_none_is_refused_by_name(algorithm, text, problem):
    with pytest.raises(Unsafe, match=problem) as refused:
        made(keys=[text], algorithm=algorithm)

    assert refused.value.key == "public_key.keys"
    assert "PRIVATE KEY" not in str(refused.value)


@pytest.mark.parametrize(
    ("knobs", "key"),
    [
        ({"algorithm": "rsa-sha1"}, "public_key.algorithm"),
        ({"algorithm": "rsa-md5"}, "public_key.algorithm"),
        ({"algorithm": "none"}, "public_key.algorithm"),
        ({"keys": []}, "public_key.keys"),
        ({"keys": [pem(RSA)] * (KEYS_MAX + 1)}, "public_key.keys"),
        (
            {"keys": [Secret(value=pem(RSA), not_before=NOW, not_after=NOW)]},
            "public_key.keys[0].not_after",
        ),
        ({"secrets": [Secret(value="k" * 16)]}, "secrets"),
        ({"template": "{ts}.{body}"}, "public_key.template"),
        ({"tolerance": timedelta(minutes=1)}, "tolerance"),
        ({"prefix_optional": True, "separator": ","}, "public_key.prefix_optional"),
    ],
)
def test_a_form_that_protects_less_than_it_seems_is_refused(knobs, key):
    with pytest.raises(Unsafe) as refused:
        made(**{"keys": [pem(RSA)], "algorithm": "rsa-sha256", **knobs})

    assert refused.value.key == key


def test_each_key_counts_within_its_window():
    hour = timedelta(hours=1)
    check_ = made(
        keys=[
            Secret(value=pem(RSA), not_after=NOW),
            Secret(value=pem(OTHER_RSA), not_before=NOW),
        ],
        algorithm="rsa-sha256",
    )
    old, new = (in_base64(made_by(k, "rsa-sha256")) for k in (RSA, OTHER_RSA))

    assert [
        [isinstance(check(check_, each, now=now), Verified) for each in (old, new)]
        for now in (NOW - hour, NOW, NOW + hour)
    ] == [[True, False], [True, True], [False, True]]


@pytest.mark.parametrize(
    ("unit", "sent"),
    [("s", str(SENT)), ("ms", f"{SENT}000"), ("rfc3339", "2026-01-31T13:00:00+01:00")],
)
def test_the_time_is_signed_and_held_against_the_tolerance(unit, sent):
    check_ = made(
        keys=[pem(EDWARDS)],
        algorithm="ed25519",
        template="{ts}{body}",
        timestamp_header="x-ts",
        timestamp_unit=unit,
        tolerance=timedelta(minutes=1),
    )
    signature = in_base64(EDWARDS.sign(sent.encode() + BODY))
    late = timedelta(seconds=61)

    def at(now):
        return check(check_, signature, now=now, **{"x-ts": sent})

    assert at(NOW) == Verified("evt-1")
    assert at(NOW + late) == Rejected(RejectionReason.TOO_OLD)
    assert at(NOW - late) == Rejected(RejectionReason.TOO_NEW)


@pytest.mark.parametrize(
    "sent", ["2026-01-31T12:00:00", "2026-02-31T12:00:00Z", "1769860800", "Z" * 20]
)
def test_a_time_of_another_form_is_malformed(sent):
    check_ = made(
        keys=[pem(EDWARDS)],
        algorithm="ed25519",
        template="{ts}{body}",
        timestamp_header="x-ts",
        timestamp_unit="rfc3339",
    )
    signature = in_base64(EDWARDS.sign(sent.encode() + BODY))

    answer = check(check_, signature, **{"x-ts": sent})

    assert answer == Rejected(RejectionReason.MALFORMED)


@pytest.mark.parametrize(
    ("knobs", "write"),
    [
        ({"encoding": "hex"}, lambda made_: made_.hex()),
        ({"encoding": "hex"}, lambda made_: made_.hex().upper()),
        ({"encoding": "base64"}, lambda made_: in_base64(made_).rstrip("=")),
        (
            {"encoding": "base64url"},
            lambda made_: base64.urlsafe_b64encode(made_).decode(),
        ),
        (
            {"encoding": "base64url"},
            lambda made_: base64.urlsafe_b64encode(made_).decode().rstrip("="),
        ),
        ({"prefix": "v1=", "prefix_optional": True}, in_base64),
        (
            {"prefix": "v1=", "prefix_optional": True},
            lambda made_: f"v1={in_base64(made_)}",
        ),
        (
            {"prefix": "v1=", "separator": ","},
            lambda made_: f"v0=x, v1={in_base64(made_)}",
        ),
    ],
)
def test_how_a_signature_may_be_written(knobs, write):
    check_ = made(keys=[pem(EDWARDS)], algorithm="ed25519", **knobs)

    assert check(check_, write(EDWARDS.sign(BODY))) == Verified("evt-1")


def test_what_stands_in_no_event_is_told_once_the_signature_holds():
    check_ = made(keys=[pem(EDWARDS)], algorithm="ed25519")
    for body, problem in (
        (b'{"id": 1, "id": 2}', "/id is there twice"),
        (b'{"id": {}}', "/id is no event's id"),
        (b"{", "the body is no JSON at byte 1: .*"),
    ):
        answer = check(check_, in_base64(EDWARDS.sign(body)), body)
        assert answer == Rejected(RejectionReason.NO_EVENT)
        assert re.fullmatch(problem, answer.problem)
    unsigned = check(check_, in_base64(EDWARDS.sign(b"")), b"{")
    assert (unsigned.reason, unsigned.problem) == (RejectionReason.WRONG, None)


# A bare token

TOKEN = "a token of 22 letters."


def token(*, secrets=(TOKEN,), tolerance=None, **knobs):
    knobs = {
        "table": "token",
        "header": "verif-hash",
        "event_id_pointer": "/id",
        **knobs,
    }
    known = [Secret(value=secret) for secret in secrets]
    return verifier(
        "token",
        SchemeSettings(
            secrets=known, token=SignatureForm(**knobs), tolerance=tolerance
        ),
    )


def test_a_token_says_who_knocks_and_nothing_of_the_body():
    headers = {"verif-hash": [TOKEN]}

    for body in (BODY, BODY.replace(b"evt-1", b"evt-2")):
        assert isinstance(token().verify(headers, body, NOW), Verified)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], RejectionReason.MISSING),
        ([TOKEN, TOKEN], RejectionReason.REPEATED),
        ([""], RejectionReason.MALFORMED),
        (["\xe9" * 22], RejectionReason.MALFORMED),
        ([TOKEN[:-1]], RejectionReason.WRONG),
        ([TOKEN + "."], RejectionReason.WRONG),
        ([TOKEN.upper()], RejectionReason.WRONG),
    ],
)
def test_another_token_proves_nothing(given, reason):
    answer = token().verify({"verif-hash": given}, BODY, NOW)

    assert answer == Rejected(reason)


def test_a_token_may_follow_a_word_and_the_event_stand_in_a_header():
    check_ = token(
        header="authorization",
        prefix="Bearer ",
        event_id_header="x-event",
        event_id_pointer=None,
    )

    def with_(value):
        headers = {"authorization": [value], "x-event": ["e-1"]}
        return check_.verify(headers, BODY, NOW)

    assert with_(f"Bearer {TOKEN}") == Verified("e-1")
    assert with_(TOKEN) == Rejected(RejectionReason.MALFORMED)


@pytest.mark.parametrize(
    ("knobs", "key"),
    [
        ({"secrets": ["fifteen bytes.."]}, "secrets"),
        ({"secrets": ["a token of 22 letters.\n"]}, "secrets"),
        ({"secrets": ["a t\xf6ken of 22 letters"]}, "secrets"),
        ({"secrets": []}, "secrets"),
        ({"tolerance": timedelta(minutes=1)}, "tolerance"),
        ({"event_id_pointer": "id"}, "token.event_id_pointer"),
        (
            {"event_id_pointer": None, "event_id_header": "verif-hash"},
            "token.header",
        ),
    ],
)
def test_a_token_that_protects_nothing_is_refused(knobs, key):
    with pytest.raises(Unsafe) as refused:
        token(**knobs)

    assert refused.value.key == key


@pytest.mark.parametrize("scheme", ["stripe", "hmac", "token"])
def test_knobs_of_another_scheme_are_refused(scheme):
    settings = SchemeSettings(
        secrets=[Secret(value=TOKEN)],
        hmac=SignatureForm(header="x") if scheme == "hmac" else None,
        token=SignatureForm(header="x") if scheme == "token" else None,
        public_key=SignatureForm(header="x"),
    )

    with pytest.raises(Unsafe) as refused:
        verifier(scheme, settings)

    assert refused.value.key == "public_key"
