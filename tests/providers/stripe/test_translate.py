"""What Stripe's answers mean: only what it has executed and refused is a no."""

import pytest

from fsm.domain.money import Money
from handlers.ports.provider import (
    Accepted,
    Cancelled,
    Declined,
    NotSent,
    Returned,
    Succeeded,
    TooLate,
    Unclear,
)
from providers.http.outbound import Lost
from providers.http.outbound import RequestNotSent as NotMade
from providers.stripe.translate import (
    DEFINITE,
    cancel_answer,
    create_answer,
    status_answer,
)
from tests.providers.stripe.recorded import (
    PAYOUT,
    a_payout,
    an_error,
    an_intent,
    answered,
    asked,
    context,
)

FAILED = {"status": "failed", "failure_code": "account_closed"}
REFUSED = {"code": "card_declined", "decline_code": "lost_card", "message": "No."}


def created(answer, about):
    return create_answer(answer, about)


@pytest.mark.parametrize("read", [create_answer, status_answer])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (a_payout(status="pending"), Accepted),
        (a_payout(status="in_transit"), Accepted),
        (a_payout(status="paid"), Succeeded),
        (a_payout(**FAILED), Declined),
        (a_payout(status="canceled"), Declined),
        (a_payout(status="reversed"), Unclear),
        (a_payout(status="paid", reversed_by="po_2"), Returned),
        (a_payout(status=None), Unclear),
        (a_payout(object="transfer"), Unclear),
        (a_payout(amount="1100"), Unclear),
        (a_payout(currency="euros"), Unclear),
        (a_payout(metadata={"reference": "another"}), Unclear),
        (a_payout(status="paid", livemode=True), Unclear),
        (a_payout(**FAILED, amount=1200), Unclear),
        ({"deleted": True}, Unclear),
        (b"<html>", Unclear),
    ],
)
def test_a_payout_is_what_its_status_says(read, body, kind):
    # What was asked for just now cannot have come back.
    expected = Unclear if (kind, read) == (Returned, create_answer) else kind
    assert type(read(answered(200, body), context())) is expected


@pytest.mark.parametrize("read", [create_answer, status_answer])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (an_intent(status="processing"), Accepted),
        (an_intent(status="requires_action"), Accepted),
        (an_intent(status="requires_confirmation"), Accepted),
        (an_intent(status="requires_capture"), Accepted),
        (an_intent(status="succeeded", amount_received=1100), Succeeded),
        (an_intent(status="canceled"), Declined),
        (
            an_intent(status="requires_payment_method", last_payment_error=REFUSED),
            Declined,
        ),
        (an_intent(status="requires_payment_method"), Unclear),
        (a_payout(status="paid"), Unclear),
    ],
)
def test_a_payment_intent_is_what_its_status_says(read, body, kind):
    assert type(read(answered(200, body), context("payment_intent"))) is kind


def test_a_yes_says_how_much():
    said = created(answered(200, a_payout(status="paid")), context())

    assert (said.reference, said.amount, said.currency) == (PAYOUT["id"], 1100, "USD")


def test_of_a_payment_counts_what_came_in():
    body = an_intent(status="succeeded", amount_received=900)

    said = created(answered(200, body), context("payment_intent"))

    assert said.amount == 900


def test_crowns_come_back_in_crowns():
    body = a_payout(status="paid", currency="isk", amount=500)
    payout = asked(money=Money(5, "ISK"))

    said = created(answered(200, body), context(payout=payout))

    assert (said.amount, said.currency) == (5, "ISK")


def test_a_no_says_why():
    said = created(answered(200, a_payout(**FAILED)), context())

    assert said.code == "account_closed"


# Errors.


@pytest.mark.parametrize("code", sorted(DEFINITE))
@pytest.mark.parametrize("status", [400, 402])
def test_what_was_executed_and_refused_is_a_definite_no(status, code):
    body = an_error("invalid_request_error", code)

    assert created(answered(status, body), context()).code == code


def test_what_was_valid_and_failed_is_a_definite_no_by_any_name():
    body = an_error("invalid_request_error", "a_new_code")

    assert created(answered(402, body), context()).code == "a_new_code"


