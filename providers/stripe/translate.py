"""Turns Stripe's answers into ours: pure and total, and never a guess.

What decides is whether Stripe has *executed* a request. What its idempotency layer
never saw (a wrong key, too many requests, parameters that fail validation) did nothing
now, and says nothing about the same request sent before: ``NotSent``. What was executed
and refused is a definite no. All else is ``Unclear``.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from fsm.domain.masking import masked_prose
from fsm.domain.reading import (
    UnreadableField,
    code_in,
    identifier_in,
    message_in,
    shortened,
)
from providers.answering import Answer, unanswered
from providers.config.stripe import Makes
from providers.http.outbound import Response
from providers.port import (
    Accepted,
    CancelAnswer,
    Cancelled,
    CreateAnswer,
    Declined,
    NotSent,
    Payout,
    Returned,
    StatusAnswer,
    Succeeded,
    TooLate,
    Unclear,
)
from providers.stripe.objects import Body, Fate, Seen, read_seen

Evidence = dict[str, object]

SUCCESSES: Final = range(200, 300)
TAKEN_BACK: Final = "it was paid, and taken back"
OK: Final = 200
BAD_REQUEST: Final = 400
PAYMENT_REQUIRED: Final = 402
LOCKED: Final = frozenset({401, 403})
TOO_MANY: Final = 429
REFUSING: Final = frozenset({400, 402, 404})
RATE_LIMITED: Final = frozenset({"rate_limit", "rate_limit_error"})
NEVER_A_NO: Final = frozenset({"idempotency_key_in_use", "lock_timeout"})
"""Codes that say that another request is at work; no setting makes them a no."""
DEFINITE: Final = frozenset(
    {
        "account_closed",
        "account_number_invalid",
        "amount_too_large",
        "amount_too_small",
        "balance_insufficient",
        "bank_account_declined",
        "bank_account_restricted",
        "bank_account_unusable",
        "bank_account_unverified",
        "debit_not_authorized",
        "instant_payouts_config_disabled",
        "instant_payouts_currency_disabled",
        "instant_payouts_limit_exceeded",
        "instant_payouts_unsupported",
        "insufficient_funds",
        "invalid_card_type",
        "no_account",
        "payouts_limit_exceeded",
        "payouts_not_allowed",
    }
)
"""What Stripe refuses for a reason of its own, having looked at it."""
HEADERS: Final = {
    "request-id": "request_id",
    "idempotent-replayed": "replayed",
    "retry-after": "retry_after",
}
HEADER_LENGTH_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Who asked, and for what; ``secrets`` are what no text may show."""

    makes: Makes
    payout: Payout
    live: bool | None
    secrets: Mapping[str, str]
    rejection_codes: Collection[str] = ()

    def hidden(self, text: str) -> str:
        """Return one line that shows nothing of the destination."""
        shown = masked_prose(text, self.payout.destination)
        return shortened(masked_prose(shown, self.secrets))


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeError:
    """Stripe's own ``error``; what has none was not said by Stripe."""

    kind: str
    code: str | None
    message: str | None
    intent: str | None


def create_answer(answer: Answer, context: Context) -> CreateAnswer:
    """Read the answer to a create."""
    if not isinstance(answer, Response):
        return unanswered(answer)
    body = answer.read_object()
    if answer.status in SUCCESSES:
        said = object_answer(body, context, _evidence(answer))
        if isinstance(said, Returned):
            return Unclear(because=TAKEN_BACK, evidence=said.evidence)
        return said
    return refusal(answer, context)


def status_answer(answer: Answer, context: Context) -> StatusAnswer:
    """Read the answer to a question about one object; an error of it is never a no."""
    if not isinstance(answer, Response):
        return unanswered(answer)
    body, evidence = answer.read_object(), _evidence(answer)
    if answer.status == OK:
        return object_answer(body, context, evidence)
    if (stopped := _stopped(answer, problem_in(body))) is not None:
        return stopped
    return Unclear(because=f"answered {answer.status}", evidence=evidence)


def object_answer(
    body: Body | None, context: Context, evidence: Evidence
) -> Succeeded | Accepted | Declined | Returned | Unclear:
    """Read what became of one payout, if it is the one that was asked about."""
    try:
        seen = read_seen(body or {}, context.makes)
    except UnreadableField as error:
        return Unclear(because=f"its {error} cannot be read", evidence=evidence)
    told = evidence | {"status": seen.status, "provider_reference": seen.id}
    if (doubt := _doubt(seen, context)) is not None:
        return Unclear(because=doubt, evidence=told)
    match seen.fate:
        case Fate.COMING:
            return Accepted(reference=seen.id, evidence=told)
        case Fate.PAID:
            return Succeeded(
                reference=seen.id,
                amount=seen.amount,
                currency=seen.currency,
                evidence=told,
            )
        case Fate.NOT_PAID:
            return _not_paid(seen, context, told)
        case Fate.REVERSED:
            return Returned(reference=seen.id, message=TAKEN_BACK, evidence=told)
        case Fate.UNKNOWN:
            return Unclear(because="its status is not known", evidence=told)


