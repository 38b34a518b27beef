"""A plan says in words what a table means for the money."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fsm.engine.words import State
from fsm.payout.policy import AskedBy
from payment_service.cli.provider_policy import policy_in_words
from payment_service.cli.provider_warnings import idle_settings
from providers.config import ProviderTable
from tests.fsm.test_foresight import came_to, plans


def table(**changes):
    given = {"name": "acme", "adapter": "rest", "base_url": "https://x.example"}
    return ProviderTable.model_validate({**given, **changes})


def words(**changes):
    return policy_in_words(table(**changes))


def error(means, **given):
    return {"answers": {"error_map": [{**given, "means": means}]}}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "Every declined answer is a definite no."),
        (
            {"create": {"path": "/p", **error("declined", http=[422])}},
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


WEBHOOK = {"secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
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
    told = words(status=False, on_sla="manual", webhook=WEBHOOK)

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


# What its own settings make impossible is not promised.

DEFINITE = {"not_found": "definite"}
IDEMPOTENT = {"idempotent_create": True}
DECLARED = {
    "create": {"path": "/p"},
    "status": {"path": "/p/{reference}"},
    "answers": {"status_at": "s", "status_map": {"ok": "succeeded", "no": "declined"}},
}
WHOLE_WEEK = [{"weekly": "daily 06:00-06:00", "tz": "Europe/Berlin"}]
UNKEPT = [
    (
        DEFINITE | {"not_found_grace": "20m"},
        "Not found proves that it did not pay",
        "the last check is 915s after it. Then a person is asked.",
        "not_found_grace",
    ),
    (
        IDEMPOTENT | {"not_found_grace": "13m"},
        "The create is repeated",
        "The create is never repeated after not found",
        "not_found_grace",
    ),
    (
        IDEMPOTENT | {"key_lifetime": "1m"},
        "The create is repeated",
        "its key lives 1m",
        "not_found_grace",
    ),
    (
        IDEMPOTENT | {"recheck": {"attempts": 1}},
        "The create is repeated",
        "The create is never repeated after not found",
        "not_found_grace",
    ),
    (
        UNASKED | {"key_lifetime": "4s"},
        "the create is repeated",
        "No repeat is the question: the key lives 4s",
        "key_lifetime",
    ),
    (
        {"sla": None},
        "waits for a webhook",
        "It waits for a person, without end.",
        None,
    ),
    (
        {"status": False, "on_sla": "manual"},
        "waits for a webhook",
        "nothing is asked, no webhook comes, a person is asked 915s later",
        None,
    ),
    (
        DECLARED | DEFINITE,
        "Not found proves that it did not pay",
        "Not found proves nothing: no answer that the table lists says it.",
        "not_found",
    ),
    (
        DECLARED | IDEMPOTENT,
        "The create is repeated",
        "The create is never repeated after not found: no answer says that.",
        None,
    ),
    (
        DECLARED | {"answers": {"status_at": "s", "status_map": {"ok": "succeeded"}}},
        "a definite no to",
        "No answer to a create is a definite no: the table lists none.",
        None,
    ),
    (
        DECLARED | {"rejection_codes": ["limit"]},
        "Only the codes limit",
        "No answer to a create is a definite no: codes are listed, and no place to",
        "rejection_codes",
    ),
    (
        {"status": False, "on_sla": "manual"},
        "checks without a definite answer",
        "A manual check follows 915s without news of an unclear create, or the SLA",
        None,
    ),
    (
        {"on_return": "settle"},
        "is taken back without a person",
        "No webhook tells that a payout came back: nothing settles it.",
        "on_return",
    ),
    (
        {"limits": {"rate": "5/m"}},
        "New work stops for",
        "New work never stops by itself: that takes 20 creates in 1m",
        None,
    ),
    (
        {"maintenance": WHOLE_WEEK},
        "An order waits",
        "It never gets new work: its maintenance has no end.",
        "maintenance",
    ),
    (
        UNASKED | error("exists", codes=["2002"]),
        "its status is asked",
        "An error 2002 says that it exists already, which proves nothing.",
        None,
    ),
    (
        {"recheck": {"attempts": 3}},
        "up to 5m, up to 3 times",
        "after 5s, then 2 times as long, up to 20s, up to 3 times",
        None,
    ),
    ({}, "a webhook with another amount", "an answer with another amount", None),
]


@pytest.mark.parametrize(("changes", "promise", "told", "_"), UNKEPT)
def test_what_cannot_be_is_not_promised(changes, promise, told, _):
    plan = " ".join(words(**changes))

    assert promise not in plan
    assert told in plan


@pytest.mark.parametrize(("changes", "_", "__", "key"), UNKEPT)
def test_a_setting_without_effect_is_named(changes, _, __, key):
    named = [told.split(":")[0] for told, _ in idle_settings(table(**changes))]

    assert named == ([key] if key else [])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        DEFINITE | IDEMPOTENT,
        UNASKED | {"webhook": WEBHOOK},
        {"on_return": "settle", "webhook": WEBHOOK},
        {"maintenance": [{"weekly": "Mon-Sat 00:00-00:00", "tz": "UTC"}]},
    ],
)
def test_what_can_be_is_promised(changes):
    assert list(idle_settings(table(**changes))) == []


def test_a_grace_that_some_waits_outlast_is_told_with_the_last_check():
    plan = words(**DEFINITE, not_found_grace="15m")

    assert any(
        "if a check comes then: the last is due 915s after it" in x for x in plan
    )


@given(plan=plans, number=some.integers(0, 99), taking=some.integers(0, 10))
def test_the_sentences_of_a_plan_are_what_the_machine_does(plan, number, taking):
    told = " ".join(
        words(
            status=plan.asked_by is AskedBy.OURS,
            on_sla=None if plan.asked_by is AskedBy.OURS else "manual",
            idempotent_create=plan.idempotent_create,
            key_lifetime=plan.key_lifetime,
            not_found="definite" if plan.not_found_definite else "ambiguous",
            not_found_grace=plan.not_found_grace,
            recheck={
                "first": plan.recheck.first,
                "factor": plan.recheck.factor,
                "max": plan.recheck.longest,
                "attempts": plan.recheck_attempts,
            },
        )
    )
    calls = timedelta(seconds=taking)
    repeats, _, state = came_to(plan, task_id=f"task-{number}", calls=calls)

    if "The create is repeated with" in told and "first, if a check" not in told:
        assert repeats
    if "is never repeated" in told or "No repeat is the question" in told:
        assert not repeats
    if "proves that it did not pay" in told and "if a check comes" not in told:
        assert state is State.NEGATIVE_EVAL
    if "Not found proves nothing" in told or "status cannot be asked" in told:
        assert state is State.MANUAL_CHECK
