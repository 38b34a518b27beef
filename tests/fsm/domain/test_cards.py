import random
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.domain.cards import DIGITS_MAX, cards_in, holds_card
from fsm.domain.ids import new_id
from tests.api.fakes import AT

CARDS = (
    "4111111111111111",
    "378282246310005",
    "30569309025904",
    "6304000000000000",
    "4222222222222",
    "6759649826438453",
    "2221000000000009",
    "2200000000000004",
    "6212345678900000003",
    "8171999927660000",
    "9792030000000000",
    "135412345678911",
)
SEPARATORS = (
    *(" ", "-", ".", "/", "_", ",", "|", "\n", "\r\n", "\t", " - ", "  "),
    *("\u00a0", "\u2009", "\u200b", "\u200d", "\ufeff", "\u2060", "\u00ad", "\u2011"),
    *("\u2028", "\u3000", "\u0301", "\ufe0f\u20e3"),
)
ZEROS = tuple("\u0660\u06f0\u0966\u09e6\u0e50\uff10\U0001d7ce\U0001d7f6")


@pytest.mark.parametrize("card", CARDS)
def test_a_card_number_is_found(card):
    assert cards_in(f"of {card}!") == [(3, 3 + len(card))]
    assert cards_in(f"of{card}x") == [(2, 2 + len(card))]


@pytest.mark.parametrize("separator", SEPARATORS)
def test_anything_may_separate_the_digits(separator):
    for card in CARDS:
        fours = [card[n : n + 4] for n in range(0, len(card), 4)]
        assert holds_card(separator.join(fours))
        assert holds_card(separator.join(card))


@pytest.mark.parametrize("zero", ZEROS)
def test_digits_of_any_script_are_digits(zero):
    for card in CARDS:
        told = "".join(chr(ord(zero) + int(digit)) for digit in card)
        assert cards_in(f"a {told}") == [(2, 2 + len(card))]
        assert holds_card(card[:4] + told[4:])


def test_what_stands_beside_a_card_number_does_not_hide_it():
    assert cards_in("4111 1111 1111 1111 12/28 123") == [(0, 19)]
    assert cards_in("4111111111111111=28122010123456789") == [(0, 16)]
    assert cards_in("12 4111 1111 1111 1111, 5555555555554444") == [(3, 22), (24, 40)]


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "41111111111111110000",
        "0000000000000000",
        "1764475200000",
        "1764475200000000",
        "1764475200123456789",
        "2026-01-31T12:00:00.000Z",
        "2026-11-30 03:47:21.123456",
        "192.168.100.200:54321",
        "4x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1",
        "",
    ],
)
def test_other_numbers_are_no_cards(text):
    assert not holds_card(text)


def test_ids_and_trace_ids_are_never_cards():
    made = random.Random(7)
    for _ in range(20_000):
        trace = f"{made.getrandbits(128):032x}"
        assert not holds_card(f"order {new_id(AT)} {uuid4()}")
        assert not holds_card(f"00-{trace}-{made.getrandbits(64):016x}-01")


def checked(digits):
    """Return the digits with the one that makes them a card number."""
    doubled = [
        int(digit) if n % 2 else sum(divmod(2 * int(digit), 10))
        for n, digit in enumerate(reversed(digits))
    ]
    return digits + str(-sum(doubled) % 10)


@given(
    st.text("0123456789", min_size=11, max_size=17),
    st.sampled_from("3456"),
    st.lists(st.sampled_from(SEPARATORS[:16]), min_size=19, max_size=19),
)
def test_every_card_number_is_found_however_it_is_separated(rest, first, separators):
    card = checked(first + rest[:-1])
    told = "".join(d + s for d, s in zip(card, separators, strict=False))
    assert holds_card(told)
    assert holds_card(card)


@given(st.text())
def test_what_is_found_stands_there_in_order(text):
    spans = cards_in(text)
    ends = [0, *(end for _, end in spans)]
    assert all(end <= start for end, (start, _) in zip(ends, spans, strict=False))
    assert all(start < end <= len(text) for start, end in spans)


def test_a_long_row_of_digits_takes_no_time():
    text = "4 1 " * 32_000
    assert len(cards_in(text)) <= len(text) / DIGITS_MAX
