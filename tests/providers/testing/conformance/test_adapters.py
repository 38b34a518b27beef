"""Every adapter of ours passes the conformance kit."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from providers.testing.conformance.runner import Candidate
from providers.testing.conformance.scenarios import SCENARIOS
from tests.sampling import every_nth

EXAMPLES = Path(__file__).parents[4] / "ops" / "examples"
ACME = {
    "adapter": "rest",
    "base_url": "https://acme.example/api",
    "headers": {"Authorization": "Bearer ${ACME_TOKEN}"},
    "idempotent_create": True,
    "webhook": {"scheme": "standard", "secrets": ["${ACME_WHSEC}"]},
}
STRIPE_LIKE = {"scheme": "stripe", "secrets": ["${ACME_WHSEC}"]}
BARE: dict[str, Any] = {
    "path": "/pay/{reference}",
    "method": "PUT",
    "body": {
        "sum": "{amount_number}",
        "cur": "{currency}",
        "to": "{destination}",
    },
    "answers": {"accepted": [202], "status_map": {}},
}
OF_TEXT: dict[str, Any] = {
    "adapter": "rest",
    "base_url": "https://bare.example",
    "idempotent_create": True,
    "status": {"path": "/pay/{reference}", "answers": {"status_at": "/a~1b/0"}},
    "create": BARE,
    "cancel": {"path": "/pay/{reference}", "method": "DELETE", "cancelled": [204]},
    "answers": {
        "status_at": "state",
        "status_map": {"paid": "succeeded", "new": "accepted", "no": "failed"},
        "amount_at": "sum",
        "amount_form": "decimal",
    },
}
WITHOUT_CODES = OF_TEXT | {
    "answers": OF_TEXT["answers"]
    | {"error_map": [{"http": [400, 422], "means": "declined"}]}
}


def paying(**create: Any) -> dict[str, Any]:
    """Return a table that says to whom it pays by fields of its own."""
    return OF_TEXT | {"create": BARE | create}


OF_FORM: dict[str, Any] = OF_TEXT | {
    "create": BARE
    | {
        "body_form": "urlencoded",
        "body": {
            "sum": {"minor": "{amount_minor}", "cur": "{currency_lower}"},
            "to": ["{destination.token}", {"how": "{destination.type}", "now": True}],
            "terminal": "{terminal_id?}",
        },
    },
    "answers": OF_TEXT["answers"]
    | {
        "sub_status_at": "why",
        "status_map": {"paid/all": "succeeded", "new": "accepted", "no/": "failed"}
        | {"no": "failed", "no/yet": "accepted"},
    },
}
IBAN = {
    "sum": "{amount_number}",
    "cur": "{currency}",
    "creditor": {"iban": "{destination.iban}", "name": "{destination.holder}"},
    "bic": "{destination.bic?}",
    "terminal": "{terminal_id}",
}
OWN_FIELDS = {
    "iban": paying(body=IBAN),
    "iban_minor": paying(
        body=IBAN | {"sum": "{amount_minor}", "cur": "{currency_lower}"}
    ),
    "wallet": paying(
        path="/wallets/{destination.wallet_id}/pay/{reference}",
        query={"network": "{destination.network}"},
        headers={"X-Account": "acc-{destination.account}"},
    ),
    "all_and_one": paying(
        body=BARE["body"] | {"phone": "+{destination.phone}", "all": "{destination}"}
    ),
    "deep": paying(
        body=BARE["body"] | {"to": [{"a": "{destination.bank}"}, "{terminal_id?}"]}
    ),
    "called_back": paying(
        body=IBAN | {"tell": "{callback_url}", "note": "to {destination.holder}"}
    ),
    "status_too": OF_TEXT
    | {
        "create": BARE | {"body": IBAN},
        "status": OF_TEXT["status"] | {"query": {"iban": "{destination.iban}"}},
    },
}
LISTED: dict[str, Any] = OF_TEXT | {
    "status": {
        "path": "/pays",
        "query": {"reference": "{reference}"},
        "answers": {
            "items_at": "data",
            "more_at": "more",
            "reference_at": "ref",
            "provider_reference_at": "id",
            "status_map": {"paid": "succeeded", "no": "failed", "back": "returned"},
        },
    },
    "statement": {
        "path": "/list",
        "query": {"page": "{page}"},
        "rows_at": "",
        "kind_at": "kind",
        "kinds": ["PAYOUT"],
        "sign": "minus",
        "reference_at": "ref",
        "status_at": "state",
        "status_map": {"paid": "succeeded"},
        "amount_at": "sum",
        "amount_form": "decimal",
        "currency_at": "cur",
        "pause": "1ms",
    },
}
BARE_LIST = LISTED["status"] | {
    "answers": LISTED["status"]["answers"] | {"items_at": "", "more_at": "0.more"}
}
BY_THEIRS: dict[str, Any] = OF_TEXT | {
    "status": {"path": "/pays/{provider_reference}"},
    "answers": OF_TEXT["answers"] | {"provider_reference_at": "id"},
}
# As Paystack tells: the transfer's code stands in every event, and no event's id.
ONE_ID: dict[str, Any] = OF_TEXT | {
    "webhook": {
        "scheme": "hmac",
        "secrets": ["${ACME_SECRET}"],
        "hmac": {"header": "x-paystack-signature", "digest": "sha512"},
        "event_id": ["data.transfer_code", "event"],
    },
    "webhook_body": {
        "type_at": "event",
        "type_map": {
            "transfer.success": "succeeded",
            "transfer.failed": "failed",
            "transfer.reversed": "returned",
        },
        "reference_at": "data.reference",
        "provider_reference_at": "data.transfer_code",
        "amount_at": "data.amount",
        "currency_at": "data.currency",
    },
}
# As GoCardless tells: several events in one request.
SEVERAL: dict[str, Any] = OF_TEXT | {
    "webhook": {
        "scheme": "hmac",
        "secrets": ["${ACME_SECRET}"],
        "hmac": {"header": "webhook-signature"},
        "events_at": "events",
    },
    "webhook_body": {
        "type_at": "action",
        "type_map": {"paid": "succeeded", "failed": "failed", "bounced": "returned"},
        "reference_at": "resource_metadata.reference",
        "provider_reference_at": "links.payout",
        "event_id_at": "id",
    },
}
BARE_EVENTS = SEVERAL | {"webhook": SEVERAL["webhook"] | {"events_at": ""}}
HASHED = ONE_ID | {"webhook": ONE_ID["webhook"] | {"event_id": "body-hash"}}
RAW: dict[str, Any] = {
    "one_id": ONE_ID,
    "hashed": HASHED,
    "several_events": SEVERAL,
    "bare_events": BARE_EVENTS,
    "listed": LISTED,
    "bare_list": LISTED | {"status": BARE_LIST},
    "by_theirs": BY_THEIRS,
    "repeat_asks": OF_TEXT | {"status": False},
    **{f"own_{name}": table for name, table in OWN_FIELDS.items()},
    "default": ACME,
    "codes": ACME | {"rejection_codes": ["limit", "blocked"], "webhook": STRIPE_LIKE},
    "simulator": {"adapter": "simulator", "webhook": ACME["webhook"]},
    "mute": ACME | {"status": False, "on_sla": "manual"},
    "bare": OF_TEXT,
    "form": OF_FORM,
    "without_codes": WITHOUT_CODES,
    "skeleton": ACME
    | {"adapter": "providers.testing.conformance.skeleton.provider:AcmeProvider"},
}
# A folder of examples is covered by being there.
SHOWN: dict[str, Any] = {
    name: table
    for path in sorted(EXAMPLES.glob("*/payment.toml"))
    for name, table in tomllib.loads(path.read_text()).get("providers", {}).items()
}
RAW |= SHOWN

RAW["stripe_intents"] = RAW["stripe"] | {
    "stripe": RAW["stripe"]["stripe"] | {"makes": "payment_intent"}
}

# What a provider cannot show, because it has no way of saying so.
_NO_TOKENS = {"token-once", "token-away", "token-refused"}
_UNSAID = _NO_TOKENS | {
    *("status-unasked", "cancel-unasked", "status-list", "create-repeat-asks"),
}
NOT_HERE = {
    "default": {"create-unlisted-code", *_UNSAID},
    "codes": _UNSAID,
    "lumen": _UNSAID | {"status-returned"},
    "quipu": _UNSAID | {"status-returned"},
    # It is asked by its own id, and its list is read by the adapter's own tests.
    "stripe": _UNSAID
    | {
        "status-returned",
        "status-not-found",
        "statement-whole",
        "statement-broken",
    },
}


# Beside these one plays a third of them: another one than those before and after it.
PLAYED_WHOLE = {"default", "skeleton", *SHOWN}


@pytest.mark.sampled
@pytest.mark.parametrize("name", RAW)
async def test_it_passes_every_scenario(name):
    third = every_nth(SCENARIOS, 3, first=[*RAW].index(name))
    played = SCENARIOS if name in PLAYED_WHOLE else third
    outcomes = await Candidate(name, RAW[name]).play_all(played)

    wrong = {each.scenario.name: each.wrong for each in outcomes if each.wrong}
    absent = {each.scenario.name for each in outcomes if each.not_here is not None}
    assert wrong == {}
    assert absent == NOT_HERE.get(name, absent) & {each.name for each in played}


WEBHOOKS = [each for each in SCENARIOS if each.name.startswith("webhook-")]
SIGNED: dict[str, Any] = {
    "rsa": {
        "algorithm": "rsa-sha256",
        "header": "X-Signature-SHA256",
        "event_id_header": "X-Delivery-Id",
        "keys": ["the key of the provider itself, which is not looked for"],
    },
    "rsa-pss": {
        "algorithm": "rsa-pss-sha512",
        "header": "X-Signature",
        "event_id_pointer": "/id",
        "keys": ["${ACME_KEY}"],
    },
    "ecdsa": {
        "algorithm": "ecdsa-sha256",
        "header": "X-Signature",
        "template": "{ts}{body}",
        "timestamp_header": "X-Timestamp",
        "timestamp_unit": "rfc3339",
        "event_id_pointer": "/id",
        "keys": [],
    },
    "ecdsa-raw": {
        "algorithm": "ecdsa-raw-sha256",
        "header": "X-Signature",
        "encoding": "base64url",
        "event_id_pointer": "/id",
        "keys": [],
    },
    "ed25519": {
        "algorithm": "ed25519",
        "header": "Webhook-Signature",
        "separator": " ",
        "prefix": "v1a,",
        "template": "{id}.{ts}.{body}",
        "timestamp_header": "Webhook-Timestamp",
        "event_id_header": "Webhook-Id",
        "keys": [],
    },
}
HOOKS = {
    **{
        name: {"scheme": "public-key", "public_key": table}
        for name, table in SIGNED.items()
    },
    "token": {
        "scheme": "token",
        "secrets": ["${ACME_TOKEN}"],
        "token": {"header": "Verif-Hash", "event_id_pointer": "/id"},
    },
}


@pytest.mark.parametrize("name", HOOKS)
async def test_webhooks_of_every_scheme_can_be_played(name):
    table = ACME | {"webhook": HOOKS[name]}

    outcomes = await Candidate("acme", table).play_all(WEBHOOKS)

    assert {each.scenario.name: each.wrong for each in outcomes if each.wrong} == {}
    untimed = set() if name in {"ecdsa", "ed25519"} else {"webhook-old"}
    absent = {each.scenario.name for each in outcomes if each.not_here is not None}
    assert absent - {"webhook-unlisted"} == untimed


def test_a_scenario_has_a_name_of_its_own_and_says_one_sentence():
    assert len({each.name for each in SCENARIOS}) == len(SCENARIOS)
    for each in SCENARIOS:
        assert each.proves[0].isupper() or each.proves[0].isdigit()
        assert each.proves.endswith(".")
