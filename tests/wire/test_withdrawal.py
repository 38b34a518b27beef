import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.domain.errors import InvalidRequest
from fsm.domain.money import Money
from fsm.domain.orders import CascadeEntry
from payment_service.wire.withdrawal import EXAMPLE, read_withdrawal

KNOWN = ("acme", "zeta")
CARD = "4111111111111111"
TOKEN = "tok_never_told"
GONE = object()


def a_body(**changes):
    body = {**EXAMPLE, "destination": {"type": "card", "token": TOKEN}, **changes}
    return {name: value for name, value in body.items() if value is not GONE}


def read(**changes):
    return read_withdrawal(orjson.dumps(a_body(**changes)), KNOWN)


def refusal(**changes):
    with pytest.raises(InvalidRequest) as refused:
        read(**changes)
    return refused.value


def test_the_contracts_example_is_read_whole():
    request = read()
    assert request.money == Money(12550, "EUR")
    assert request.cascade == (
        CascadeEntry(provider="acme", terminal_id="t-1", sla="15m"),
        CascadeEntry(provider="zeta", terminal_id="t-7"),
    )
    assert request.metadata == {"channel": "web"}


@pytest.mark.parametrize(
    "amount", [True, 1.0, 125.5, "12550", 0, -1, 2**53, 2**63, None, [], {}, GONE]
)
def test_an_amount_is_an_integer_in_bounds(amount):
    assert refusal(amount=amount).problem.startswith("amount: ")


@pytest.mark.parametrize("amount", [1, 2**53 - 1])
def test_the_smallest_and_largest_amounts_are_read(amount):
    assert read(amount=amount).money.amount == amount


@pytest.mark.parametrize("currency", ["eur", "XXX", "EURO", "", 978, None, GONE])
def test_a_currency_is_a_known_one(currency):
    assert refusal(currency=currency).problem.startswith("currency: ")


@pytest.mark.parametrize("field", ["order_id", "merchant_id", "customer_id"])
@pytest.mark.parametrize(
    "bad",
    [
        *[
            "",
            "x" * 129,
            " a",
            "a\t",
            "a\nb",
            "a\x7fb",
            "a\x85b",
            "a\u2028b",
            "\u00a0a",
        ],
        *[1, None, ["a"], GONE],
    ],
)
def test_an_id_is_plain_text_of_bounded_length(field, bad):
    refused = refusal(**{field: bad})
    assert refused.problem.startswith(f"{field}: ")
    assert (refused.order_id is None) == (field == "order_id")


@pytest.mark.parametrize("good", ["x", "x" * 128, "a b", "a/b", "заказ-1", "4" * 20])
def test_an_odd_id_is_fine(good):
    assert read(order_id=good).order_id == good


@pytest.mark.parametrize(
    ("cascade", "path"),
    [
        ([], "cascade: "),
        ("acme", "cascade: "),
        ([{"provider": "acme", "terminal_id": str(n)} for n in range(65)], "cascade: "),
        (["acme"], "cascade[0]: must be an object"),
        ([{}], "cascade[0].provider: is missing"),
        ([{"provider": "nobody"}], "cascade[0].provider: is not a configured provider"),
        ([{"provider": "acme"}] * 2, "cascade[1]: the same provider and terminal_id"),
        ([{"provider": "acme", "sla": "15"}], "cascade[0].sla: must be a duration"),
        ([{"provider": "acme", "sla": "999d"}], "cascade[0].sla: must be a duration"),
        ([{"provider": "acme", "sla": 15}], "cascade[0].sla: must be a duration"),
        ([{"provider": "acme", "terminal_id": ""}], "cascade[0].terminal_id: must be"),
    ],
)
def test_a_cascade_names_configured_providers_once(cascade, path):
    assert refusal(cascade=cascade).problem.startswith(path)


def test_sixty_four_entries_and_no_sla_are_fine():
    entries = [
        {"provider": "acme", "terminal_id": str(n), "sla": "none"} for n in range(64)
    ]
    assert len(read(cascade=entries).cascade) == 64


@pytest.mark.parametrize(
    "token", [CARD, "4111 1111 1111 1111", "4111-1111-1111-1111", "6011000990139424"]
)
def test_a_card_number_is_no_token_and_is_not_told(token):
    refused = refusal(destination={"type": "card", "token": token})
    assert "destination.token: looks like a card number; send a token" in str(refused)
    assert token not in str(refused)


@pytest.mark.parametrize("token", ["4111111111111112", "tok_8f2a", "1" * 12])
def test_what_only_resembles_a_card_number_is_a_token(token):
    destination = {"type": "card", "token": token}
    assert read(destination=destination).destination["token"] == token


