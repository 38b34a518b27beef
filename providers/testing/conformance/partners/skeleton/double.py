"""Acme as its page describes it, for the conformance kit.

Write this from the partner's page and not from the adapter: what both have misread in
the same way, no check can find.
"""

from collections.abc import Mapping

import orjson

from providers.config.partners import PartnerTable
from providers.testing.conformance.partners.words import (
    Enquiry,
    PartnerSaying,
    Question,
)
from providers.testing.conformance.vocabulary import (
    WORDS_FOR_PEOPLE,
    ReceivedRequest,
    Reply,
)

VERDICTS = {
    PartnerSaying.ELIGIBLE: "match",
    PartnerSaying.NOT_ELIGIBLE: "no_match",
    PartnerSaying.MULTI_MATCH: "several",
    PartnerSaying.PENDING: "later",
    PartnerSaying.UNLISTED: "conformance_unlisted",
}


class AcmeDouble:
    """What Acme hears and says, in bytes."""

    def heard(self, request: ReceivedRequest) -> Mapping[str, str]:
        """Return what a request says."""
        told = orjson.loads(request.body)
        return {
            "key": request.headers.get("idempotency-key", ""),
            "task_id": told.get("reference", ""),
            "customer_id": told.get("customer", ""),
            "card_token": told.get("card", ""),
        }

    def replies(
        self, question: Question, saying: PartnerSaying, enquiry: Enquiry
    ) -> Mapping[str, Reply]:
        """Return every way in which Acme says so."""
        if question is Question.REVOKED:
            return {"202": Reply(status=202)} if saying is PartnerSaying.DONE else {}
        if (verdict := VERDICTS.get(saying)) is None:
            return {}
        told = {
            "verdict": verdict,
            "reference": enquiry.task_id,
            "reason": "not_a_customer",
            "text": WORDS_FOR_PEOPLE,
        }
        return {f"verdict {verdict}": Reply(status=200, body=orjson.dumps(told))}


def double(table: PartnerTable) -> AcmeDouble:
    """Make the double of a table; the kit asks for it by this name."""
    del table
    return AcmeDouble()
