"""What a request to link or unlink a card is read as, and why one is refused."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.domain.errors import InvalidRequest
from fsm.engine.words import Kind
from payment_service.wire.partner import (
    EXAMPLE,
    UNLINK_EXAMPLE,
    read_link,
    read_unlink,
)
from payment_service.wire.views import masked_body

KNOWN = ("northbank", "southbank")
CARD = "4111111111111111"
TOKEN = "tok_never_told"
GONE = object()
ASKED = {
    Kind.PARTNER_LINK: (read_link, EXAMPLE),
    Kind.PARTNER_UNLINK: (read_unlink, UNLINK_EXAMPLE),
}
both = pytest.mark.parametrize("kind", ASKED)


def a_body(kind, **changes):
    _, example = ASKED[kind]
    card = {**example["card"], "token": TOKEN}
    body = {**example, "card": card, **changes}
    return {name: value for name, value in body.items() if value is not GONE}


def a_card(**changes):
    card = {**EXAMPLE["card"], "token": TOKEN, **changes}
    return {name: value for name, value in card.items() if value is not GONE}


def read(kind=Kind.PARTNER_LINK, **changes):
    reader, _ = ASKED[kind]
    return reader(orjson.dumps(a_body(kind, **changes)), KNOWN)


def refusal(kind=Kind.PARTNER_LINK, **changes):
    with pytest.raises(InvalidRequest) as refused:
        read(kind, **changes)
    return refused.value


def test_the_contracts_example_of_a_link_is_read_whole():
    request = read()

    assert (request.kind, request.money) == (Kind.PARTNER_LINK, None)
    assert (request.destination, request.cascade) == ({}, ())
    assert request.details == {
        "partner": "northbank",
        "card": {"token": TOKEN, "bin": "451401", "country": "CA"},
    }
    assert request.metadata == {"channel": "web"}


def test_the_contracts_example_of_an_unlinking_is_read_whole():
    request = read(Kind.PARTNER_UNLINK)

    assert (request.kind, request.money) == (Kind.PARTNER_UNLINK, None)
    assert request.details == {"partner": "northbank", "card": {"token": TOKEN}}
    assert request.reason == "the customer has removed the card"


@both
@pytest.mark.parametrize("field", ["order_id", "merchant_id", "customer_id"])
@pytest.mark.parametrize(
    "bad",
    ["", "x" * 129, " a", "a\nb", "a\x7fb", "a\u2028b", 1, 1.0, None, ["a"], GONE],
)
def test_an_id_is_plain_text_of_bounded_length(kind, field, bad):
    refused = refusal(kind, **{field: bad})

    assert refused.problem.startswith(f"{field}: ")
    assert (refused.order_id is None) == (field == "order_id")


@both
@pytest.mark.parametrize("field", ["order_id", "merchant_id", "customer_id", "partner"])
def test_an_id_that_holds_a_card_number_is_refused_and_not_told(kind, field):
    refused = refusal(kind, **{field: f"x{CARD}"})

    assert f"{field}: looks like a card number" in refused.problem
    assert CARD not in f"{refused} {refused.order_id}"


@both
@pytest.mark.parametrize(
    ("partner", "told"),
    [
        ("nobody", "partner: is not a configured partner; choose of northbank, south"),
        ("Northbank", "partner: is not a configured partner"),
        ("", "partner: must be the name of a configured partner"),
        (7, "partner: must be the name of a configured partner"),
        (None, "partner: must be the name of a configured partner"),
        (["northbank"], "partner: must be the name of a configured partner"),
        (GONE, "partner: is missing; it must be the name of a configured partner"),
    ],
)
def test_a_partner_is_one_that_is_configured(kind, partner, told):
    assert refusal(kind, partner=partner).problem.startswith(told)


@both
def test_where_nobody_is_configured_it_is_said(kind):
    reader, example = ASKED[kind]

    with pytest.raises(InvalidRequest, match="partner; none is configured"):
        reader(orjson.dumps(example), ())


@both
@pytest.mark.parametrize("card", [None, "tok", [], 1, True, GONE])
def test_a_card_is_an_object(kind, card):
    assert refusal(kind, card=card).problem.startswith("card: ")


@both
@pytest.mark.parametrize(
    "token", [CARD, "4111 1111 1111 1111", "4111-1111-1111-1111", f"tok{CARD}"]
)
def test_a_card_number_is_no_token_and_is_not_told(kind, token):
    refused = refusal(kind, card=a_card(token=token))

    assert "card.token: looks like a card number; send a token" in refused.problem
    assert token not in str(refused)


@both
@pytest.mark.parametrize("token", ["", "x" * 513, " x", "a\x01b", 1, 1.5, None, GONE])
def test_a_token_is_bounded_text(kind, token):
    assert refusal(kind, card=a_card(token=token)).problem.startswith("card.token: ")


@pytest.mark.parametrize(
    "digits",
    [
        *("", "45140", "451401999", CARD, "45140x", " 451401", "\uff14\uff15" * 3),
        *(451401, 451401.0, True, None, ["451401"], GONE),
    ],
)
def test_a_bin_is_six_to_eight_digits(digits):
    refused = refusal(card=a_card(bin=digits))

    assert "card.bin: " in refused.problem
    assert "6 to 8 digits" in refused.problem
    assert CARD not in refused.problem


@pytest.mark.parametrize("digits", ["451401", "4514012", "45140123"])
def test_a_bin_of_any_of_its_lengths_is_read(digits):
    assert read(card=a_card(bin=digits)).details["card"]["bin"] == digits


@pytest.mark.parametrize(
    "country", ["ca", "CAN", "XX", "UK", "C", "", "C A", 124, None, ["CA"], GONE]
)
def test_a_country_is_one_of_iso_3166(country):
    assert "card.country: " in refusal(card=a_card(country=country)).problem


@pytest.mark.parametrize("country", ["CA", "GB", "LV", "AX", "ZW"])
def test_a_country_that_there_is_is_read(country):
    assert read(card=a_card(country=country)).details["card"]["country"] == country


@pytest.mark.parametrize("reason", ["", " ", "x" * 2001, "\x1b[2J", 5, None, [], GONE])
def test_an_unlinking_has_a_reason(reason):
    refused = refusal(Kind.PARTNER_UNLINK, reason=reason)

    assert refused.problem.startswith("reason: ")


def test_a_reason_holds_no_card_number():
    refused = refusal(Kind.PARTNER_UNLINK, reason=f"of {CARD}")

    assert "reason: looks like a card number" in refused.problem
    assert CARD not in refused.problem


@both
@pytest.mark.parametrize("metadata", [None, [], "x", 1])
def test_metadata_is_an_object(kind, metadata):
    assert refusal(kind, metadata=metadata).problem.startswith("metadata: ")


@both
def test_metadata_holds_no_card_number(kind):
    refused = refusal(kind, metadata={"note": {"of": [CARD]}})

    assert (
        refused.problem == "metadata.note.of[0]: looks like a card number; send a "
        "token or an id of yours"
    )


@both
def test_every_problem_is_told_at_once_in_one_line_without_the_token(kind):
    refused = refusal(
        kind,
        merchant_id=GONE,
        metadata=[TOKEN],
        partner=TOKEN,
        card={"token": 7, "bin": TOKEN, "country": TOKEN},
    )

    for path in ("merchant_id", "metadata", "partner", "card.token"):
        assert f"{path}: " in refused.problem
    assert TOKEN not in refused.problem
    assert "\n" not in refused.problem
    assert refused.order_id == ASKED[kind][1]["order_id"]


def hurt(kind, more):
    reader, example = ASKED[kind]
    with pytest.raises(InvalidRequest) as refused:
        reader(orjson.dumps(example)[:-1] + more + b"}", KNOWN)
    return refused.value.problem


@both
@pytest.mark.parametrize(
    "more",
    [
        b', "partner": "southbank"',
        b', "x": NaN',
        b', "x": "\\ud800"',
        b', "x": "\\u0000"',
        b', "x": ' + b"[" * 40 + b"]" * 40,
        b', "metadata": {"x": ' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}",
        b', "x": ' + b"9" * 5000,
        b",",
    ],
)
def test_what_is_no_strict_json_is_refused(kind, more):
    assert hurt(kind, more)


@both
@pytest.mark.parametrize("data", [b"", b"[]", b"1", b'"x"', b"null", b"[" * 200_000])
def test_a_body_is_an_object(kind, data):
    with pytest.raises(InvalidRequest):
        ASKED[kind][0](data, KNOWN)


@both
def test_the_content_knows_neither_order_nor_unknown_fields(kind):
    body = dict(reversed(a_body(kind).items())) | {"unknown": 1}
    body["card"] = {**dict(reversed(body["card"].items())), "new": 2}

    assert read(kind, **body).content == read(kind).content


@pytest.mark.parametrize(
    "changes",
    [
        {"order_id": "l-2"},
        {"merchant_id": "m-2"},
        {"customer_id": "c-2"},
        {"partner": "southbank"},
        {"card": a_card(token="tok_other")},
        {"card": a_card(bin="451402")},
        {"card": a_card(country="US")},
        {"metadata": {}},
    ],
)
def test_the_content_of_a_link_knows_every_known_field(changes):
    assert read(**changes).content != read().content


def test_who_asks_again_to_unlink_for_another_reason_asks_for_the_same():
    one, two = (read(Kind.PARTNER_UNLINK, reason=why) for why in ("lost", "stolen"))

    assert one.content == two.content
    assert one.reason != two.reason


@both
def test_a_dead_letter_of_one_shows_no_token(kind):
    shown = str(masked_body(orjson.dumps(a_body(kind))))

    assert TOKEN not in shown
    assert "northbank" in shown


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10).filter(
        lambda t: not any("\ud800" <= c <= "\udfff" for c in t)
    )
    | st.sampled_from(["northbank", "CA", "451401", CARD]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["token", "bin", "country", "x"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@both
@given(st.dictionaries(st.sampled_from(sorted(UNLINK_EXAMPLE)), VALUES, max_size=4))
def test_a_mutated_request_is_read_or_refused(kind, changes):
    try:
        told = read(kind, **changes).order_id
    except InvalidRequest as refused:
        told = refused.problem
    assert "\n" not in told
    assert TOKEN not in told


@both
@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(kind, data):
    with pytest.raises(InvalidRequest):
        ASKED[kind][0](data, KNOWN)
