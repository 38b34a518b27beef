import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.domain.cards import holds_card
from fsm.domain.errors import InvalidRequest
from fsm.domain.money import AMOUNT_MAX, Money
from fsm.engine.words import Kind
from payment_service.wire.checkout import (
    EXAMPLE,
    STEPS,
    is_barcode,
    is_phone,
    read_checkout,
)
from tests.wire.test_withdrawal import CARD, GONE, HIDDEN, TOKEN, VALUES

METHOD = {"type": "card", "token": TOKEN}


def a_body(**changes):
    body = {**EXAMPLE, "payment_method": METHOD, **changes}
    return {name: value for name, value in body.items() if value is not GONE}


def read(known=STEPS, **changes):
    return read_checkout(orjson.dumps(a_body(**changes)), known)


def refusal(known=STEPS, **changes):
    with pytest.raises(InvalidRequest) as refused:
        read(known, **changes)
    return refused.value


def one(amount=100, **item):
    """Return the changes for a checkout of one item."""
    made = {"sku": "cup", "quantity": 1, "unit_amount": amount} | item
    made = {name: value for name, value in made.items() if value is not GONE}
    return {"amount": amount, "items": [made], "fees": []}


def test_the_contracts_example_is_read_whole():
    request = read()
    assert request.kind is Kind.CHECKOUT
    assert request.money == Money(12550, "EUR")
    assert (request.destination, request.cascade) == ({}, ())
    assert request.metadata == {"channel": "web"}
    named = ("payment_method", "items", "delivery", "fees")
    assert request.details == {name: a_body()[name] for name in named}


@pytest.mark.parametrize(
    "amount", [True, 1.0, 125.5, "12550", 0, -1, 2**53, 2**63, None, [], {}, GONE]
)
def test_an_amount_is_an_integer_in_bounds(amount):
    assert refusal(amount=amount).problem.startswith("amount: ")


@pytest.mark.parametrize("currency", ["eur", "XXX", "EURO", "", 978, None, GONE])
def test_a_currency_is_a_known_one(currency):
    assert refusal(currency=currency).problem.startswith("currency: ")


@pytest.mark.parametrize("field", ["order_id", "merchant_id", "customer_id"])
@pytest.mark.parametrize("bad", ["", "x" * 129, " a", "a\nb", 1, None, GONE])
def test_an_id_is_plain_text_of_bounded_length(field, bad):
    refused = refusal(**{field: bad})
    assert refused.problem.startswith(f"{field}: ")
    assert (refused.order_id is None) == (field == "order_id")


@pytest.mark.parametrize("count", [1, 500])
def test_one_to_five_hundred_items_are_read(count):
    items = [{"sku": f"s-{n}", "quantity": 1, "unit_amount": 2} for n in range(count)]
    request = read(items=items, fees=[], amount=2 * count)
    assert len(request.details["items"]) == count


@pytest.mark.parametrize("count", [0, 501, 1000])
def test_five_hundred_and_one_items_are_refused_by_name(count):
    items = [{"sku": f"s-{n}", "quantity": 1} for n in range(count)]
    assert refusal(items=items).problem == "items: must be a list of 1 to 500 items"


@pytest.mark.parametrize(
    ("items", "path"),
    [
        (GONE, "items: is missing"),
        (None, "items: must be"),
        ({}, "items: must be"),
        (["cup"], "items[0]: must be an object"),
        ([{"quantity": 1}], "items[0].sku: is missing"),
        ([{"sku": "", "quantity": 1}], "items[0].sku: must be"),
        ([{"sku": "x" * 129, "quantity": 1}], "items[0].sku: must be"),
        ([{"sku": 7, "quantity": 1}], "items[0].sku: must be"),
        ([{"sku": "cup"}], "items[0].quantity: is missing"),
    ],
)
def test_an_item_names_what_is_bought(items, path):
    assert refusal(items=items).problem.startswith(path)


@pytest.mark.parametrize("quantity", [0, -1, 1.0, 1.5, "1", True, None, 2**53])
def test_a_quantity_is_an_integer_of_at_least_one(quantity):
    refused = refusal(**one(quantity=quantity))
    assert "items[0].quantity: must be an integer of at least 1" in refused.problem


@pytest.mark.parametrize("amount", [-1, 0.5, 1.0, "5", True, 2**53])
def test_the_price_of_an_item_is_an_integer_of_at_least_nothing(amount):
    refused = refusal(**one(unit_amount=amount))
    assert "items[0].unit_amount: must be an integer" in refused.problem


