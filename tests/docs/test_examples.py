"""The providers that are real: each says what it rests on, and what was never tried."""

import tomllib
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "ops" / "examples"
PAGE = (EXAMPLES / "README.md").read_text()
# Two are invented, and one has an adapter of its own.
OTHERS = {"lumen", "quipu", "stripe"}
REAL = sorted(
    path.parent.name
    for path in EXAMPLES.glob("*/payment.toml")
    if "providers" in tomllib.loads(path.read_text()) and path.parent.name not in OTHERS
)


@pytest.mark.parametrize("name", REAL)
def test_a_real_provider_says_what_was_tried_and_what_is_assumed(name):
    page = (EXAMPLES / name / "README.md").read_text()

    assert "**Tried against a sandbox: nothing yet.**" in page
    assert "| the table relies on | which its page says |" in page
    for part in ("**Assumed**", "**Left out**", "**Yours to fill in**"):
        assert part in page


@pytest.mark.parametrize("name", REAL)
def test_the_page_of_examples_leads_to_each(name):
    assert f"]({name}/README.md)" in PAGE


@pytest.mark.parametrize("name", REAL)
def test_a_careful_value_stands_where_a_page_is_silent(name):
    text = (EXAMPLES / name / "payment.toml").read_text()
    table = tomllib.loads(text)["providers"][name]

    # No page of theirs promises that what is not found was never made.
    assert table["not_found"] == "ambiguous"
    refusals = [
        entry
        for answers in (table["answers"], table["create"].get("answers", {}))
        for entry in answers.get("error_map", [])
        if entry["means"] == "declined"
    ]
    assert all(entry.get("codes") for entry in refusals)
