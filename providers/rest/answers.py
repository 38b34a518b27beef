"""Reads answers in a declared wire form: what is not listed proves nothing.

Pure and total, as :mod:`providers.rest.translate`; a provider's words become those
of the default form first, and only what the table calls definite is.
"""

from collections.abc import Collection, Mapping
from typing import Final

from payment_service.config.forms import AnswersTable, CancelTable, Failing, Meaning
from payment_service.config.places import Place, first_of
from payment_service.domain.money import EXPONENTS
from payment_service.outbound import Response
from payment_service.reading import UnreadableField
from providers.answering import Answer, unanswered
from providers.port import (
    CancelAnswer,
    Cancelled,
    CreateAnswer,
    NotFound,
    Payout,
    StatusAnswer,
    TooLate,
)
from providers.rest.amounts import minor_in
from providers.rest.requests import ours
from providers.rest.said import (
    DEFINITE,
    NOT_DEFINITE,
    NOT_PAID,
    PAID_OR_COMING,
    UNREADABLE,
    Said,
    doubt_of,
    evidence_of,
)

OK: Final = (200,)
# A provider that has cancelled it has not paid it, and will not.
REFUSED: Final = NOT_PAID | {"cancelled"}
RETRY_AFTER_LENGTH_MAX: Final = 32
SPOILT: Final = "?"
_CURRENCY_LENGTH: Final = 3
_BECAUSE: Final = {
    Failing.UNCLEAR: "its error proves nothing",
    Failing.DECLINED: "its error is no answer to this question",
    Failing.NOT_FOUND: "it says not found, which is no answer to this question",
    Failing.EXISTS: "it exists already: its status says what became of it",
    Failing.RETRY_LATER: "it wants to be asked later",
    Failing.TOO_LATE: "it says too late, which is no answer to this question",
}


class Reading:
    """How the answers of one call are read."""

    def __init__(
        self,
        table: AnswersTable,
        *,
        reference_form: str,
        success_codes: Collection[int] = OK,
    ) -> None:
        self._table = table
        self._form = reference_form
        self.successes: Final = frozenset(table.success_codes or success_codes)
        self.accepted: Final = frozenset(table.accepted)

    def said(self, answer: Response, payout: Payout) -> Said:
        """Return what an answer says, in the words of the default form."""
        body = answer.read_object()
        told = self._plain(body or {}, payout)
        word = text_of(self._at(self._table.status_at, body or {}))
        evidence = evidence_of(answer.status, told, payout)
        return Said(
            payout=payout,
            body=told,
            word=self._table.status_map.get(word or "", ""),
            evidence=evidence | _retry_after(answer),
            doubt=UNREADABLE if body is None else doubt_of(told, payout),
        )

    def failing(self, answer: Response, said: Said) -> Failing | None:
        """Return what the first line of the error map that fits says."""
        for entry in self._table.error_map:
            fits = not entry.http or answer.status in entry.http
            if fits and (not entry.codes or said.body.get("code") in entry.codes):
                return entry.means
        return None

    def _plain(self, body: Mapping[str, object], payout: Payout) -> dict[str, object]:
        table = self._table
        currency = currency_of(self._at(table.currency_at, body))
        told = {
            "status": text_of(self._at(table.status_at, body)),
            "reference": reference_of(self._at(table.reference_at, body), self._form),
            "provider_reference": text_of(self._at(table.provider_reference_at, body)),
            "code": text_of(first_of(table.code_at, body)),
            "message": first_of(table.message_at, body),
            "amount": amount_of(
                self._at(table.amount_at, body),
                table.amount_form,
                payout.money.currency if currency is None else currency,
            ),
            "currency": currency,
        }
        return {name: value for name, value in told.items() if value is not None}

    @staticmethod
    def _at(place: Place | None, body: Mapping[str, object]) -> object | None:
        return None if place is None else place.look(body)


