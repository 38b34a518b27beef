"""Checkout.com, Adyen and PayPal: their vectors, and what each leaves unsigned."""

import base64
import hashlib
import hmac
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from handlers.ports.provider import Rejected, Verified
from providers.signatures import (
    BadSecret,
    Pins,
    RejectionReason,
    SchemeSettings,
    Secret,
    SignatureForm,
    Unsafe,
    verifier,
)
from providers.signatures.adyen import SIZE_MAX
from tests.fuzz.routes import (
    CERTIFICATE_URL,
    NOW,
    WEBHOOK_ID,
    PaypalKey,
    adyen_body,
)
from tests.fuzz.second import ADYEN_FIELDS, paypal_content
from tests.wires.certificates import self_signed

BODY = b'{"test": 2432232314}'
TEXT_KEY = "test-signature-key"
HEX_KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
CHECKOUT = "d5c665facd80cda289f06b11bbc16a7e425f2edab50f436af3738ea61354f2ca"
PLATFORM = "CvBykPt1H26fWu9OHOseYtzhKcb5JAskcR3rwqXefQw="
SIGNATURE = "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="
ITEM = {
    "pspReference": "7914073381342284",
    "originalReference": "",
    "merchantAccountCode": "TestMerchant",
    "merchantReference": "TestPayment-1407325143704",
    "amount": {"value": 1130, "currency": "EUR"},
    "eventCode": "AUTHORISATION",
    "success": "true",
    "additionalData": {"hmacSignature": SIGNATURE},
}


def check(scheme, headers, body=BODY, *, secrets=(HEX_KEY,), now=NOW, **more):
    known = [Secret(value=secret) for secret in secrets]
    told = {name: [value] for name, value in headers.items()}
    return verifier(scheme, SchemeSettings(secrets=known, **more)).verify(
        told, body, now
    )


@pytest.mark.parametrize("given", [CHECKOUT, CHECKOUT.upper()])
def test_the_vector_of_checkout_holds_in_either_case(given):
    answer = check("checkout", {"cko-signature": given}, secrets=[TEXT_KEY])

    assert answer == Verified(None)


@pytest.mark.parametrize(
    "given", [CHECKOUT[:-1], CHECKOUT + "00", f" {CHECKOUT}", CHECKOUT[:-1] + "\uff41"]
)
def test_checkout_takes_nothing_but_hexadecimal(given):
    answer = check("checkout", {"cko-signature": given}, secrets=[TEXT_KEY])

    assert answer == Rejected(RejectionReason.MALFORMED)


def test_the_vector_of_adyens_platform_holds():
    assert check("adyen-platform", {"hmacsignature": PLATFORM}) == Verified(None)
    assert check("adyen-platform", {"hmacsignature": PLATFORM}, BODY + b" ") == (
        Rejected(RejectionReason.WRONG)
    )


# Adyen's standard notifications


def adyen(*items, secrets=(HEX_KEY,)):
    return check("adyen", {}, adyen_body(*items), secrets=secrets)


def resigned(**changes):
    return signed({**ITEM, **changes})


def signed(item):
    amount = item.get("amount") or {}
    fields = {**item, **amount}
    content = ":".join(str(fields.get(name, "")) for name in ADYEN_FIELDS).encode()
    mac = hmac.new(bytes.fromhex(HEX_KEY), content, hashlib.sha256).digest()
    return {**item, "additionalData": {"hmacSignature": base64.b64encode(mac).decode()}}


def without(item, name):
    return {key: value for key, value in item.items() if key != name}


def test_the_vector_of_adyen_holds_and_names_its_event():
    event = Verified("7914073381342284:AUTHORISATION:true")

    assert adyen(ITEM) == event
    assert adyen(without(ITEM, "originalReference")) == event


