"""Tools that judge the documents, which a developer may be without, and CI may not."""

import os

import pytest


def leave_out(why: str) -> None:
    """Skip a test for want of a tool, or fail it where none may be left out."""
    if os.environ.get("PAYMENT_TESTS_REQUIRE_DOCUMENT_TOOLS"):
        pytest.fail(why)
    pytest.skip(why)
