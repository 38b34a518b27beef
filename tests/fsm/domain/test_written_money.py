"""Money is written by one function, with its decimals, wherever people look."""

import ast
from pathlib import Path

import pytest

from fsm.domain.money import EXPONENTS, Money, with_money, written

ROOT = Path(__file__).parents[3]
# Amounts as strangers want them on the wire, which no person reads.
WIRE = {"providers/rest/amounts.py", "providers/stripe/amounts.py"}


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (5000, "EUR", "50.00 EUR"),
        (5, "EUR", "0.05 EUR"),
        (0, "EUR", "0.00 EUR"),
        (-250, "EUR", "-2.50 EUR"),
        (5000, "JPY", "5000 JPY"),
        (5000, "KWD", "5.000 KWD"),
        (-1, "KWD", "-0.001 KWD"),
        (2**53 - 1, "EUR", "90071992547409.91 EUR"),
        (5000, "XXX", "5000 minor units of XXX"),
        (5000, None, "5000 minor units"),
        (None, "EUR", "-"),
        # As a stranger's ledger may have it.
        (1.5, "EUR", "1.5 minor units of EUR"),
        ("50.00", "EUR", "50.00 minor units of EUR"),
        (5000, ["EUR"], "5000 minor units of ['EUR']"),
    ],
)
def test_an_amount_is_written_with_its_decimals(amount, currency, text):
    assert written(amount, currency) == text


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])
def test_money_is_written_by_the_same(currency):
    assert str(Money(5000, currency)) == written(5000, currency)


def test_an_amount_in_a_line_of_the_trail_stands_with_its_currency():
    told = {"amount": 5000, "currency": "EUR", "code": "x", "of": [{"amount": 1}]}

    assert with_money(told) == {
        "amount": "50.00 EUR",
        "code": "x",
        "of": [{"amount": 1}],
    }


def sources():
    for top in ("fsm", "handlers", "providers", "payment_service"):
        yield from (ROOT / top).rglob("*.py")


def puts_together(tree):
    """True where a text is made of an amount and a currency."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            names = [
                ast.unparse(part.value).rpartition(".")[2]
                for part in node.values
                if isinstance(part, ast.FormattedValue)
            ]
            if any("amount" in n for n in names) and "currency" in names:
                yield ast.unparse(node)


def test_nobody_else_puts_an_amount_and_a_currency_together():
    found = {
        str(path.relative_to(ROOT)): text
        for path in sources()
        for text in puts_together(ast.parse(path.read_text()))
    }

    assert found.keys() == {"fsm/domain/money.py"}, found


def test_nobody_else_counts_decimals():
    users = {
        str(path.relative_to(ROOT))
        for path in sources()
        if "10**" in path.read_text() and "EXPONENTS" in path.read_text()
    }

    assert users - WIRE == {"fsm/domain/money.py"}
    assert len(EXPONENTS) > 100