def test_a_refused_card_is_a_definite_no():
    intent = an_intent(status="requires_payment_method")
    body = an_error("card_error", "card_declined", payment_intent=intent)

    said = created(answered(402, body), context("payment_intent"))

    assert said.code == "card_declined"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (409, an_error("invalid_request_error", "idempotency_key_in_use")),
        (400, an_error("idempotency_error", "idempotency_key_in_use")),
        (400, an_error("idempotency_error")),
        (409, an_error("invalid_request_error", "balance_insufficient")),
        (429, an_error("invalid_request_error", "lock_timeout")),
        (400, an_error("invalid_request_error", "lock_timeout")),
        (424, an_error("invalid_request_error", "balance_insufficient")),
        (400, an_error("api_error", "balance_insufficient")),
        (400, an_error("a_new_kind", "balance_insufficient")),
        (500, an_error("api_error")),
        (503, an_error("invalid_request_error", "balance_insufficient")),
        (402, {"error": "balance_insufficient"}),
        (402, b"payment required"),
        (401, b"who are you?"),
        (403, b"a proxy of somebody else's"),
        (429, b"slow down"),
        (404, b"<html>"),
        (302, b""),
        (
            402,
            an_error("card_error", payment_intent=an_intent(status="succeeded")),
        ),
        (
            402,
            an_error("card_error", payment_intent=an_intent(status="processing")),
        ),
    ],
)
def test_what_may_have_been_paid_is_never_a_no(status, body):
    for makes in ("payout", "payment_intent"):
        assert type(created(answered(status, body), context(makes))) is Unclear


def test_a_key_that_another_request_had_is_told_as_such():
    body = an_error("idempotency_error")

    said = created(answered(400, body), context())

    assert said.because.startswith("another request had its key")
    assert said.evidence == {"http_status": 400, "type": "idempotency_error"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, an_error("invalid_request_error")),
        (401, an_error("authentication_error")),
        (403, an_error("invalid_request_error")),
        (429, an_error("invalid_request_error", "rate_limit")),
        (429, an_error("rate_limit_error")),
        (400, an_error("invalid_request_error", "parameter_invalid_integer")),
        (400, an_error("invalid_request_error")),
        (404, an_error("invalid_request_error", "resource_missing")),
    ],
)
def test_what_was_never_executed_did_nothing(status, body):
    assert type(created(answered(status, body), context())) is NotSent


def test_where_codes_are_listed_only_they_are_a_no():
    listed = context(rejection_codes={"balance_insufficient"})
    no = an_error("invalid_request_error", "balance_insufficient")
    other = an_error("card_error", "card_declined")
    key = an_error("invalid_request_error", "idempotency_key_in_use")

    assert type(created(answered(402, no), listed)) is Declined
    assert type(created(answered(402, other), listed)) is Unclear
    mistaken = context(rejection_codes={"idempotency_key_in_use"})
    assert type(created(answered(400, key), mistaken)) is Unclear


def test_no_answer_says_whether_it_may_have_left():
    assert created(Lost("cut off"), context()) == Unclear(because="cut off")
    assert created(NotMade("no way"), context()) == NotSent(because="no way")


def test_no_text_shows_where_the_money_was_to_go():
    token = PAYOUT["destination"]
    told = {"message": f"No such external account: '{token}'"}
    missing = an_error("invalid_request_error", "resource_missing", **told)
    refused = an_error("invalid_request_error", "bank_account_unusable", **told)
    hiding = context(payout=asked(token=f"acct_9/{token}"))

    assert token not in created(answered(404, missing), hiding).because
    assert token not in created(answered(400, refused), hiding).message


def test_the_trail_keeps_what_support_will_ask_for():
    headers = {"request_id": "req_1", "idempotent_replayed": "true"}

    said = created(answered(200, a_payout(), **headers), context())

    assert said.evidence == {
        "http_status": 200,
        "request_id": "req_1",
        "replayed": "true",
        "status": "pending",
        "provider_reference": PAYOUT["id"],
    }


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, an_error("invalid_request_error", "resource_missing"), Unclear),
        (400, an_error("invalid_request_error", "balance_insufficient"), Unclear),
        (402, an_error("card_error", "card_declined"), Unclear),
        (500, an_error("api_error"), Unclear),
        (201, a_payout(status="paid"), Unclear),
        (401, an_error("invalid_request_error"), NotSent),
        (429, an_error("rate_limit_error"), NotSent),
    ],
)
def test_an_error_of_a_question_is_no_answer(status, body, kind):
    assert type(status_answer(answered(status, body), context())) is kind


def test_another_payout_than_the_one_that_was_asked_about_proves_nothing():
    asking = context(payout=asked(provider_reference="po_other"))

    assert (
        type(status_answer(answered(200, a_payout(status="paid")), asking)) is Unclear
    )


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, a_payout(status="canceled"), Cancelled),
        (200, a_payout(status="canceled", metadata={"reference": "another"}), Unclear),
        (200, a_payout(status="failed"), Unclear),
        (200, a_payout(status="paid"), Unclear),
        (200, a_payout(status="pending"), Unclear),
        (200, b"", Unclear),
        (400, an_error("invalid_request_error"), TooLate),
        (400, an_error("invalid_request_error", "lock_timeout"), Unclear),
        (400, b"", Unclear),
        (401, an_error("invalid_request_error"), NotSent),
        (404, an_error("invalid_request_error", "resource_missing"), Unclear),
        (429, an_error("rate_limit_error"), NotSent),
        (500, an_error("api_error"), Unclear),
    ],
)
def test_only_what_is_said_to_be_canceled_is(status, body, kind):
    assert type(cancel_answer(answered(status, body), context())) is kind
