"""The engine speaks of orders, steps and tasks: no flow's word is in it."""

import re
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[2] / "fsm" / "engine"
# An order of any flow has a customer, and a stage in which it is loaded.
# What these hold is public, or the columns of the one schema: each flow has its own.
VOCABULARY = {"words.py", "rows.py", "judged.py"}
WORDS = {
    "acquirer",
    "balance",
    "bank",
    "capture",
    "card",
    "cascade",
    "charge",
    "checkout",
    "create",
    "declined",
    "delivery",
    "eligibility",
    "fraud",
    "freeze",
    "funds",
    "grace",
    "grant",
    "idempotent",
    "link",
    "membership",
    "merchant",
    "money",
    "paid",
    "partner",
    "payment",
    "payout",
    "poll",
    "provider",
    "recheck",
    "recreate",
    "refund",
    "revoke",
    "rollback",
    "sla",
    "stripe",
    "terminal",
    "weighing",
    "webhook",
    "withdrawal",
}
COLUMNS = re.compile("provider_reference|webhook_sequence|webhook_pending")
MODULES = sorted(p for p in ENGINE.glob("*.py") if p.name not in VOCABULARY)


def foreign(text):
    """Return the flows' words in a text, whole or as a part of a name."""
    parts = re.sub(r"([a-z])([A-Z])", r"\1_\2", text).lower()
    said = {*re.findall(r"[a-z]+", COLUMNS.sub("", parts))}
    return sorted(said & (WORDS | {f"{word}s" for word in WORDS}))


@pytest.mark.parametrize("module", MODULES, ids=lambda p: p.name)
def test_no_word_of_a_flow_is_in_the_engine(module):
    assert foreign(module.read_text()) == []


def test_there_are_modules_to_look_into():
    assert len(MODULES) > 8


@pytest.mark.parametrize(
    "line", ["class PayoutHearing:", "waits = CREATE_RETRY", "# money"]
)
def test_a_word_of_a_flow_is_found(line):
    assert foreign(line)
