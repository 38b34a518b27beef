"""Webhooks that providers have published with their signatures: where, and what.

Nothing of it was made here but the event's id where the page shows none: those are
headers named X-Delivery, which no scheme here signs.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One webhook, the table ``webhook`` for it, and the page or test it is from."""

    provider: str
    source: str
    webhook: str
    headers: dict[str, str]
    body: bytes
    event: str
    at: int = 1_700_000_000
    timed: bool = False


SAMPLES: Final = (
    Sample(
        provider="Svix (Standard Webhooks)",
        source="docs.svix.com/receiving/verifying-payloads/how",
        webhook="""
            scheme = "standard"
            secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
        """,
        headers={
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        body=b'{"test": 2432232314}',
        event="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at=1614265330,
        timed=True,
    ),
    Sample(
        provider="Lithic",
        source="github.com/lithic-com/lithic-python: tests/api_resources/"
        "test_webhooks.py",
        webhook="""
            scheme = "standard"
            secrets = ["whsec_zlFsbBZ8Xcodlpcu6NDTdSzZRLSdhkst"]
        """,
        headers={
            "webhook-id": "msg_2Lh9KRb0pzN4LePd3XiA4v12Axj",
            "webhook-timestamp": "1676312382",
            "webhook-signature": "v1,Dwa0AHInLL3XFo2sxcHamOQDrJNi7F654S3L6skMAOI=",
        },
        body=b'{"card_token":"sit Lorem ipsum, accusantium repellendus possimus",'
        b'"created_at":"elit. placeat libero architecto molestias, sit",'
        b'"account_token":"elit.","issuer_decision":"magnam, libero esse Lorem ipsum '
        b'magnam, magnam,","tokenization_attempt_id":"illum dolor repellendus libero '
        b'esse accusantium","wallet_decisioning_info":{"device_score":"placeat '
        b'architecto"},"digital_wallet_token_metadata":{"status":"reprehenderit dolor",'
        b'"token_requestor_id":"possimus","payment_account_info":{"account_holder_data":'
        b'{"phone_number":"libero","email_address":"nobis molestias, veniam culpa! '
        b'quas elit. quas libero esse architecto placeat"},"pan_unique_reference":'
        b'"adipisicing odit magnam, odit"}}}',
        event="msg_2Lh9KRb0pzN4LePd3XiA4v12Axj",
        at=1676312382,
        timed=True,
    ),
    Sample(
        provider="Adyen",
        source="github.com/Adyen/adyen-ruby-api-library: spec/utils/"
        "hmac_validator_spec.rb",
        webhook="""
            scheme = "adyen"
            secrets = [
              "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
            ]
        """,
        headers={},
        body=b'{"live":"false","notificationItems":[{"NotificationRequestItem":{'
        b'"additionalData":{"hmacSignature":'
        b'"coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="},"amount":{"value":1130,'
        b'"currency":"EUR"},"pspReference":"7914073381342284","eventCode":'
        b'"AUTHORISATION","merchantAccountCode":"TestMerchant","merchantReference":'
        b'"TestPayment-1407325143704","paymentMethod":"visa","success":"true"}}]}',
        event="7914073381342284:AUTHORISATION:true",
    ),
    Sample(
        provider="GitHub",
        source="docs.github.com/en/webhooks/using-webhooks/"
        "validating-webhook-deliveries",
        webhook="""
            scheme = "hmac"
            secrets = ["It's a Secret to Everybody"]
            [providers.sample.webhook.hmac]
            header = "X-Hub-Signature-256"
            prefix = "sha256="
            event_id_header = "X-Delivery"
        """,
        headers={
            "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a"
            "37570b6d7586c22c46f4379c8b043e17",
            "x-delivery": "e-1",
        },
        body=b"Hello, World!",
        event="e-1",
    ),
    Sample(
        provider="Slack",
        source="docs.slack.dev/authentication/verifying-requests-from-slack",
        webhook="""
            scheme = "hmac"
            secrets = ["8f742231b10e8888abcd99yyyzzz85a5"]
            [providers.sample.webhook.hmac]
            header = "X-Slack-Signature"
            prefix = "v0="
            template = "v0:{ts}:{body}"
            timestamp_header = "X-Slack-Request-Timestamp"
            event_id_header = "X-Delivery"
        """,
        headers={
            "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235"
            "a7b4a8d21a10bd27519666489c69b503",
            "x-slack-request-timestamp": "1531420618",
            "x-delivery": "e-1",
        },
        body=b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain="
        b"testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&"
        b"user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url="
        b"https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"
        b"96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."
        b"803a0bc887a14d10d2c447fce8b6703c",
        event="e-1",
        at=1531420618,
        timed=True,
    ),
    Sample(
        provider="Revolut",
        source="developer.revolut.com/docs/guides/manage-accounts/webhooks/"
        "verify-the-payload-signature",
        webhook="""
            scheme = "hmac"
            secrets = ["wsk_r59a4HfWVAKycbCaNO1RvgCJec02gRd8"]
            [providers.sample.webhook.hmac]
            header = "Revolut-Signature"
            separator = ","
            prefix = "v1="
            template = "v1.{ts}.{body}"
            timestamp_header = "Revolut-Request-Timestamp"
            timestamp_unit = "ms"
            event_id_pointer = "/data/id"
        """,
        headers={
            "revolut-signature": "v1=bca326fb378d0da7f7c490ad584a8106"
            "bab9723d8d9cdd0d50b4c5b3be3837c0",
            "revolut-request-timestamp": "1683650202360",
        },
        body=b'{"data":{"id":"645a7696-22f3-aa47-9c74-cbae0449cc46","new_state":'
        b'"completed","old_state":"pending","request_id":'
        b'"app_charges-9f5d5eb3-1e06-46c5-b1c0-3914763e0bcb"},"event":'
        b'"TransactionStateChanged","timestamp":"2023-05-09T16:36:38.028960Z"}',
        event="645a7696-22f3-aa47-9c74-cbae0449cc46",
        at=1683650202,
        timed=True,
    ),
    Sample(
        provider="Paddle",
        source="github.com/PaddleHQ/paddle-python-sdk: tests/Unit/Notification/"
        "test_Verifier.py",
        webhook="""
            scheme = "hmac"
            secrets = [
              "pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_TjIG2BXbm83HPXqNfziwe506sBEdqL/4",
              "pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_WvRO0eL4Bj9rgYYIBZY6wZhG4EHy9jzh",
            ]
            [providers.sample.webhook.hmac]
            header = "Paddle-Signature"
            separator = ";"
            timestamp_item = "ts="
            prefix = "h1="
            template = "{ts}:{body}"
            event_id_header = "X-Delivery"
        """,
        headers={
            "paddle-signature": "ts=1696195954;h1=dummy;h1=d96299976a6eb066f484d7fde011"
            "ac56fc32b38fc9940bc419d6e537fdc6ef02",
            "x-delivery": "e-1",
        },
        body=b"hello-world",
        event="e-1",
        at=1696195954,
        timed=True,
    ),
    Sample(
        provider="Square",
        source="github.com/square/square-python-sdk: tests/integration/"
        "test_webhooks_helper.py",
        webhook="""
            scheme = "hmac"
            secrets = ["Ibxx_5AKakO-3qeNVR61Dw"]
            [providers.sample.webhook.hmac]
            header = "X-Square-HmacSha256-Signature"
            encoding = "base64"
            template = \"\"\"\\
              https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9{body}\"\"\"
            event_id_pointer = "/event_id"
        """,
        headers={
            "x-square-hmacsha256-signature": "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW"
            "/S6vkZ9/2N4=",
        },
        body=b'{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification",'
        b'"event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f","created_at":'
        b'"2022-07-13T20:30:59.037339943Z","data":{"type":"webhooks","id":'
        b'"bc368e64-01aa-407e-b46e-3231809b1129"}}',
        event="ac3ac95b-f97d-458c-a6e6-18981597e05f",
    ),
    Sample(
        provider="GoCardless",
        source="github.com/gocardless/gocardless-pro-ruby: spec/webhook_spec.rb",
        webhook="""
            scheme = "hmac"
            secrets = ["ED7D658C-D8EB-4941-948B-3973214F2D49"]
            [providers.sample.webhook.hmac]
            header = "Webhook-Signature"
            event_id_pointer = "/events/0/id"
        """,
        headers={
            "webhook-signature": "2693754819d3e32d7e8fcb13c729631f"
            "316c6de8dc1cf634d6527f1c07276e7e",
        },
        body=b'{"events":[{"id":"EV00BD05S5VM2T","created_at":"2018-07-05T09:13:51.404Z'
        b'","resource_type":"subscriptions","action":"created","links":{"subscription":'
        b'"SB0003JJQ2MR06"},"details":{"origin":"api","cause":"subscription_created",'
        b'"description":"Subscription created via the API."},"metadata":{}},{"id":'
        b'"EV00BD05TB8K63","created_at":"2018-07-05T09:13:56.893Z","resource_type":'
        b'"mandates","action":"created","links":{"mandate":"MD000AMA19XGEC"},"details":'
        b'{"origin":"api","cause":"mandate_created","description":'
        b'"Mandate created via the API."},"metadata":{}}]}',
        event="EV00BD05S5VM2T",
    ),
    Sample(
        provider="Coinbase Commerce",
        source="github.com/coinbase/coinbase-commerce-python: tests/test_webhook.py",
        webhook="""
            scheme = "hmac"
            secrets = ["30291a20-0bd1-4267-9b0f-e6e7b123c0bf"]
            [providers.sample.webhook.hmac]
            header = "X-CC-Webhook-Signature"
            event_id_pointer = "/event/id"
        """,
        headers={
            "x-cc-webhook-signature": "8be7742c7d372f08a6a3224edadf18a2"
            "2b65fa9e28f3f2de97376cdaa092590d",
        },
        body=b'{"id":1,"scheduled_for":"2017-01-31T20:50:02Z","attempt_number":1,"event"'
        b':{"id":"24934862-d980-46cb-9402-43c81b0cdba6","type":"charge:created",'
        b'"api_version":"2018-03-22","created_at":"2017-01-31T20:49:02Z","data":{"code":'
        b'"66BEOV2A","name":"The Sovereign Individual","description":"Mastering the '
        b'Transition to the Information Age","hosted_url":'
        b'"https://commerce.coinbase.com/charges/66BEOV2A","created_at":'
        b'"2017-01-31T20:49:02Z","expires_at":"2017-01-31T21:04:02Z","timeline":[{"time"'
        b':"2017-01-31T20:49:02Z","status":"NEW"}],"metadata":{},"pricing_type":'
        b'"no_price","payments":[],"addresses":{"bitcoin":'
        b'"0000000000000000000000000000000000","ethereum":'
        b'"0x0000000000000000000000000000000000000000","litecoin":'
        b'"3000000000000000000000000000000000","bitcoincash":'
        b'"bitcoincash:000000000000000000000000000000000000000000"}}}}',
        event="24934862-d980-46cb-9402-43c81b0cdba6",
    ),
    Sample(
        provider="Wise",
        source="github.com/transferwise/digital-signatures-examples: "
        "verify-webhook-signature/verify-signature.php",
        webhook="""
            scheme = "public-key"
            [providers.sample.webhook.public_key]
            algorithm = "rsa-sha256"
            header = "X-Signature-SHA256"
            event_id_pointer = "/data/resource/id"
            keys = [\"\"\"
            -----BEGIN PUBLIC KEY-----
            MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwpb91cEYuyJNQepZAVfP
            ZIlPZfNUefH+n6w9SW3fykqKu938cR7WadQv87oF2VuT+fDt7kqeRziTmPSUhqPU
            ys/V2Q1rlfJuXbE+Gga37t7zwd0egQ+KyOEHQOpcTwKmtZ81ieGHynAQzsn1We3j
            wt760MsCPJ7GMT141ByQM+yW1Bx+4SG3IGjXWyqOWrcXsxAvIXkpUD/jK/L958Cg
            nZEgz0BSEh0QxYLITnW1lLokSx/dTianWPFEhMC9BgijempgNXHNfcVirg1lPSyg
            z7KqoKUN0oHqWLr2U1A+7kqrl6O2nx3CKs1bj1hToT1+p4kcMoHXA7kA+VBLUpEs
            VwIDAQAB
            -----END PUBLIC KEY-----
            \"\"\"]
        """,
        headers={
            "x-signature-sha256": "wKcKCYXAzxNgiu7xmoDm943NUni7Rz33QN8JkEA9dWSGebgndona"
            "bgSj18Y4C08OrwVmueGsED2s00M7DtJVcYKOS1i3G4TMVx+mgM3aL9djMBkQtiYNBFUd6wrPI7Z"
            "UNHv/TrlKSjTMc+6JFvUvJ7owY3z85e3I4jLRLJowMFvO8kvCJ60+1pY9wDwZvtZ//WS93LrwGj"
            "k9Dvwzpmu0w+P4J75tETT5qC3Uv0y5G2yO8SEoO3yNP/tg/BOli02niHb53vEOUWUb9bly6thnf"
            "MoXoiV/osoGxgF20R58RlvkAmezyyl1Sv542TfS2DpiwVnmjjjkCyXeSUcKookYLQ==",
        },
        body=b'{"data":{"resource":{"id":49983981,"profile_id":16055450,"account_id":'
        b'14124090,"type":"transfer"},"current_state":"incoming_payment_waiting",'
        b'"previous_state":null,"occurred_at":"2021-08-23T10:12:50Z"},"subscription_id":'
        b'"90aa8e14-4ef1-4a56-861c-f3c9cde097ea","event_type":"transfers#state-change",'
        b'"schema_version":"2.0.0","sent_at":"2021-08-23T10:12:50Z"}',
        event="49983981",
    ),
    Sample(
        provider="SendGrid",
        source="github.com/sendgrid/sendgrid-python: test/unit/test_eventwebhook.py",
        webhook="""
            scheme = "public-key"
            [providers.sample.webhook.public_key]
            algorithm = "ecdsa-sha256"
            header = "X-Twilio-Email-Event-Webhook-Signature"
            template = "{ts}{body}"
            timestamp_header = "X-Twilio-Email-Event-Webhook-Timestamp"
            event_id_pointer = "/0/sg_event_id"
            keys = [\"\"\"
              MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqI
              M8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==\"\"\"]
        """,
        headers={
            "x-twilio-email-event-webhook-signature": "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10Qy"
            "sgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
            "x-twilio-email-event-webhook-timestamp": "1600112502",
        },
        body=b'[{"email":"hello@world.com","event":"dropped",'
        b'"reason":"Bounced Address","sg_event_id":'
        b'"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
        b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18'
        b'-5F5FC76C-9.0","smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid'
        b'.net>","timestamp":1600112492}]\r\n',
        event="ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",
        at=1600112502,
        timed=True,
    ),
)
