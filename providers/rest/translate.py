"""Turns payouts into the rest wire form, and its answers into ours; never a guess.

Every function is pure and total: what cannot be read is ``Unclear``, since the
next provider is asked only after a definite no.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from payment_service import outbound
from payment_service.outbound import Lost, Response
from payment_service.reading import (
    UnreadableField,
    amount_in,
    code_in,
    currency_in,
    identifier_in,
    masked,
    message_in,
    shortened,
)
from providers.port import (
    Accepted,
    CancelAnswer,
    Cancelled,
    CreateAnswer,
    Declined,
    NotFound,
    NotSent,
    Payout,
    StatusAnswer,
    Succeeded,
    TooLate,
    Unclear,
)

Answer = Response | outbound.NotSent | Lost
Body = Mapping[str, object]

OK: Final = 200
NOT_FOUND: Final = 404
SUCCESSES: Final = range(200, 300)
# 409 says that it exists, the others that it may be asked again.
DEFINITE: Final = frozenset(range(400, 500)) - {408, 409, 425, 429}
# A provider that cannot cancel goes on with it, as does one that is too late.
GOES_ON: Final = frozenset({404, 405, 409, 501})
PAID_OR_COMING: Final = frozenset({"succeeded", "accepted"})
DECLINED: Final = "declined"
NOT_PAID: Final = frozenset({DECLINED, "failed"})
CANCELLED: Final = frozenset({"cancelled", "canceled"})
WORD_LENGTH_MAX: Final = 32


def create_request(payout: Payout, callback_url: str | None) -> dict[str, object]:
    """Return the body of a create."""
    body: dict[str, object] = {
        "reference": payout.reference,
        "amount": payout.money.amount,
        "currency": payout.money.currency,
        "destination": dict(payout.destination),
        "terminal_id": payout.terminal_id,
    }
    return body if callback_url is None else {**body, "callback_url": callback_url}


def create_answer(
    answer: Answer, payout: Payout, rejection_codes: Collection[str] = ()
) -> CreateAnswer:
    """Read the answer to a create; a no only where the contract calls it definite."""
    if not isinstance(answer, Response):
        return _unanswered(answer)
    said = _said(answer, payout)
    if said.doubt is not None:
        return said.unclear(said.doubt)
    if answer.status in SUCCESSES and said.word in PAID_OR_COMING:
        return said.taken()
    if answer.status not in DEFINITE or said.word != DECLINED:
        return said.unclear("the answer is not definite")
    if rejection_codes and not said.has_code_of(rejection_codes):
        return said.unclear("its code is not listed as a definite no")
    return said.declined()


def status_answer(answer: Answer, payout: Payout) -> StatusAnswer:
    """Read the answer to a status question."""
    if not isinstance(answer, Response):
        return _unanswered(answer)
    said = _said(answer, payout)
    if answer.status == NOT_FOUND and said.word not in PAID_OR_COMING | NOT_PAID:
        return NotFound(evidence=said.evidence)
    if said.doubt is not None:
        return said.unclear(said.doubt)
    if answer.status == OK and said.word in PAID_OR_COMING:
        return said.taken()
    if answer.status == OK and said.word in NOT_PAID:
        return said.declined()
    return said.unclear("the answer is not definite")


def cancel_answer(answer: Answer, payout: Payout) -> CancelAnswer:
    """Read the answer to a cancellation; an empty 200 says yes as well."""
    if not isinstance(answer, Response):
        return _unanswered(answer)
    if answer.status in GOES_ON:
        return TooLate()
    said = _said(answer, payout)
    if answer.status != OK:
        return said.unclear("the answer is not definite")
    if not answer.body.strip():
        return Cancelled()
    if said.doubt is not None:
        return said.unclear(said.doubt)
    if "status" in said.body and said.word not in CANCELLED:
        return said.unclear("the status is another")
    return Cancelled()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What a provider said, and why it may not be about this payout at all."""

    payout: Payout
    body: Body
    word: str
    evidence: Mapping[str, object]
    doubt: str | None

    def has_code_of(self, codes: Collection[str]) -> bool:
        code = self.body.get("code")
        return isinstance(code, str) and code in codes

    def taken(self) -> Succeeded | Accepted:
        reference = identifier_in(self.body, "provider_reference")
        if self.word != "succeeded":
            return Accepted(reference=reference, evidence=self.evidence)
        return Succeeded(
            reference=reference,
            amount=amount_in(self.body),
            currency=currency_in(self.body),
            evidence=self.evidence,
        )

    def declined(self) -> Declined | Unclear:
        if (other := _other(self.body, self.payout)) is not None:
            return self.unclear(f"it is about another {other}")
        message = message_in(self.body)
        return Declined(
            code=_hidden(code_in(self.body) or self.word, self.payout),
            message=None if message is None else _hidden(message, self.payout),
            evidence=self.evidence,
        )

    def unclear(self, because: str) -> Unclear:
        return Unclear(because=because, evidence=self.evidence)


def _said(answer: Response, payout: Payout) -> _Said:
    body = answer.read_object()
    told = body or {}
    word = told.get("status")
    return _Said(
        payout=payout,
        body=told,
        word=word if isinstance(word, str) else "",
        evidence=_evidence(answer.status, told, payout),
        doubt="the body cannot be read" if body is None else _doubt(told, payout),
    )


def _doubt(body: Body, payout: Payout) -> str | None:
    if body.get("reference") not in (None, payout.reference):
        return "it is about another reference"
    try:
        amount_in(body)
        currency_in(body)
    except UnreadableField as error:
        return f"its {error} cannot be read"
    return None


def _other(body: Body, payout: Payout) -> str | None:
    """Name the field by which a no would be about some other payout."""
    ours = {
        "amount": payout.money.amount,
        "currency": payout.money.currency,
        "provider_reference": payout.provider_reference,
    }
    for name, value in ours.items():
        if None not in (value, body.get(name)) and body[name] != value:
            return name
    return None


def _evidence(status: int, body: Body, payout: Payout) -> dict[str, object]:
    """Return what the audit trail keeps: short, and never a destination."""
    evidence: dict[str, object] = {"http_status": status}
    if isinstance(word := body.get("status"), str):
        evidence["status"] = _hidden(word, payout)[:WORD_LENGTH_MAX]
    if (code := code_in(body)) is not None:
        evidence["code"] = _hidden(code, payout)
    if (reference := identifier_in(body, "provider_reference")) is not None:
        evidence["provider_reference"] = reference
    return evidence


def _hidden(text: str, payout: Payout) -> str:
    return shortened(masked(text, payout.destination))


def _unanswered(answer: outbound.NotSent | Lost) -> NotSent | Unclear:
    if isinstance(answer, Lost):
        return Unclear(because=answer.because)
    return NotSent(because=answer.because)
