"""What customers are told: every code in every language, whatever a header asks for."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.domain.masking import KNOWN
from fsm.engine.customer import CustomerMessage, without_text
from fsm.engine.records import replace
from fsm.flows import CHECKOUT
from fsm.service.customer import (
    ACTIONS,
    AWAY,
    REFUSED,
    SAID,
    TEXT_MAX,
    Action,
    CustomerCode,
    code_for,
    refusal,
)
from handlers.checkout.load import PLAN
from payment_service.wire.customer import (
    LANGUAGES,
    RANGES_MAX,
    catalogue,
    preferred,
    shown,
)
from payment_service.wire.views import order_view
from tests.api.fakes import an_order

NAMES = (*(step.name for step in CHECKOUT.steps), *(fetch.name for fetch in PLAN))
NO_STEP = {CustomerCode.ORDER_CANCELLED}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_a_sentence_in_every_language_and_no_other_has(language):
    assert list(catalogue(language)) == [code.value for code in CustomerCode]
    assert all(text.endswith(".") for text in catalogue(language).values())


def test_no_two_languages_say_the_same():
    texts = [text for each in LANGUAGES for text in catalogue(each).values()]
    assert len(texts) == len(set(texts))


def test_every_code_and_every_action_can_be_come_to():
    codes = {None, "refused", "anything", *AWAY, *SAID}
    reached = {code_for(n, c) for n, c in product((*NAMES, "another"), codes)}
    assert reached | NO_STEP == set(CustomerCode)
    assert set(ACTIONS) == set(CustomerCode)
    assert set(ACTIONS.values()) == set(Action)


def test_every_step_and_all_that_is_loaded_has_a_code_of_its_no():
    assert set(REFUSED) == set(NAMES)


@pytest.mark.parametrize(
    ("name", "code", "action"),
    [
        ("items", "items_unavailable", "remove_item"),
        ("merchant_profile", "merchant_unavailable", "another_merchant"),
        ("customer", "order_not_accepted", "contact_support"),
        ("availability", "delivery_unavailable", "change_delivery"),
        ("payment_method", "payment_method_unusable", "another_payment_method"),
        ("fraud", "order_not_accepted", "contact_support"),
        ("payment", "payment_declined", "another_payment_method"),
        ("delivery", "delivery_unavailable", "change_delivery"),
        ("merchant", "merchant_declined", "another_merchant"),
        ("another", "order_failed", "try_later"),
    ],
)
def test_a_no_has_its_code_and_what_can_be_done_about_it(name, code, action):
    view = seen(refusal(name, "nope", None))
    assert (view["code"], view["action"]) == (code, action)


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("insufficient_funds", "another_payment_method"),
        ("card_expired", "another_payment_method"),
        ("out_of_stock", "remove_item"),
        ("temporarily_unavailable", "try_later"),
        ("order_cancelled", "order_again"),
    ],
)
def test_a_code_of_no_step_says_what_can_be_done_as_well(code, action):
    assert seen(CustomerMessage(code))["action"] == action


def test_who_was_away_is_not_told():
    for name in NAMES:
        assert code_for(name, "no_answer") == CustomerCode.TEMPORARILY_UNAVAILABLE


def seen(message, language="en"):
    view = shown(message, language)
    assert view is not None
    return view


def test_a_services_own_words_are_the_text_masked_and_of_bounded_length():
    told = refusal("payment", "nope", "Card 4111 1111 1111 1111 is\nover. " + "x" * 999)
    view = seen(told, "de")
    assert view["code"] == "payment_declined"
    assert view["action"] == "another_payment_method"
    assert len(view["text"]) == TEXT_MAX
    assert "4111" not in view["text"]
    assert "\n" not in view["text"]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "Sorry, <a href='//evil'>click</a>",
        "<!doctype html><title>502 Bad Gateway",
        "</b>",
        '{"error": "relation items does not exist"}',
        " [1, 2]",
        'Oh: Traceback (most recent call last): File "x.py"',
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_no_sentence_for_a_customer_is_told_to_none(text, language):
    view = seen(refusal("items", "nope", text), language)
    assert view["text"] == catalogue(language)["items_unavailable"]


@pytest.mark.parametrize(
    "text", ["5 < 6, sorry.", "I <3 you.", "Only [2] are left.", "No {} today."]
)
def test_a_sentence_may_have_signs(text):
    assert seen(refusal("items", "nope", text))["text"] == text


@pytest.mark.parametrize(
    "sign", ["\0", "\x1b", "\r", "\u202e", "\u2066", "\u200b", "\ufeff"]
)
def test_no_sign_that_is_not_seen_is_shown(sign):
    view = seen(refusal("items", "nope", f"a{sign}b" * 5_000))
    assert view["text"].isprintable()
    assert view["text"].startswith("a ba b")
    assert len(view["text"]) <= TEXT_MAX


def test_no_secret_of_ours_is_shown():
    KNOWN.learn(["hunter2-hunter2"])
    try:
        told = refusal("items", "nope", "No: password=abc123, hunter2-hunter2.")
    finally:
        KNOWN.forget()
    view = seen(told)
    assert "abc123" not in view["text"]
    assert "hunter2" not in view["text"]


@pytest.mark.parametrize("text", [None, "", "  \n "])
def test_without_words_of_its_own_the_catalogues_are_shown(text):
    view = seen(refusal("payment", "nope", text), "de")
    assert view["text"] == catalogue("de")["payment_declined"]


def test_more_words_than_are_shown_are_cut_whoever_has_kept_them():
    view = seen(CustomerMessage("order_failed", "y" * (TEXT_MAX + 1)))
    assert view["text"] == "y" * TEXT_MAX


def test_who_asks_for_no_language_is_told_in_the_first():
    view = shown(CustomerMessage("order_failed"))
    assert view is not None
    assert view["text"] == catalogue(LANGUAGES[0])["order_failed"]


def test_a_code_of_another_version_is_any_failure():
    assert seen(CustomerMessage("of_tomorrow"))["code"] == "order_failed"
    assert shown(None) is None


@pytest.mark.parametrize(
    "column", [None, "", "null", "7", "[]", "{", '{"code": 7}', '{"text": "x"}']
)
def test_what_cannot_be_read_is_no_message(column):
    assert CustomerMessage.read(column) is None
    assert without_text(column) is None


def test_a_message_is_read_as_it_was_written():
    for message in (CustomerMessage("a"), CustomerMessage("a", "Bé")):
        assert CustomerMessage.read(message.written) == message
    assert without_text(CustomerMessage("a", "Ann").written) == '{"code":"a"}'


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("fr, de;q=0.3", "de"),
        ("en;q=0.2, de;q=0.3", "de"),
        ("en;q=0.3, de;q=0.30", "en"),
        ("de, en", "de"),
        ("en;q=1, de", "en"),
        ("en, de", "en"),
        ("*", "en"),
        ("de, *;q=0.5", "de"),
        ("*;q=0.5, en;q=0.1", "de"),
        ("en;q=0, *", "de"),
        ("de;q=0", "en"),
        ("en;q=0, de;q=0", "en"),
        ("fr", "en"),
        ("de;q=2, en;q=0.5", "en"),
        ("de;q=-1", "en"),
        ("de;q=nan", "en"),
        ("de ; q = 0.9 , en;q=0.8", "de"),
        (";;;,,, de;;q=1", "en"),
        ("de;q=\u0661", "en"),
        (", ".join(["xx"] * (RANGES_MAX - 1)) + ", de", "de"),
        (", ".join(["xx"] * RANGES_MAX) + ", de", "en"),
        (", ".join(["xx"] * 10_000) + ", de", "en"),
    ],
)
def test_the_language_is_the_one_that_is_liked_best(accepted, language):
    assert preferred(accepted) == language


@given(st.text())
def test_no_header_is_too_odd(accepted):
    assert preferred(accepted) in LANGUAGES


def test_an_order_shows_it_without_what_must_not_be_seen():
    order = an_order()
    told = CustomerMessage("payment_declined", "Card 4111111111111111, sorry.")
    order = order.with_queue(replace(order.queue, customer_message=told.written))
    view = order_view(order)["customer_message"]
    assert view is not None
    assert set(view) == {"code", "text", "action"}
    assert "4111111111111111" not in view["text"]
