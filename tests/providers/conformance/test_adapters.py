"""Every adapter of ours passes the conformance kit."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from providers.conformance.playing import Candidate
from providers.conformance.scenarios import SCENARIOS

EXAMPLES = Path(__file__).parents[3] / "ops" / "examples"
ACME = {
    "adapter": "rest",
    "base_url": "https://acme.example/api",
    "headers": {"Authorization": "Bearer ${ACME_TOKEN}"},
    "idempotent_create": True,
    "webhook": {"scheme": "standard", "secrets": ["${ACME_WHSEC}"]},
}
STRIPE_LIKE = {"scheme": "stripe", "secrets": ["${ACME_WHSEC}"]}
BARE = {
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
RAW: dict[str, Any] = {
    "default": ACME,
    "codes": ACME | {"rejection_codes": ["limit", "blocked"], "webhook": STRIPE_LIKE},
    "simulator": {"adapter": "simulator", "webhook": ACME["webhook"]},
    "mute": ACME | {"status": False, "on_sla": "manual"},
    "bare": OF_TEXT,
    "without_codes": WITHOUT_CODES,
    "skeleton": ACME
    | {"adapter": "providers.conformance.skeleton.provider:AcmeProvider"},
}
for _name in ("lumen", "quipu", "stripe"):
    _text = (EXAMPLES / _name / "payment.toml").read_text()
    RAW[_name] = tomllib.loads(_text)["providers"][_name]

RAW["stripe_intents"] = RAW["stripe"] | {
    "stripe": RAW["stripe"]["stripe"] | {"makes": "payment_intent"}
}

# What a provider cannot show, because it has no way of saying so.
NOT_HERE = {
    "default": {"create-unlisted-code", "status-unasked", "cancel-unasked"},
    "codes": {"status-unasked", "cancel-unasked"},
    "lumen": {"status-unasked", "cancel-unasked"},
    "quipu": {"status-unasked", "cancel-unasked"},
    # It is asked by its own id, and its list is read by the adapter's own tests.
    "stripe": {
        "status-unasked",
        "status-not-found",
        "cancel-unasked",
        "statement-whole",
        "statement-broken",
    },
}


@pytest.mark.parametrize("name", RAW)
async def test_it_passes_every_scenario(name):
    outcomes = await Candidate(name, RAW[name]).play_all(SCENARIOS)

    wrong = {each.scenario.name: each.wrong for each in outcomes if each.wrong}
    absent = {each.scenario.name for each in outcomes if each.not_here is not None}
    assert wrong == {}
    assert absent == NOT_HERE.get(name, absent)


def test_a_scenario_has_a_name_of_its_own_and_says_one_sentence():
    assert len({each.name for each in SCENARIOS}) == len(SCENARIOS)
    for each in SCENARIOS:
        assert each.proves[0].isupper() or each.proves[0].isdigit()
        assert each.proves.endswith(".")