@pytest.mark.parametrize(
    "changes",
    [
        {"pspReference": "7914073381342285"},
        {"originalReference": "x"},
        {"merchantAccountCode": "OtherMerchant"},
        {"merchantReference": "TestPayment-2"},
        {"amount": {"value": 1131, "currency": "EUR"}},
        {"amount": {"value": 1130, "currency": "USD"}},
        {"amount": {}},
        {"eventCode": "REFUND"},
        {"success": "false"},
    ],
)
def test_every_one_of_the_eight_fields_is_signed(changes):
    assert adyen({**ITEM, **changes}) == Rejected(RejectionReason.WRONG)


@pytest.mark.parametrize(
    "reference", ["a:b", "a\\b", "\\:/\\/slashes", "ä€", "a\nb", ""]
)
def test_nothing_in_the_merchants_reference_is_escaped(reference):
    assert isinstance(adyen(resigned(merchantReference=reference)), Verified)


@pytest.mark.parametrize(
    "changes",
    [
        {"merchantAccountCode": "M:x", "merchantReference": "y"},
        {"originalReference": "a:b"},
        {"pspReference": "7914:1"},
        {"eventCode": "A:true"},
    ],
)
def test_no_field_can_be_moved_over_its_border(changes):
    assert adyen(resigned(**changes)) == Rejected(RejectionReason.MALFORMED)


@pytest.mark.parametrize(
    "changes",
    [
        {"success": True},
        {"success": "TRUE"},
        {"success": None},
        {"pspReference": 7914073381342284},
        {"pspReference": ""},
        {"amount": None},
        {"amount": {"value": "1130", "currency": "EUR"}},
        {"amount": {"value": 1130.0, "currency": "EUR"}},
        {"amount": {"value": True, "currency": "EUR"}},
        {"amount": {"value": 0.0, "currency": "EUR"}},
        {"amount": {"value": False, "currency": "EUR"}},
        {"amount": {"value": None, "currency": "EUR"}},
        {"amount": {"value": 1130, "currency": "eur"}},
        {"merchantReference": ["x"]},
    ],
)
def test_a_field_of_another_type_is_malformed(changes):
    assert adyen(resigned(**changes)) == Rejected(RejectionReason.MALFORMED)


def test_an_amount_of_nothing_is_signed_as_nothing():
    assert isinstance(adyen(resigned(amount={"value": 0, "currency": "EUR"})), Verified)
    assert isinstance(adyen(signed(without(ITEM, "amount"))), Verified)


def test_one_bad_item_rejects_all():
    forged = {**resigned(pspReference="other"), "success": "false"}
    other = resigned(pspReference="other")

    assert isinstance(adyen(ITEM, other), Verified)
    assert adyen(ITEM, forged) == adyen(forged, ITEM) == Rejected(RejectionReason.WRONG)
    assert adyen(ITEM, {}) == Rejected(RejectionReason.MALFORMED)


def test_several_items_are_one_event_in_any_order():
    items = [resigned(pspReference=f"psp{n}") for n in range(3)]

    assert adyen(*items) == adyen(*reversed(items))
    assert adyen(*items) != adyen(*items[:2])
    assert adyen(*items).event_id.startswith("items:")
    assert adyen(*items * 6) == adyen() == Rejected(RejectionReason.MALFORMED)


@pytest.mark.parametrize("signature", [None, "", "x", 1, ITEM, "=" * 44])
def test_an_item_without_a_plain_signature_is_malformed(signature):
    for more in ({"hmacSignature": signature}, {}, None):
        assert adyen({**ITEM, "additionalData": more}) == Rejected(
            RejectionReason.MALFORMED
        )


def test_a_signature_has_one_spelling():
    other = SIGNATURE.replace("o0=", "o1=")

    assert adyen({**ITEM, "additionalData": {"hmacSignature": other}}) == (
        Rejected(RejectionReason.WRONG)
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"NaN",
        b'{"notificationItems": {}}',
        b'{"notificationItems": [1]}',
        b'{"notificationItems": [{"NotificationRequestItem": 1}]}',
        b'{"notificationItems": [{"NotificationRequestItem": {}, "x": 1}]}',
        b'{"notificationItems": ' + b"[" * 100_000,
        adyen_body(ITEM).replace(b'"live"', b'"notificationItems": [], "live"'),
        adyen_body(ITEM).replace(b'"success"', b'"success": "false", "success"'),
    ],
)
def test_a_body_that_can_be_read_in_two_ways_is_malformed(body):
    assert check("adyen", {}, body) == Rejected(RejectionReason.MALFORMED)


