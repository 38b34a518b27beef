"""What a provider said about a payout, and what keeps it from being believed.

It is in the words of the default wire form, whatever form it came in.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from fsm.domain.masking import masked_prose
from fsm.domain.reading import (
    UnreadableField,
    amount_in,
    code_in,
    currency_in,
    identifier_in,
    message_in,
    shortened,
)
from providers.http.outbound import Response
from providers.http.unreadable import unreadable
from providers.port import (
    Accepted,
    Declined,
    NotFound,
    Payout,
    Returned,
    Succeeded,
    Unclear,
)

Body = Mapping[str, object]

SUCCESSES: Final = range(200, 300)
# 409 says that it exists, the others that it may be asked again.
DEFINITE: Final = frozenset(range(400, 500)) - {408, 409, 425, 429}
PAID_OR_COMING: Final = frozenset({"succeeded", "accepted"})
DECLINED: Final = "declined"
NOT_PAID: Final = frozenset({DECLINED, "failed"})
# A provider that has cancelled it has not paid it, and will not.
REFUSED: Final = NOT_PAID | {"cancelled"}
RETURNED: Final = "returned"
# It is made ready, and the call that pays has not come.
NOT_ASKED: Final = "not_found"
UNREADABLE: Final = "the body cannot be read"
NOT_DEFINITE: Final = "the answer is not definite"
WORD_LENGTH_MAX: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedAnswer:
    """What a provider said, and why it may not be about this payout at all."""

    payout: Payout
    body: Body
    word: str
    evidence: Mapping[str, object]
    doubt: str | None
    is_read: bool = True

    def taken(self) -> Succeeded | Accepted:
        """Return that the payout was taken, or paid where the word says so."""
        reference = identifier_in(self.body, "provider_reference")
        if self.word != "succeeded":
            return Accepted(reference=reference, evidence=self.evidence)
        return Succeeded(
            reference=reference,
            amount=amount_in(self.body),
            currency=currency_in(self.body),
            evidence=self.evidence,
        )

    def state(self) -> Succeeded | Accepted | Declined | Returned | NotFound | Unclear:
        """Return the state that the payout is said to have."""
        if self.doubt is not None:
            return self.unclear(self.doubt)
        if self.word in PAID_OR_COMING:
            return self.taken()
        if self.word == RETURNED:
            return self.returned()
        if self.word in REFUSED:
            return self.declined()
        if self.word == NOT_ASKED:
            return NotFound(evidence=self.evidence)
        return self.unclear(NOT_DEFINITE)

    def returned(self) -> Returned:
        """Return that the money came back."""
        message = message_in(self.body)
        return Returned(
            reference=identifier_in(self.body, "provider_reference"),
            amount=amount_in(self.body),
            currency=currency_in(self.body),
            code=code_in(self.body),
            message=None if message is None else hidden(message, self.payout),
            evidence=self.evidence,
        )

    def refused(self, rejection_codes: Collection[str]) -> Declined | Unclear:
        """Return a create's definite no; where codes are listed, only with one."""
        if rejection_codes and not self._has_code_of(rejection_codes):
            return self.unclear("its code is not listed as a definite no")
        return self.declined()

    def declined(self) -> Declined | Unclear:
        """Return a definite no, if it can be about this payout."""
        if (other := self.other()) is not None:
            return self.unclear(f"it is about another {other}")
        message = message_in(self.body)
        return Declined(
            code=hidden(code_in(self.body) or self.word, self.payout) or self._status,
            message=None if message is None else hidden(message, self.payout),
            evidence=self.evidence,
        )

    def other(self) -> str | None:
        """Name the field by which it would be about some other payout."""
        ours = {
            "amount": self.payout.money.amount,
            "currency": self.payout.money.currency,
            "provider_reference": self.payout.provider_reference,
        }
        for name, value in ours.items():
            if None not in (value, self.body.get(name)) and self.body[name] != value:
                return name
        return None

    def unclear(self, because: str) -> Unclear:
        """Return that nothing follows from it."""
        return Unclear(because=because, evidence=self.evidence)

    @property
    def _status(self) -> str:
        return f"http_{self.evidence.get('http_status')}"

    def _has_code_of(self, codes: Collection[str]) -> bool:
        code = self.body.get("code")
        return isinstance(code, str) and code in codes


def unread(answer: Response, payout: Payout) -> ParsedAnswer:
    """Return what is said by a body that cannot be read: what it is instead."""
    kind, kept = unreadable(answer, payout.destination)
    return ParsedAnswer(
        payout=payout,
        body={},
        word="",
        evidence={"http_status": answer.status, "body": kept},
        doubt=f"{UNREADABLE}: it is {kind}",
        is_read=False,
    )


def doubt_of(body: Body, payout: Payout) -> str | None:
    """Return why a body is not believed, None where it may be."""
    if body.get("reference") not in (None, payout.reference):
        return "it is about another reference"
    try:
        amount_in(body)
        currency_in(body)
    except UnreadableField as error:
        return f"its {error} cannot be read"
    return None


def evidence_of(status: int, body: Body, payout: Payout) -> dict[str, object]:
    """Return what the audit trail keeps: short, and never a destination."""
    evidence: dict[str, object] = {"http_status": status}
    if isinstance(word := body.get("status"), str):
        evidence["status"] = hidden(word, payout)[:WORD_LENGTH_MAX]
    if (code := code_in(body)) is not None:
        evidence["code"] = hidden(code, payout)
    if (reference := identifier_in(body, "provider_reference")) is not None:
        evidence["provider_reference"] = reference
    return evidence


def hidden(text: str, payout: Payout) -> str:
    """Return one line that shows nothing of the destination."""
    return shortened(masked_prose(text, payout.destination))
