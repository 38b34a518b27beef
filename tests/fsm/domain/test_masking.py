import base64
from datetime import UTC, datetime
from urllib.parse import quote
from uuid import uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.domain.masking import (
    KNOWN,
    MASK,
    is_secret_name,
    masked,
    masked_prose,
    masked_text,
    shortened_number,
)

CARD = "4111111111111111"
CANARY = "hunter2-canary"
ENCODED = base64.b64encode(CANARY.encode()).decode()


@pytest.fixture
def known():
    KNOWN.learn([CANARY, "p@ss/word 1", "abc"])
    yield KNOWN
    KNOWN.forget()


@pytest.mark.parametrize(
    "name",
    [
        *("password", "PASSWORD", "db_password", "secret", "client-secret", "apiKey"),
        *("X-Api-Key", "API_KEY", "authorization", "Proxy-Authorization", "token"),
        *("cardToken", "access_token", "Stripe-Signature", "X-Hub-Signature-256"),
        *("Set-Cookie", "cookie", "private_key", "cvv", "CVC2", "pan", "pin"),
        *("card_number", "passphrase", "\uff50\uff41\uff53\uff53word", "tokens"),
    ],
)
def test_a_secret_is_known_by_its_name(name):
    assert is_secret_name(name)
    assert masked({name: CANARY}) == {name: MASK}
    assert masked({name: {"deep": [CANARY]}}) == {name: MASK}
    assert masked([{"in": {name: 1234}}]) == [{"in": {name: MASK}}]


@pytest.mark.parametrize(
    "name",
    [
        *("order_id", "Idempotency-Key", "key", "keys", "author", "company", "span"),
        *("trace_id", "pinned", "reason", "provider_reference", "japan", "passed"),
    ],
)
def test_other_names_are_not_secret(name):
    assert masked({name: "plain"}) == {name: "plain"}


@pytest.mark.parametrize(
    "text",
    [
        *(f"password={CANARY}", f"password: {CANARY}", f'"secret" : "{CANARY}"'),
        *(f"Authorization: Bearer {CANARY}", f"Cookie: a=1; session={CANARY}"),
        *(f"X-Api-Key: {CANARY}\r\nHost: a", f"GET /?token={CANARY}&a=1"),
        *(f'{{"token": "{CANARY}"', f'said {{\\"token\\": \\"{CANARY}\\"}}'),
        *(f"('authorization', '{CANARY}')", f"{{'apiKey': '{CANARY}'}}"),
        *(f"postgresql://user:{CANARY}@host/db", f"nats://{CANARY}@host:4222"),
        *(
            f"sent Bearer {CANARY}",
            f"Basic {base64.b64encode(CANARY.encode()).decode()}",
        ),
        *(
            f"[parameters: ('{CANARY}',)]",
            f"DETAIL:  Failing row contains (1, {CANARY}).",
        ),
        *(f"eyJhbGciOiJI.{CANARY}.x", f"whsec_{CANARY}", f"sk_live_{CANARY}"),
        f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----",
        orjson.dumps({"a": orjson.dumps({"b": {"token": CANARY}}).decode()}).decode(),
    ],
)
def test_a_secret_is_seen_inside_a_text(text):
    shown = masked_text(text)

    assert CANARY not in shown
    assert ENCODED not in shown


@pytest.mark.parametrize(
    "text",
    [
        "destination.token: looks like a card number; send a token",
        "destination.token: must be a string of 1 to 512 characters",
        "PAYMENT_CORE_TOKEN is missing: set it to core's bearer token",
        "set it to postgresql://user:password@host:5432/database",
        "the webhook's signature is wrong; secrets: must have at least one",
        "order.task.webhook.received",
        "100% of 12 orders & 3 cases",
        '{"a": 1,  "b": [true, null]}',
    ],
)
def test_our_own_words_stay(text):
    assert masked_text(text) == text