@pytest.mark.parametrize(
    "aside",
    [
        b'"x": NaN',
        b'"x": 1180591620717411303424',
        b'"x": 1, "x": 2',
        b'"x": "Malm\xf6"',
        b'"x": "\\ud800"',
        b'"x": ' + b"[" * 99 + b"]" * 99,
    ],
)
def test_what_is_odd_beside_the_fields_that_are_signed_spoils_nothing(aside):
    body = adyen_body(ITEM).replace(b'"pspReference"', aside + b', "pspReference"')

    answer = check("adyen", {}, b"\xef\xbb\xbf" + body + b"\r\n")

    assert answer == Verified("7914073381342284:AUTHORISATION:true")


def test_so_much_is_read_of_adyen_before_it_is_known_to_be_signed():
    body = adyen_body(ITEM)
    room = SIZE_MAX - len(body)

    assert isinstance(check("adyen", {}, body + b" " * room), Verified)
    assert check("adyen", {}, body + b" " * (room + 1)) == Rejected(
        RejectionReason.MALFORMED
    )


def test_any_of_adyens_keys_will_do():
    other = "00" * 32

    assert isinstance(adyen(ITEM, secrets=[other, HEX_KEY]), Verified)
    assert adyen(ITEM, secrets=[other]) == Rejected(RejectionReason.WRONG)


@pytest.mark.parametrize("scheme", ["adyen", "adyen-platform"])
@pytest.mark.parametrize(
    "secret", ["", "00" * 15, HEX_KEY[:-1], HEX_KEY + " ", "zz" * 32, "00 " * 32]
)
def test_a_key_of_adyen_is_plain_hexadecimal(scheme, secret):
    with pytest.raises(BadSecret):
        verifier(scheme, SchemeSettings(secrets=[Secret(value=secret)]))


# PayPal

KEY = PaypalKey.made()
PINS = Pins(webhook_id=WEBHOOK_ID, certificates={CERTIFICATE_URL: KEY.pem})
SENT = "2026-01-31T12:00:00Z"
EVENT = "69cd13f0-d67a-11e5-baa3-778b53f4ae55"


def transmission(sent=SENT, body=BODY, webhook_id=WEBHOOK_ID, event=EVENT):
    return {
        "paypal-transmission-id": event,
        "paypal-transmission-time": sent,
        "paypal-transmission-sig": KEY.signature(
            paypal_content(event, sent, webhook_id, body)
        ),
        "paypal-cert-url": CERTIFICATE_URL,
        "paypal-auth-algo": "SHA256withRSA",
    }


def paypal(headers, body=BODY, *, pins=PINS, **more):
    return check("paypal", headers, body, secrets=(), paypal=pins, **more)


def test_what_paypal_signs_is_the_checksum_of_the_body():
    content = paypal_content(EVENT, SENT, WEBHOOK_ID, BODY).decode()

    assert content == f"{EVENT}|{SENT}|{WEBHOOK_ID}|1667101644"
    assert paypal(transmission()) == Verified(EVENT)
    assert paypal(transmission(), BODY + b" ") == Rejected(RejectionReason.WRONG)


@pytest.mark.parametrize("name", transmission())
def test_every_header_of_paypal_is_there_once(name):
    genuine = {key: [value] for key, value in transmission().items()}
    verify = verifier("paypal", SchemeSettings(paypal=PINS)).verify

    for values, reason in (
        ([], RejectionReason.MISSING),
        (genuine[name] * 2, RejectionReason.REPEATED),
        ([""], RejectionReason.MALFORMED),
        (["\xe9" * 30], RejectionReason.MALFORMED),
    ):
        assert verify(genuine | {name: values}, BODY, NOW) == Rejected(reason)