@pytest.mark.parametrize(
    ("fee", "path"),
    [
        ({"amount": 1}, "fees[0].code: is missing"),
        ({"code": "x"}, "fees[0].amount: is missing"),
        ({"code": "x", "amount": 1.0}, "fees[0].amount: must be an integer"),
        ({"code": "x", "amount": "1"}, "fees[0].amount: must be an integer"),
        ({"code": "x", "amount": True}, "fees[0].amount: must be an integer"),
        ({"code": "x", "amount": 2**53}, "fees[0].amount: must be an integer"),
        ({"code": "x", "amount": -(2**53)}, "fees[0].amount: must be an integer"),
        ({"code": 7, "amount": 1}, "fees[0].code: must be"),
        ("x", "fees[0]: must be an object"),
    ],
)
def test_a_fee_has_a_code_and_an_integer_that_may_be_negative(fee, path):
    assert refusal(fees=[fee]).problem.startswith(path)


def test_there_are_at_most_five_hundred_fees():
    fees = [{"code": f"f-{n}", "amount": 0} for n in range(501)]
    told = "fees: must be a list of at most 500 fees"
    assert refusal(**one() | {"fees": fees}).problem == told


@pytest.mark.parametrize(
    ("amount", "items", "fees"),
    [
        (100, [(1, 100)], []),
        (100, [(2, 50)], []),
        (1, [(1, 0), (1, 1)], []),
        (90, [(1, 100)], [-10]),
        (105, [(1, 100)], [-10, 15]),
        (1, [(1, 0)], [1]),
        (AMOUNT_MAX, [(1, AMOUNT_MAX)], []),
        (1, [(1, AMOUNT_MAX), (1, 1)], [-AMOUNT_MAX]),
    ],
)
def test_priced_items_and_fees_come_to_the_amount(amount, items, fees):
    assert read(**a_sum(amount, items, fees)).money.amount == amount


@pytest.mark.parametrize(
    ("amount", "items", "fees", "told"),
    [
        (99, [(1, 100)], [], "100"),
        (100, [(1, 100)], [-10], "90"),
        (100, [(3, 100)], [], "300"),
        (1, [(1, 0)], [], "less than 1"),
        (1, [(1, 5)], [-9], "less than 1"),
        (AMOUNT_MAX, [(2, AMOUNT_MAX)], [], f"more than {AMOUNT_MAX}"),
        (1, [(AMOUNT_MAX, AMOUNT_MAX)], [], f"more than {AMOUNT_MAX}"),
        # 2^64 + 100: who counts in 64 bits finds 100.
        (100, [(2**33, 2**31), (1, 100)], [], f"more than {AMOUNT_MAX}"),
    ],
)
def test_another_amount_than_the_sum_is_refused_and_told_it(amount, items, fees, told):
    assert refusal(**a_sum(amount, items, fees)).problem == (
        "amount: must be the sum of the items (quantity times unit_amount) and the "
        f"fees, which come to {told}"
    )


def a_sum(amount, items, fees):
    return {
        "amount": amount,
        "items": [{"sku": "x", "quantity": n, "unit_amount": a} for n, a in items],
        "fees": [{"code": "x", "amount": fee} for fee in fees],
    }


@pytest.mark.parametrize("price", [GONE, None])
def test_where_one_item_has_no_price_any_amount_is_taken(price):
    item = one(7, unit_amount=price)["items"][0]
    items = [*one(100)["items"], item]
    assert read(items=items, amount=12345).money.amount == 12345


def test_what_cannot_be_added_up_is_told_once_by_its_own_name():
    refused = refusal(**one(100, unit_amount=1.5))
    assert refused.problem.startswith("items[0].unit_amount: must be")
    assert "amount: must be the sum" not in refused.problem


@pytest.mark.parametrize("delivery", [GONE, None, [], "home", 1])
def test_a_delivery_is_an_object(delivery):
    assert refusal(delivery=delivery).problem.startswith("delivery: ")


def test_a_delivery_may_say_anything():
    delivery = {"to": {"lines": ["a", "b"], "at": 59.437}, "gift": True}
    assert read(delivery=delivery).details["delivery"] == delivery
    assert read(delivery={}).details["delivery"] == {}


@pytest.mark.parametrize(
    "method", [GONE, None, "card", [], {}, {"type": "card"}, {"token": "t"}]
)
def test_a_payment_method_has_a_type_and_a_token(method):
    assert refusal(payment_method=method).problem.startswith("payment_method")


def test_more_of_a_payment_method_is_not_kept():
    method = METHOD | {"cvc": "123"}
    assert read(payment_method=method).details["payment_method"] == METHOD


