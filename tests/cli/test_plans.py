"""A plan says in words what a table means for the money."""

import pytest

from payment_service.cli.plans import plan_in_words
from payment_service.config import ProviderTable


def words(**changes):
    table = {"name": "acme", "adapter": "rest", "base_url": "https://x.example"}
    return plan_in_words(ProviderTable.model_validate({**table, **changes}))


def error(means, **given):
    return {"answers": {"error_map": [{**given, "means": means}]}}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "Every declined answer is a definite no."),
        (
            {"create": {"path": "/p"}},
            "Only what the table lists is a definite no; all else is unclear.",
        ),
        (
            {"rejection_codes": ("limit",)},
            "Only the codes limit are a definite no; others are unclear.",
        ),
        (
            error("declined", http=[422], codes=["LIMIT", "BLOCKED", "51"]),
            "HTTP 422 with the code LIMIT, BLOCKED or 51 is a definite no to a create.",
        ),
        (
            error("exists", codes=["2002"]),
            "An error 2002 says that it exists already, and its status is asked.",
        ),
        (
            error("retry_later", http=[429, 503]),
            "HTTP 429 or 503 proves nothing, and the status is asked later.",
        ),
        (
            {"create": {"path": "/p", **error("unclear", http=[403])}},
            "create alone: HTTP 403 proves nothing.",
        ),
        (
            {"cancel": {"path": "/p", **error("too_late", codes=["3009"])}},
            "cancel alone: An error 3009 says that it is too late to cancel.",
        ),
    ],
)
def test_what_an_error_means_is_said(changes, sentence):
    assert sentence in words(**changes)