@pytest.mark.attack(
    "role", "A card number inside a text is hidden, however it is written"
)
@pytest.mark.parametrize(
    "text",
    [
        *(
            f"paid by {CARD}",
            f'{{"note": "{CARD}"}}',
            f"a%20{CARD}",
            quote("4111 ") + CARD,
        ),
        *("4111%201111%201111%201111", "4111&nbsp;1111&#32;1111&nbsp;1111"),
        *("\\u0034\\u0031" + CARD[2:], base64.b64encode(CARD.encode()).decode()),
        *(CARD.translate({ord("1"): "%31"}), "4111%252d1111%252d1111%252d1111"),
    ],
)
def test_a_card_number_is_seen_inside_a_text_however_it_is_written(text):
    shown = masked_text(text)

    assert MASK in shown
    assert not {CARD, "411111", text} & {shown}


def test_ids_times_and_amounts_stay():
    order = {
        "task_id": str(uuid4()),
        "at": datetime(2026, 1, 31, tzinfo=UTC),
        "amount": int(CARD),
        "seq": 7,
        "share": 0.5,
        "done": True,
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }
    assert masked(order) == order


def test_numbers_and_names_may_be_cards_too():
    told = {"n": int(CARD), "f": float(CARD), CARD: 1, f"{CARD[:4]} {CARD[4:]}": 2}

    assert masked(told) == {"n": MASK, "f": MASK, MASK: 1, f"{MASK} 2": 2}


def test_a_delivery_shows_nothing_of_where_it_goes():
    told = {"delivery": {"name": "Ann", "to": {"street": "x"}, "gift": True, "x": None}}
    hidden = {"name": MASK, "to": MASK, "gift": MASK, "x": None}

    assert masked(told) == {"delivery": hidden}
    assert masked({"delivery": [{"name": "Ann"}]}) == {"delivery": [{"name": MASK}]}
    assert masked({"delivery": "today"}) == {"delivery": "today"}


def test_a_destination_shows_its_type_alone():
    told = {"destination": {"type": "iban", "iban": "DE02", "odd": {"a": 1}}}

    assert masked(told) == {"destination": {"type": "iban", "iban": MASK, "odd": MASK}}
    assert masked({"destination": "tok_1"}) == {"destination": MASK}


@pytest.mark.attack("role", "A secret of the process is hidden wherever it stands")
@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    "text",
    [
        *(
            f"x{CANARY}y",
            f"a {CANARY}",
            quote(CANARY),
            "p@ss/word 1",
            "p%40ss%2Fword%201",
        ),
        base64.b64encode(f"user:{CANARY}".encode()).decode(),
        f"{'x' * 300}{CANARY}",
    ],
)
def test_a_secret_of_this_process_is_hidden_wherever_it_stands(text):
    shown = masked({"note": [text], text: 1, "what": ValueError(text)})

    assert CANARY not in str(shown)
    assert text not in str(shown)


@pytest.mark.usefixtures("known")
def test_a_secret_too_short_to_hide_spoils_no_sentence():
    assert masked_text("abcdef") == "abcdef"


def test_what_a_stranger_wrote_shows_no_account_either():
    told = "account 123456789012 of tok_1, paid 2026-01-31 12:00:00"

    assert masked_prose(told, {"type": "iban", "token": "tok_1"}) == (
        "account *** of ***, paid 2026-01-31 12:00:00"
    )


def test_a_reference_can_still_be_found_at_the_provider():
    assert shortened_number(CARD) == "411111***1111"
    assert shortened_number("po_3355") == "po_3355"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_masking_twice_is_masking_once(tree):
    once = masked(tree)

    assert repr(masked(once)) == repr(once)


@given(st.text())
def test_any_text_can_be_masked(text):
    masked_text(text)
    masked_prose(text)


TOKEN = "tok_8f2a-1c3d-77aa"


@pytest.mark.parametrize("left", range(6, len(TOKEN) + 1))
def test_a_secret_that_a_text_was_cut_within_is_hidden(left):
    told = masked_prose(f"no card for {TOKEN[:left]}", {"token": TOKEN})
    assert told == f"no card for {MASK}"


def test_what_only_begins_as_a_secret_does_stands():
    for told in ("tok_8f2b", f"{TOKEN[:7]} is not it", "tok_8"):
        assert masked_prose(told, {"token": TOKEN}) == told
