"""Turns payouts into Acme's words, and Acme's answers into ours; never a guess.

Every function is pure and total: what cannot be read is ``Unclear``, since the next
provider is asked only after a definite no.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fsm.domain.masking import masked_prose
from fsm.domain.reading import (
    UnreadableField,
    amount_in,
    code_in,
    currency_in,
    identifier_in,
    money_in,
    shortened,
)
from fsm.domain.webhook_events import UNREADABLE, WebhookEvent, WebhookEventType
from providers.config.places import Place, require_clear
from providers.http import outbound
from providers.http.outbound import Lost, Response
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

# From their page: the answers after which nothing was and will be paid.
REFUSED: Final = 422
REASONS: Final = frozenset({"limit_exceeded", "card_blocked"})
TAKEN: Final = frozenset({200, 201})
GONE: Final = frozenset({"failed", "cancelled"})
EVENTS: Final = {
    "payout.paid": WebhookEventType.SUCCEEDED,
    "payout.failed": WebhookEventType.FAILED,
    "payout.pending": WebhookEventType.ACCEPTED,
    "payout.returned": WebhookEventType.RETURNED,
}

Answer = Response | outbound.RequestNotSent | Lost
Body = Mapping[str, object]


def create_request(payout: Payout) -> dict[str, object]:
    """Return the body of a create."""
    return {
        "reference": payout.reference,
        "amount": payout.money.amount,
        "currency": payout.money.currency,
        "destination": dict(payout.destination),
    }


def create_answer(answer: Answer, payout: Payout) -> CreateAnswer:
    """Read the answer to a create; a no only where their page calls it final."""
    if not isinstance(answer, Response):
        return _unanswered(answer)
    said = _Said.of(answer, payout)
    if said.doubt is not None:
        return said.unclear(said.doubt)
    if answer.status in TAKEN and said.state in {"paid", "pending"}:
        return said.taken()
    if answer.status == REFUSED and said.body.get("code") in REASONS:
        return said.declined()
    return said.unclear("the answer is not definite")


def status_answer(answer: Answer, payout: Payout) -> StatusAnswer:
    """Read a status; an error of the question is never a no."""
    if not isinstance(answer, Response):
        return _unanswered(answer)
    said = _Said.of(answer, payout)
    if said.doubt is not None:
        return said.unclear(said.doubt)
    if answer.status == 404 and said.body.get("code") == "no_such_payout":  # noqa: PLR2004
        return NotFound(evidence=said.evidence)
    if answer.status != 200:  # noqa: PLR2004
        return said.unclear("the answer is not definite")
    if said.state in {"paid", "pending"}:
        return said.taken()
    return said.declined() if said.state in GONE else said.unclear("an unknown state")


def cancel_answer(answer: Answer, payout: Payout) -> CancelAnswer:
    """Read the answer to a cancellation; a yes is the word, and nothing else."""
    if not isinstance(answer, Response):
        return _unanswered(answer)
    said = _Said.of(answer, payout)
    if said.doubt is not None:
        return said.unclear(said.doubt)
    if answer.status == 409 and said.body.get("code") == "too_late":  # noqa: PLR2004
        return TooLate()
    if answer.status == 200 and said.state == "cancelled":  # noqa: PLR2004
        return Cancelled()
    return said.unclear("the answer is not definite")


_READ: Final = (
    Place(("event",)),
    Place(("payout", "reference")),
    Place(("payout", "id")),
)


def read_webhook(
    provider: str, event_id: str | None, body: Body, now: datetime
) -> WebhookEvent | None:
    """Read a verified webhook; what nobody has listed is kept, and settles nothing.

    :raises InvalidRequest: what has to be read is odd: there twice, for one.
    """
    require_clear(_READ, body)
    told = body.get("payout")
    payout: Body = told if isinstance(told, dict) else {}
    event = event_id or identifier_in(body, "id")
    reference = identifier_in(payout, "reference")
    if event is None or reference is None:
        return None
    word = body.get("event")
    kind = EVENTS.get(word) if isinstance(word, str) else None
    said = shortened(masked_prose(str(word)))
    detail: dict[str, object] = {} if kind else {"type": said}
    amount, currency, unreadable = money_in(payout, kind or WebhookEventType.UNKNOWN)
    if unreadable:
        # It does not agree with the payout then, and is for a person.
        detail[UNREADABLE] = unreadable
    return WebhookEvent(
        provider=provider,
        event_id=event,
        type=kind or WebhookEventType.UNKNOWN,
        reference=reference,
        provider_reference=identifier_in(payout, "id"),
        amount=amount,
        currency=currency,
        code=code_in(payout),
        received_at=now,
        detail=detail,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What an answer says, and why it may not be about this payout at all."""

    payout: Payout
    body: Body
    state: str
    evidence: Mapping[str, object]
    doubt: str | None

    @classmethod
    def of(cls, answer: Response, payout: Payout) -> "_Said":
        body = answer.read_object()
        told = body or {}
        state = told.get("state")
        return cls(
            payout=payout,
            body=told,
            state=state if isinstance(state, str) else "",
            evidence={"http_status": answer.status, "code": code_in(told)},
            doubt="the body cannot be read" if body is None else _doubt(told, payout),
        )

    def taken(self) -> Succeeded | Accepted:
        reference = identifier_in(self.body, "id")
        if self.state == "pending":
            return Accepted(reference=reference, evidence=self.evidence)
        return Succeeded(
            reference=reference,
            amount=amount_in(self.body),
            currency=currency_in(self.body),
            evidence=self.evidence,
        )

    def declined(self) -> Declined | Unclear:
        if self._is_about_other_money():
            return self.unclear("it is about other money")
        code = code_in(self.body) or self.state
        return Declined(
            code=masked_prose(code, self.payout.destination), evidence=self.evidence
        )

    def unclear(self, because: str) -> Unclear:
        return Unclear(because=because, evidence=self.evidence)

    def _is_about_other_money(self) -> bool:
        money = self.payout.money
        told = amount_in(self.body), currency_in(self.body)
        return told[0] not in {None, money.amount} or (
            told[1] not in {None, money.currency}
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


def _unanswered(answer: outbound.RequestNotSent | Lost) -> NotSent | Unclear:
    if isinstance(answer, Lost):
        return Unclear(because=answer.because)
    return NotSent(because=answer.because, ours=answer.ours, lacking=answer.lacking)
