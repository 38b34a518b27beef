"""Our verifiers beside the providers' own libraries: the same verdicts."""

import json
from datetime import UTC, datetime

from Adyen.util import (
    generate_notification_sig,
    generate_payload_sig,
    is_valid_hmac_notification,
    is_valid_hmac_payload,
)
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from handlers.ports.provider import Verified
from providers.signatures import SchemeSettings, Secret, verifier

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HEX_KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
THEIRS = Webhook(WHSEC)
OURS = {
    "standard": verifier("standard", SchemeSettings(secrets=[Secret(value=WHSEC)])),
    **{
        scheme: verifier(scheme, SchemeSettings(secrets=[Secret(value=HEX_KEY)]))
        for scheme in ("adyen", "adyen-platform")
    },
}
# No row can hold a NUL, so no webhook may.
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40
)
IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1).filter(
    lambda text: "." not in text and len(text) <= 128
)
NO_COLON = TEXT.filter(lambda text: ":" not in text)


def holds(scheme, headers, body):
    told = {name: [value] for name, value in headers.items()}
    return isinstance(OURS[scheme].verify(told, body, datetime.now(UTC)), Verified)


@given(IDS, TEXT, st.integers(-600, 600))
def test_standard_webhooks_agrees(event, text, late):
    sent = int(datetime.now(UTC).timestamp()) - late
    if abs(abs(late) - 300) < 5:
        return  # the clock goes on between the two
    body = json.dumps({"text": text})
    stamp = datetime.fromtimestamp(sent, UTC)
    headers = {
        "webhook-id": event,
        "webhook-timestamp": str(sent),
        "webhook-signature": THEIRS.sign(event, stamp, body),
    }
    try:
        THEIRS.verify(body, headers)
        theirs = True
    except WebhookVerificationError:
        theirs = False

    assert holds("standard", headers, body.encode()) is theirs


@given(st.data())
def test_adyen_agrees_on_every_item(data):
    item = {
        "pspReference": data.draw(st.from_regex(r"[A-Z0-9]{16}", fullmatch=True)),
        "originalReference": data.draw(NO_COLON),
        "merchantAccountCode": data.draw(NO_COLON),
        "merchantReference": data.draw(TEXT),
        "amount": {"value": data.draw(st.integers(0, 2**53)), "currency": "EUR"},
        "eventCode": data.draw(st.sampled_from(["AUTHORISATION", "REFUND"])),
        "success": data.draw(st.sampled_from(["true", "false"])),
    }
    signature = generate_notification_sig(item, HEX_KEY).decode()
    wrapped = {**item, "additionalData": {"hmacSignature": signature}}
    if data.draw(st.booleans()):
        wrapped["merchantReference"] += "x"
    tree = {"notificationItems": [{"NotificationRequestItem": wrapped}]}

    theirs = is_valid_hmac_notification(tree, HEX_KEY)
    body = json.dumps(tree, ensure_ascii=data.draw(st.booleans())).encode()

    assert holds("adyen", {}, body) is theirs


@given(st.binary(max_size=64), st.booleans())
def test_adyens_platform_agrees(body, spoilt):
    signature = generate_payload_sig(body, HEX_KEY).decode()
    body += b" " if spoilt else b""

    theirs = is_valid_hmac_payload(signature, HEX_KEY, body)

    assert holds("adyen-platform", {"hmacsignature": signature}, body) is theirs
    assert theirs is not spoilt
