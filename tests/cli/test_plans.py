"""A plan says in words what a table means for the money."""

import pytest

from payment_service.cli.plans import plan_in_words
from payment_service.config import ProviderTable


def words(**changes):
    table = {"name": "acme", "adapter": "rest", "base_url": "https://x.example"}
    return plan_in_words(ProviderTable.model_validate({**table, **changes}))


def error(means, **given):
    return {"answers": {"error_map": [{**given, "means": means}]}}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "Every declined answer is a definite no."),
        (
            {"create": {"path": "/p"}},
            "Only what the table lists is a definite no; all else is unclear.",
        ),
        (
            {"rejection_codes": ("limit",)},
            "Only the codes limit are a definite no; others are unclear.",
        ),
        (
            error("declined", http=[422], codes=["LIMIT", "BLOCKED", "51"]),
            "HTTP 422 with the code LIMIT, BLOCKED or 51 is a definite no to a create.",
        ),
        (
            error("exists", codes=["2002"]),
            "An error 2002 says that it exists already, and its status is asked.",
        ),
        (
            error("retry_later", http=[429, 503]),
            "HTTP 429 or 503 proves nothing, and the status is asked later.",
        ),
        (
            {"create": {"path": "/p", **error("unclear", http=[403])}},
            "create alone: HTTP 403 proves nothing.",
        ),
        (
            {"cancel": {"path": "/p", **error("too_late", codes=["3009"])}},
            "cancel alone: An error 3009 says that it is too late to cancel.",
        ),
    ],
)
def test_what_an_error_means_is_said(changes, sentence):
    assert sentence in words(**changes)


UNASKED = {"status": False, "idempotent_create": True, "key_lifetime": "24h"}
PACE = "after 5s, then 2 times as long, up to 5m, up to 8 times"


def test_where_the_status_cannot_be_asked_the_plan_says_that_the_repeat_asks():
    told = words(**UNASKED)

    unclear = next(line for line in told if line.startswith("A timeout (10s)"))
    assert unclear.endswith(f"the create is repeated with the same key {PACE}.")
    assert "The status cannot be asked." in told
    assert not [line for line in told if "status says not found" in line]
    (repeats,) = [line for line in told if line.startswith("A repeat within 1d")]
    assert "never once a rollback is due, a person has said no" in repeats
    assert any("15m after it was accepted a person is asked" in line for line in told)


def test_who_can_neither_be_asked_nor_repeated_is_said_to_wait():
    told = words(status=False, on_sla="manual")

    assert any(
        f"nothing can be asked: it waits for a webhook, {PACE}" in x for x in told
    )
    assert "The create is never repeated once it may have left." in told


def test_who_is_asked_by_its_own_id_is_said_to_be():
    told = words(
        status={"path": "/p/{provider_reference}"},
        create={"path": "/p"},
        idempotent_create=True,
    )

    assert any("the status is asked where its own id is known" in x for x in told)
    assert "The status is asked by its own id; not found proves nothing." in told


def test_whose_webhooks_prove_nothing_is_said():
    token = {"header": "verif-hash", "event_id_pointer": "/id"}
    bare = {"scheme": "token", "secrets": ["k" * 16], "token": token}

    assert "Webhooks bring a token, and prove nothing of what they say." in (
        words(webhook=bare)
    )


def test_how_many_public_keys_there_are_is_said():
    knobs = {"header": "x", "algorithm": "ed25519", "event_id_pointer": "/id"}
    signed = {"scheme": "public-key", "public_key": knobs | {"keys": ["11" * 32] * 2}}

    assert "Webhooks are signed by public-key with 2 public keys, at any time." in (
        words(webhook=signed)
    )