@pytest.mark.parametrize("card", HIDDEN)
@pytest.mark.parametrize(
    ("changes", "path"),
    [
        (lambda card: {"order_id": card}, "order_id"),
        (lambda card: {"merchant_id": card}, "merchant_id"),
        (lambda card: {"customer_id": card}, "customer_id"),
        (lambda card: {"payment_method": {"type": card, "token": "t"}}, "type"),
        (lambda card: {"payment_method": {"type": "x", "token": card}}, "token"),
        (lambda card: one(sku=card), "items[0].sku"),
        (lambda card: {"fees": [{"code": card, "amount": 0}]}, "fees[0].code"),
        (lambda card: {"delivery": {"note": [card]}}, "delivery.note[0]"),
        (lambda card: {"delivery": {card: 1}}, "delivery (the name of its field 1)"),
        (lambda card: {"metadata": {"a": {"b": card}}}, "metadata.a.b"),
    ],
)
def test_a_card_number_is_refused_wherever_it_stands_and_not_told(changes, path, card):
    refused = refusal(**changes(card))

    assert f"{path}: looks like a card number" in refused.problem
    assert card not in f"{refused} {refused.order_id}"


@pytest.mark.parametrize("number", [int(CARD), float(CARD)])
def test_a_number_that_is_a_card_is_refused_too(number):
    told = refusal(delivery={"n": number}, metadata={"n": number}).problem
    assert "delivery.n: looks like" in told
    assert "metadata.n: looks like" in told


def test_a_barcode_is_a_sku_though_every_twentieth_looks_like_a_card():
    assert holds_card("4006381000093")
    for barcode in ("4006381000093", "4006381333931", "036000291452"):
        assert is_barcode(barcode)
        assert read(**one(sku=barcode)).details["items"][0]["sku"] == barcode
    for none in ("4222222222222", CARD, "5018661000003", "4006381333932", "x"):
        assert not is_barcode(none)
    assert "items[0].sku: looks like" in refusal(**one(sku="4222222222222")).problem


def test_a_telephone_number_is_at_home_in_a_delivery_though_it_looks_like_a_card():
    phone = "+44 7911 123456"
    assert is_phone(phone)
    assert read(delivery={"phone": phone}).details["delivery"] == {"phone": phone}
    assert "metadata.phone: looks like" in refusal(metadata={"phone": phone}).problem
    for none in (f"+{CARD}", "+378282246310005", "447911123456", "+44", f"+44 {CARD}"):
        assert not is_phone(none)


@pytest.mark.parametrize("missing", STEPS)
def test_a_step_that_no_service_does_is_refused_by_name(missing):
    refused = refusal(known={*STEPS} - {missing})
    told = f"{missing}: an unknown step service; configure [services.{missing}]"
    assert refused.problem == told
    assert refused.order_id == "c-1001"


def test_every_problem_is_told_at_once_in_one_line_without_the_token():
    refused = refusal(
        known=("payment", "delivery", "merchant"),
        amount=1.5,
        currency="???",
        merchant_id=GONE,
        payment_method={"type": 7, "token": TOKEN},
        items=[{"sku": "x", "quantity": 0}],
        delivery=[TOKEN],
        fees=[{"code": "x", "amount": 0.5}],
        metadata=[TOKEN],
    )
    for path in (
        *("amount", "currency", "merchant_id", "metadata", "payment_method.type"),
        *("items[0].quantity", "delivery", "fees[0].amount", "fraud"),
    ):
        assert f"{path}: " in refused.problem
    assert TOKEN not in refused.problem
    assert "\n" not in refused.problem


@pytest.mark.parametrize("data", [b"[]", b"1", b'"x"', b"null"])
def test_a_body_is_an_object(data):
    with pytest.raises(InvalidRequest, match="must be a JSON object"):
        read_checkout(data, STEPS)


def test_the_content_knows_neither_order_nor_unknown_fields_nor_nulls():
    backwards = dict(reversed(a_body(unknown=1).items()))
    priced = {"unit_amount": None, "quantity": 1, "new": 1, "sku": "cup"}
    backwards["items"] = [priced, *backwards["items"]]
    plain = [{"sku": "cup", "quantity": 1}, *a_body()["items"]]
    assert read(**backwards).content == read(items=plain).content
    assert read(**one() | {"fees": GONE}).content == read(**one()).content


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 12551, "fees": [*EXAMPLE["fees"], {"code": "x", "amount": 1}]},
        {"currency": "USD"},
        {"customer_id": "c-10"},
        {"metadata": {}},
        {"payment_method": {"type": "iban", "token": TOKEN}},
        {"payment_method": {"type": "card", "token": f"{TOKEN}x"}},
        {"items": [*reversed(EXAMPLE["items"])]},
        {"items": [{**EXAMPLE["items"][0], "sku": "pot"}, EXAMPLE["items"][1]]},
        {"delivery": {}},
        {"delivery": EXAMPLE["delivery"] | {"city": None}},
        {"fees": [{"code": "discount", "amount": 250}]},
    ],
)
def test_the_content_knows_every_known_field(changes):
    assert read(**changes).content != read().content


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
        read_checkout(data, STEPS)