@pytest.mark.parametrize(
    "url",
    [
        CERTIFICATE_URL.replace("https", "http"),
        CERTIFICATE_URL.replace("https", "HTTPS"),
        CERTIFICATE_URL.replace(".com", ".com:443"),
        CERTIFICATE_URL.replace("api.", "me@api."),
        CERTIFICATE_URL.replace("paypal.com", "paypal.com.evil.example"),
        CERTIFICATE_URL.replace("certs/", "certs/../certs/"),
        CERTIFICATE_URL + "?a",
        CERTIFICATE_URL + "#a",
        CERTIFICATE_URL + "X",
        CERTIFICATE_URL.replace("api", "api.sandbox"),
        "https://127.0.0.1/v1/notifications/certs/CERT-360caa42",
        "file:///etc/passwd",
    ],
)
def test_only_a_pinned_certificate_counts(url):
    assert paypal(transmission() | {"paypal-cert-url": url}) == (
        Rejected(RejectionReason.UNKNOWN_CERTIFICATE)
    )


@pytest.mark.parametrize(
    "algorithm", ["SHA1withRSA", "sha256withrsa", "SHA256withRSA ", "none"]
)
def test_the_algorithm_is_the_one(algorithm):
    assert paypal(transmission() | {"paypal-auth-algo": algorithm}) == (
        Rejected(RejectionReason.MALFORMED)
    )


def test_a_transmission_for_another_subscription_proves_nothing():
    assert paypal(transmission(webhook_id="0WH")) == Rejected(RejectionReason.WRONG)
    assert paypal(transmission(event="a") | {"paypal-transmission-id": "b"}) == (
        Rejected(RejectionReason.WRONG)
    )


@pytest.mark.parametrize(
    ("sent", "verdict"),
    [
        ("2026-01-31T12:00:00.123Z", Verified(EVENT)),
        ("2026-01-31T13:00:00+01:00", Verified(EVENT)),
        ("2026-01-27T12:00:00Z", Verified(EVENT)),
        ("2026-01-27T11:59:59Z", Rejected(RejectionReason.TOO_OLD)),
        ("2026-01-31T12:05:00Z", Verified(EVENT)),
        ("2026-01-31T12:05:01Z", Rejected(RejectionReason.TOO_NEW)),
        ("2026-01-31T12:00:00", Rejected(RejectionReason.MALFORMED)),
        ("2026-02-31T12:00:00Z", Rejected(RejectionReason.MALFORMED)),
        ("2026-01-31 12:00:00Z", Rejected(RejectionReason.MALFORMED)),
        ("0001-01-01T00:00:00+23:59", Rejected(RejectionReason.MALFORMED)),
    ],
)
def test_a_transmission_is_fresh_for_as_long_as_paypal_repeats_it(sent, verdict):
    assert paypal(transmission(sent)) == verdict


def test_the_freshness_of_paypal_can_be_set():
    hour = timedelta(hours=1)

    assert paypal(transmission(), now=NOW + hour, tolerance=hour) == Verified(EVENT)
    assert paypal(transmission(), now=NOW + 2 * hour, tolerance=hour) == (
        Rejected(RejectionReason.TOO_OLD)
    )


def test_a_certificate_counts_within_its_dates_alone():
    sent = "2026-03-31T12:00:00Z"
    now = datetime(2026, 3, 31, 12, tzinfo=UTC)

    assert paypal(transmission(sent), now=now) == Rejected(
        RejectionReason.UNKNOWN_CERTIFICATE
    )


def test_a_signature_of_paypal_is_plain_base64():
    good = transmission()["paypal-transmission-sig"]

    for given in (good[:-4], good.rstrip("="), good + "AAAA", "!" + good[1:], "AAAA"):
        assert paypal(transmission() | {"paypal-transmission-sig": given}) == (
            Rejected(RejectionReason.WRONG)
        )


def test_another_body_of_the_same_checksum_is_the_same_event():
    forged = forged_tail(b'{"test": 1, "x": "', zlib.crc32(BODY))

    assert zlib.crc32(forged) == zlib.crc32(BODY)
    assert paypal(transmission(), forged) == Verified(EVENT)