def cancel_answer(answer: Answer, context: Context) -> CancelAnswer:
    """Read the answer to a cancellation; only a state is a yes."""
    if not isinstance(answer, Response):
        return unanswered(answer)
    body, evidence = answer.read_object(), _evidence(answer)
    problem = problem_in(body)
    if answer.status == BAD_REQUEST and problem is not None:
        # Only what is pending can be cancelled; one that was cancelled already says
        # so by its status and its webhook.
        is_known = problem.code not in NEVER_A_NO | RATE_LIMITED
        if is_known:
            return TooLate(evidence=evidence)
        return Unclear(because="another call is at work", evidence=evidence)
    if (stopped := _stopped(answer, problem)) is not None:
        return stopped
    if answer.status != OK:
        return Unclear(because=f"answered {answer.status}", evidence=evidence)
    said = object_answer(body, context, evidence)
    if isinstance(said, Declined) and said.evidence.get("status") == "canceled":
        return Cancelled(evidence=said.evidence)
    return Unclear(because="it is not said to be canceled", evidence=evidence)


def problem_in(body: Body | None) -> StripeError | None:
    """Return Stripe's error, None where the body holds none."""
    error = (body or {}).get("error")
    if (
        not isinstance(error, dict)
        or (kind := code_in({"code": error.get("type")})) is None
    ):
        return None
    intent = error.get("payment_intent")
    return StripeError(
        kind=kind,
        code=code_in(error),
        message=message_in(error),
        intent=identifier_in(intent, "status") if isinstance(intent, dict) else None,
    )


def refusal(
    answer: Response, context: Context, *, of_any_code: bool = False
) -> Declined | NotSent | Unclear:
    """Read an error of what was to be made; a no by its code, or by any code."""
    evidence, problem = _evidence(answer), problem_in(answer.read_object())
    if problem is None:
        return Unclear(because=f"answered {answer.status}", evidence=evidence)
    evidence |= _told(problem)
    if (stopped := _stopped(answer, problem)) is not None:
        return stopped
    if (doubt := _no_doubt(answer, problem)) is not None:
        return Unclear(because=doubt, evidence=evidence)
    if not of_any_code and not _is_definite(answer, problem, context):
        if context.rejection_codes:
            because = "its code is not listed as a definite no"
            return Unclear(because=because, evidence=evidence)
        # Validated and refused: nothing was executed by this request.
        return NotSent(because=_because(problem, context))
    return Declined(
        code=context.hidden(problem.code or problem.kind),
        message=None if problem.message is None else context.hidden(problem.message),
        evidence=evidence,
    )


def _no_doubt(answer: Response, problem: StripeError) -> str | None:
    """Return why an error of Stripe's is no no, None where it may be one."""
    if problem.kind == "idempotency_error" or problem.code in NEVER_A_NO:
        return "another request had its key: what became of that is not known"
    is_card = problem.kind == "card_error" and answer.status == PAYMENT_REQUIRED
    is_refusal = problem.kind == "invalid_request_error" and answer.status in REFUSING
    if not is_card and not is_refusal:
        return f"{problem.kind} with {answer.status} proves nothing"
    if problem.intent not in {None, "requires_payment_method", "canceled"}:
        return "its payment intent goes on"
    return None


def _is_definite(answer: Response, problem: StripeError, context: Context) -> bool:
    if context.rejection_codes:
        return problem.code in context.rejection_codes
    # 402: "the parameters were valid but the request failed".
    return answer.status == PAYMENT_REQUIRED or problem.code in DEFINITE


def _stopped(answer: Response, problem: StripeError | None) -> NotSent | None:
    """Return that a request stopped before Stripe's idempotency layer, if it did."""
    if problem is None:
        return None
    if answer.status in LOCKED:
        return NotSent(because=f"Stripe does not let us: {answer.status}")
    if answer.status == TOO_MANY and {problem.kind, problem.code} & RATE_LIMITED:
        return NotSent(because="Stripe takes no more requests now")
    return None


def _not_paid(seen: Seen, context: Context, told: Evidence) -> Declined | Unclear:
    money = context.payout.money
    if (seen.amount, seen.currency) != (money.amount, money.currency):
        return Unclear(because="it is about another amount", evidence=told)
    return Declined(
        code=context.hidden(seen.code or seen.status),
        message=None if seen.message is None else context.hidden(seen.message),
        evidence=told,
    )


def _doubt(seen: Seen, context: Context) -> str | None:
    """Return why an object is not believed, None where it may be."""
    payout = context.payout
    if seen.reference not in {None, payout.reference}:
        return "it is about another reference"
    if payout.provider_reference not in {None, seen.id}:
        return "it is another payout"
    if None not in {seen.live, context.live} and seen.live is not context.live:
        return "it is of the other mode: test and live are two worlds"
    return None


def _because(problem: StripeError, context: Context) -> str:
    said = problem.message or problem.code or problem.kind
    return f"Stripe refused the request itself: {context.hidden(said)}"


def _told(problem: StripeError) -> Evidence:
    told = {"type": problem.kind, "code": problem.code}
    return {name: value for name, value in told.items() if value is not None}


def _evidence(answer: Response) -> Evidence:
    """Return what the audit trail keeps: short, and never a destination."""
    return {"http_status": answer.status, **dict(_headers(answer))}


def _headers(answer: Response) -> Iterator[tuple[str, str]]:
    for name, ours in HEADERS.items():
        told = answer.headers.get(name)
        if told is not None and told.isascii() and told.isprintable():
            yield ours, told[:HEADER_LENGTH_MAX]