@pytest.mark.parametrize(
    "token", ["", "x" * 513, " x", "a\x00b".replace("\x00", "\x01"), 1]
)
def test_a_token_is_bounded_and_never_told(token):
    assert "destination.token: " in str(
        refusal(destination={"type": "c", "token": token})
    )


def test_every_problem_is_told_at_once_in_one_line_without_the_token():
    refused = refusal(
        amount=1.5,
        currency="???",
        merchant_id=GONE,
        metadata=[TOKEN],
        destination={"type": 7, "token": TOKEN},
        cascade=[{"provider": TOKEN}, {"provider": "acme"}, {"provider": "acme"}],
    )
    for path in (
        "amount",
        "currency",
        "merchant_id",
        "metadata",
        "destination.type",
        "cascade[0].provider",
        "cascade[2]",
    ):
        assert f"{path}: " in refused.problem
    assert TOKEN not in refused.problem
    assert "\n" not in refused.problem
    assert refused.order_id == "w-1001"


def test_the_list_of_problems_is_bounded():
    refused = refusal(cascade=[{"provider": 1} for _ in range(64)])
    assert refused.problem.endswith("and 44 more")


@pytest.mark.parametrize("data", [b"[]", b"1", b'"x"', b"null"])
def test_a_body_is_an_object(data):
    with pytest.raises(InvalidRequest, match="must be a JSON object"):
        read_withdrawal(data, KNOWN)


def test_the_content_knows_neither_order_nor_unknown_fields_nor_nulls():
    body = a_body(unknown=1)
    backwards = dict(reversed(body.items()))
    backwards["cascade"] = [
        {"sla": "15m", "terminal_id": "t-1", "provider": "acme", "new": 2},
        {"sla": None, "provider": "zeta", "terminal_id": "t-7"},
    ]
    assert read(**backwards).content == read().content


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 12551},
        {"metadata": {}},
        {"metadata": {"channel": None}},
        {"destination": {"type": "iban", "token": TOKEN}},
        {"cascade": [{"provider": "zeta"}, {"provider": "acme"}]},
    ],
)
def test_the_content_knows_every_known_field(changes):
    assert read(**changes).content != read().content


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10).filter(
        lambda t: not any("\ud800" <= c <= "\udfff" for c in t)
    )
    | st.sampled_from(["acme", "EUR", "none", "15m", CARD]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "token", "provider", "terminal_id", "sla", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(EXAMPLE)), VALUES, max_size=4))
def test_a_mutated_request_is_read_or_refused(changes):
    try:
        told = read(**changes).order_id
    except InvalidRequest as refused:
        told = refused.problem
    assert "\n" not in told
    assert TOKEN not in told


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(data):
    with pytest.raises(InvalidRequest):
        read_withdrawal(data, KNOWN)


HIDDEN = [CARD, f"x{CARD}y", "4111.1111.1111.1111", "\uff14" + CARD[1:]]


@pytest.mark.parametrize("field", ["order_id", "merchant_id", "customer_id"])
@pytest.mark.parametrize("card", HIDDEN)
def test_an_id_that_holds_a_card_number_is_refused_and_not_told(field, card):
    refused = refusal(**{field: card})

    assert f"{field}: looks like a card number; send a token" in refused.problem
    assert card not in f"{refused} {refused.order_id}"


@pytest.mark.parametrize("card", HIDDEN)
def test_a_terminal_that_is_a_card_number_is_refused(card):
    refused = refusal(cascade=[{"provider": "acme", "terminal_id": card}])

    assert refused.problem.startswith("cascade[0].terminal_id: looks like a card")
    assert card not in refused.problem


@pytest.mark.parametrize(
    ("metadata", "path"),
    [
        ({"note": CARD}, "metadata.note"),
        ({"deep": [{"paid": f"by {CARD}"}]}, "metadata.deep[0].paid"),
        ({"number": int(CARD)}, "metadata.number"),
        ({"number": float(CARD)}, "metadata.number"),
        ({"a": 1, CARD: 2}, "metadata (the name of its field 2)"),
        ({"a": {f"of {CARD}": {}}}, "metadata.a (the name of its field 1)"),
    ],
)
def test_metadata_that_holds_a_card_number_is_refused_by_its_place(metadata, path):
    refused = refusal(metadata=metadata)

    assert refused.problem.startswith(f"{path}: looks like a card number")
    assert CARD not in refused.problem


def test_ids_of_many_forms_are_no_card_numbers():
    for told in (
        "0195f2c4-7c1e-7d52-b3a6-5f0f3f1d2a10",
        "01950000-1234-7123-8123-123456789012",
        "w-20261130-000412",
        "1764475200000",
        "1764475200000000000",
    ):
        assert read(order_id=told, metadata={"ref": told}).order_id == told