def create_answer(
    answer: Answer,
    payout: Payout,
    reading: Reading,
    rejection_codes: Collection[str] = (),
) -> CreateAnswer:
    """Read the answer to a create; a no only where the table calls it definite."""
    if not isinstance(answer, Response):
        return unanswered(answer)
    said = reading.said(answer, payout)
    failing = reading.failing(answer, said)
    empty = answer.status in reading.accepted and not answer.body.strip()
    if said.doubt is not None and not empty:
        why = None if failing is Failing.DECLINED else _because(failing)
        return said.unclear(why or said.doubt)
    may_be_no = answer.status in DEFINITE | reading.successes
    if failing is Failing.DECLINED and may_be_no and said.word not in PAID_OR_COMING:
        return said.refused(rejection_codes)
    if failing is not None:
        return said.unclear(_because(failing) or NOT_DEFINITE)
    if answer.status in reading.successes and said.word in PAID_OR_COMING:
        return said.taken()
    if may_be_no and said.word in REFUSED:
        return said.refused(rejection_codes)
    if answer.status in reading.accepted and "status" not in said.body:
        return said.taken()
    return said.unclear(NOT_DEFINITE)


def status_answer(answer: Answer, payout: Payout, reading: Reading) -> StatusAnswer:
    """Read the answer to a status question; only a word of its own is a no.

    An error of the question is none: credentials that have run out refuse
    everything, and what was paid stays paid.
    """
    if not isinstance(answer, Response):
        return unanswered(answer)
    said = reading.said(answer, payout)
    failing = reading.failing(answer, said)
    if failing is Failing.NOT_FOUND and _is_absent(said):
        return NotFound(evidence=said.evidence)
    if failing is not None or said.doubt is not None:
        return said.unclear(_because(failing) or said.doubt or NOT_DEFINITE)
    if answer.status not in reading.successes:
        return said.unclear(NOT_DEFINITE)
    if said.word in PAID_OR_COMING:
        return said.taken()
    return said.declined() if said.word in REFUSED else said.unclear(NOT_DEFINITE)


def cancel_answer(
    answer: Answer, payout: Payout, reading: Reading, table: CancelTable
) -> CancelAnswer:
    """Read the answer to a cancellation; a yes is a word, or a listed bare status."""
    if not isinstance(answer, Response):
        return unanswered(answer)
    said = reading.said(answer, payout)
    failing = reading.failing(answer, said)
    if failing in {Failing.TOO_LATE, Failing.NOT_FOUND}:
        return TooLate(evidence=said.evidence)
    if failing is not None:
        return said.unclear(_because(failing) or NOT_DEFINITE)
    if answer.status in table.too_late:
        return TooLate(evidence=said.evidence)
    empty = not answer.body.strip()
    if said.doubt is not None and not empty:
        return said.unclear(said.doubt)
    if answer.status in reading.successes and said.word == Meaning.TOO_LATE:
        return TooLate(evidence=said.evidence)
    if answer.status in reading.successes and said.word == Meaning.CANCELLED:
        return Cancelled(evidence=said.evidence)
    bare = "status" not in said.body and "code" not in said.body
    if answer.status in table.cancelled and bare:
        return Cancelled(evidence=said.evidence)
    return said.unclear(NOT_DEFINITE)


def text_of(value: object) -> str | None:
    """Return a word, an id or a code as text, whichever way JSON carried it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


def reference_of(value: object, form: str) -> object | None:
    """Return our reference as we know it; what is no text can be none of ours."""
    if value is None:
        return None
    return ours(value, form) if isinstance(value, str) else SPOILT


def currency_of(value: object) -> str | None:
    """Return a currency in capitals, in whichever case it came."""
    if value is None:
        return None
    text = value if isinstance(value, str) and value.isascii() else SPOILT
    return text.upper() if len(text) == _CURRENCY_LENGTH else SPOILT


def amount_of(value: object, form: str, currency: str | None) -> object | None:
    """Return an amount in minor units, or something that no reader takes for one."""
    if value is None:
        return None
    try:
        return minor_in(value, form, currency if currency in EXPONENTS else None)
    except UnreadableField:
        return SPOILT


def _because(failing: Failing | None) -> str | None:
    return None if failing is None else _BECAUSE[failing]


def _is_absent(said: Said) -> bool:
    believed = said.doubt in {None, UNREADABLE}
    return believed and said.word not in PAID_OR_COMING | REFUSED


def _retry_after(answer: Response) -> dict[str, object]:
    for name, told in answer.headers.items():
        if name.lower() == "retry-after" and told.isascii() and told.isprintable():
            return {"retry_after": told[:RETRY_AFTER_LENGTH_MAX]}
    return {}