def forged_tail(start, wanted):
    """Return the start with the four bytes that give it the wanted CRC-32."""
    table = [zlib.crc32(bytes([n ^ 0xFF]), 0) ^ 0xFFFFFFFF for n in range(256)]
    table = [entry ^ 0x00FFFFFF for entry in table]
    by_top = {entry >> 24: (n, entry) for n, entry in enumerate(table)}
    places: list[int] = []
    after = wanted ^ 0xFFFFFFFF
    for _ in range(4):
        n, entry = by_top[after >> 24]
        places.insert(0, n)
        after = (after ^ entry) << 8 & 0xFFFFFFFF
    state, tail = zlib.crc32(start) ^ 0xFFFFFFFF, b""
    for n in places:
        tail += bytes([(state ^ n) & 0xFF])
        state = state >> 8 ^ table[n]
    return start + tail


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"webhook_id": ""}, "paypal.webhook_id"),
        ({"webhook_id": "a|b"}, "paypal.webhook_id"),
        ({"certificates": {}}, "paypal.certificates"),
        ({"certificates": {CERTIFICATE_URL: ""}}, "paypal.certificates"),
        ({"certificates": {CERTIFICATE_URL: KEY.pem * 2}}, "paypal.certificates"),
        ({"certificates": {"https://x.example/": KEY.pem}}, "paypal.certificates"),
        ({"certificates": {CERTIFICATE_URL + "?": KEY.pem}}, "paypal.certificates"),
        (
            {
                "certificates": {
                    CERTIFICATE_URL: KEY.pem,
                    CERTIFICATE_URL.replace("api", "api.sandbox"): KEY.pem,
                }
            },
            "paypal.certificates",
        ),
    ],
)
def test_pins_that_protect_nothing_are_refused(changes, key):
    with pytest.raises(Unsafe) as refused:
        verifier("paypal", SchemeSettings(paypal=replace(PINS, **changes)))

    assert refused.value.key == key


@pytest.mark.parametrize(
    "private",
    [
        ec.generate_private_key(ec.SECP256R1()),
        rsa.generate_private_key(public_exponent=65537, key_size=1024),  # noqa: S505 - refused
    ],
    ids=["elliptic", "short"],
)
def test_a_pinned_key_is_a_long_one_of_rsa(private):
    pins = replace(PINS, certificates={CERTIFICATE_URL: self_signed(private, NOW)})

    with pytest.raises(Unsafe, match="RSA"):
        verifier("paypal", SchemeSettings(paypal=pins))


SECRETS = [Secret(value=HEX_KEY)]


@pytest.mark.parametrize(
    ("scheme", "settings", "key"),
    [
        ("paypal", SchemeSettings(), "paypal"),
        ("paypal", SchemeSettings(paypal=PINS, secrets=SECRETS), "secrets"),
        (
            "paypal",
            SchemeSettings(paypal=PINS, tolerance=timedelta(days=8)),
            "tolerance",
        ),
        ("stripe", SchemeSettings(paypal=PINS, secrets=SECRETS), "paypal"),
        (
            "stripe",
            SchemeSettings(hmac=SignatureForm(header="x"), secrets=SECRETS),
            "hmac",
        ),
        ("hmac", SchemeSettings(secrets=SECRETS), "hmac"),
        *(
            (
                scheme,
                SchemeSettings(secrets=SECRETS, tolerance=timedelta(minutes=5)),
                "tolerance",
            )
            for scheme in ("adyen", "adyen-platform", "checkout")
        ),
        *(
            (
                scheme,
                SchemeSettings(secrets=SECRETS, tolerance=timedelta(hours=2)),
                "tolerance",
            )
            for scheme in ("stripe", "hmac-sha256")
        ),
    ],
)
def test_what_has_no_meaning_is_refused(scheme, settings, key):
    with pytest.raises(Unsafe) as refused:
        verifier(scheme, settings)

    assert refused.value.key == key
