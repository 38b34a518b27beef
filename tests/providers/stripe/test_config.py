"""Tables of the adapter `stripe`: what is refused, and what its plan says in words."""

from datetime import timedelta
from pathlib import Path

import pytest

from payment_service.cli.provider_policy import policy_in_words
from providers.config import ConfigError, parse_config

EXAMPLE = Path(__file__).parents[3] / "ops" / "examples" / "stripe" / "payment.toml"
ENVIRONMENT = {"STRIPE_KEY": "sk_live_0123", "STRIPE_WHSEC": "whsec_0123456789abcdef"}


def configured(text, **environment):
    limit = timedelta(seconds=30)
    environment = ENVIRONMENT | environment
    return parse_config(text, ack_wait=limit, environment=environment).providers[
        "stripe"
    ]


def changed(*pairs):
    text = EXAMPLE.read_text()
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def problems(text, **environment):
    with pytest.raises(ConfigError) as refused:
        configured(text, **environment)
    return [each.removeprefix("[providers.stripe] ") for each in refused.value.problems]


MAKES = 'makes = "payout"'


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("https://api.stripe.com", "http://api.stripe.com", "base_url: must begin"),
        ("api.stripe.com", "api.stripe.com/v1", "base_url: must have no path"),
        ("base_url", "# base_url", "base_url: is missing"),
        ('"ambiguous"', '"definite"', "not_found: cannot be definite"),
        ('"23h"', '"24h"', "key_lifetime: must end a timeout before"),
        ('scheme = "stripe"', 'scheme = "standard"', "webhook.scheme: must be stripe"),
        (
            "bearer = { token",
            'basic = { user = "u", password',
            "auth.bearer: is missing",
        ),
        ("stripe = { version", "options = { version", "stripe: is missing"),
        ('"2025-07-30.basil"', '"newest"', "stripe.version: String should match"),
        ('version = "2025-07-30.basil", ', "", "stripe.version: is missing"),
        (MAKES, 'makes = "transfer"', "stripe.makes: "),
        (
            MAKES,
            'makes = "payment_intent", method = "instant"',
            "stripe.method: has no meaning",
        ),
        (
            MAKES,
            'makes = "payment_intent", connect = true',
            "stripe.connect: has no meaning",
        ),
        (
            MAKES,
            'payment_method_types = ["card"]',
            "stripe.payment_method_types: has no meaning",
        ),
        (MAKES, 'statement_descriptor = "23 letters are too many"', "stripe.stat"),
        (
            "timeout =",
            'headers = { Stripe-Version = "1" }\ntimeout =',
            "headers.stripe-version: is set by the adapter",
        ),
        ("timeout =", 'reference_form = "hex"\ntimeout =', "reference_form: unknown"),
        ("timeout =", "options = { a = 1 }\ntimeout =", "options: unknown key"),
        ("timeout =", 'cancel = { path = "/x" }\ntimeout =', "cancel: has no meaning"),
        (
            'adapter = "stripe"',
            'adapter = "rest"',
            "stripe: unknown key of the adapter",
        ),
    ],
)
def test_what_would_cost_money_is_refused(old, new, problem):
    found = problems(changed((old, new)))

    assert [each for each in found if each.startswith(problem)], found


def test_a_publishable_key_is_refused_and_not_shown():
    found = problems(changed(), STRIPE_KEY="pk_live_0123")

    assert found == [
        "auth.bearer.token: must be a secret (sk_) or restricted key (rk_)"
    ]


def test_a_server_on_this_machine_needs_no_tls():
    local = changed(("https://api.stripe.com", "http://127.0.0.1:12111"))

    assert configured(local).base_url == "http://127.0.0.1:12111"


def test_a_key_that_is_not_repeated_may_be_forgotten():
    once = changed(("idempotent_create = true", ""), ('"23h"', '"3d"'))

    assert configured(once).policy.idempotent_create is False


def test_the_plan_says_what_goes_on_in_words():
    said = policy_in_words(configured(changed()))

    assert said[:2] == [
        "It makes payouts by Stripe's API of 2025-07-30.basil.",
        "What Stripe has executed and refused is a definite no.",
    ]
    assert "Not found proves nothing." in said


def test_the_plan_says_that_money_is_collected_or_does_not_move():
    intents = changed((MAKES, 'makes = "payment_intent"'))

    said = policy_in_words(configured(intents, STRIPE_KEY="rk_test_0123"))

    assert said[:3] == [
        "It makes payment intents by Stripe's API of 2025-07-30.basil.",
        "Money is collected from the destination, not sent to it.",
        "The key is a test key: no money moves.",
    ]
