"""Stripe's own errors in bytes, for the doubles of payouts and of charges."""

import json

from providers.testing.conformance.vocabulary import WORDS_FOR_PEOPLE, Reply


def error_reply(status: int, kind: str, code: str) -> Reply:
    """Return an error in Stripe's own form."""
    error = {"type": kind, "code": code, "message": WORDS_FOR_PEOPLE}
    return Reply(status=status, body=json.dumps({"error": error}).encode())
