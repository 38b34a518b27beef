"""Readings of answers that would cost money, and what is wrong with each."""

from collections.abc import Iterator
from typing import Final

from providers.config.creates import CreateTable
from providers.config.forms import (
    AnswersTable,
    CancelTable,
    ErrorEntry,
    Failing,
    Meaning,
    StatusTable,
)

# 409 says that it exists, the others that it may be asked again.
MAY_BE_A_NO: Final = frozenset(range(400, 500)) - {408, 409, 425, 429}
UNAUTHORIZED: Final = 401
SUCCESSES: Final = frozenset(range(200, 300))
ERRORS: Final = frozenset(range(400, 600))

Problems = Iterator[tuple[str, str]]


def unlisted(answers: AnswersTable | None, key: str) -> Problems:
    """Name a list of payouts where an answer is about one alone."""
    for name in ("items_at", "more_at"):
        if answers is not None and getattr(answers, name) is not None:
            yield f"{key}.{name}", "has a meaning in status.answers alone"


def unsafe_create_answers(call: CreateTable, shared: AnswersTable | None) -> Problems:
    """Name what could make a payout look taken or refused that was not."""
    key, answers = "create.answers", call.answers.over(shared)
    taken = _says(answers, Meaning.SUCCEEDED, Meaning.ACCEPTED)
    if not answers.accepted and not taken:
        yield f"{key}.status_map", "must have a word for succeeded or accepted"


def unsafe_refused_tokens(call: CreateTable, shared: AnswersTable | None) -> Problems:
    """Name what would take a token that has ended for a payout that was refused."""
    for number, entry in enumerate(call.answers.over(shared).error_map):
        bare = not entry.codes and UNAUTHORIZED in entry.http
        if bare and entry.means is Failing.DECLINED:
            where = "create.answers" if call.answers.error_map else "answers"
            reason = "a token that has ended is refused so, whatever the payout"
            key = f"{where}.error_map[{number}].http"
            yield key, f"{UNAUTHORIZED} must not mean declined beside oauth2: {reason}"


def unsafe_status_answers(
    call: StatusTable, shared: AnswersTable | None, *, absence_is_proof: bool
) -> Problems:
    """Name what could make a payout look settled that is not."""
    key, answers = "status.answers", call.answers.over(shared)
    named = answers.reference_at or answers.provider_reference_at
    if answers.items_at is not None and named is None:
        yield f"{key}.reference_at", "is missing: an item may be somebody else's"
    if not _says(answers, Meaning.SUCCEEDED):
        yield f"{key}.status_map", "must have a word for succeeded"
    if absence_is_proof and _says(answers, Meaning.NOT_FOUND):
        reason = "what is made ready can still be paid"
        yield f"{key}.status_map", f"has not_found, so that cannot be proof: {reason}"
    absent = [e for e in answers.error_map if e.means is Failing.NOT_FOUND]
    if absence_is_proof and not absent and answers.items_at is None:
        yield f"{key}.error_map", 'must say what not_found = "definite" is about'
    if absence_is_proof and not all(entry.codes for entry in absent):
        reason = "a wrong path, or a proxy, answers with a bare HTTP status too"
        yield f"{key}.error_map", f"not_found is definite, so name its codes: {reason}"


def unsafe_cancel_answers(call: CancelTable, shared: AnswersTable | None) -> Problems:
    """Name what could make a payout look cancelled that is not."""
    if set(call.cancelled) - SUCCESSES:
        yield "cancel.cancelled", "must be HTTP statuses from 200 to 299"
    if not set(call.too_late) <= ERRORS:
        yield "cancel.too_late", "must be HTTP statuses from 400 to 599"
    answers = call.answers.over(shared)
    if not call.cancelled and not _says(answers, Meaning.CANCELLED):
        yield "cancel.answers.status_map", "must have a word for cancelled"


def unsafe_answers(answers: AnswersTable, key: str, whole: AnswersTable) -> Problems:
    """Name what is wrong with one table; ``whole`` has what is shared as well."""
    if answers.status_map and whole.status_at is None:
        yield f"{key}.status_at", "is missing where there is a status_map"
    if answers.sub_status_at is not None and whole.status_at is None:
        yield f"{key}.sub_status_at", "has no meaning without status_at"
    if set(answers.success_codes) - SUCCESSES:
        yield f"{key}.success_codes", "must be HTTP statuses from 200 to 299"
    if set(answers.accepted) - SUCCESSES:
        yield f"{key}.accepted", "must be HTTP statuses from 200 to 299"
    if answers.currency_at is not None and whole.amount_at is None:
        yield f"{key}.amount_at", "is missing where there is a currency_at"
    if answers.more_at is not None and whole.items_at is None:
        yield f"{key}.more_at", "has no meaning without items_at"
    for number, entry in enumerate(answers.error_map):
        yield from _unsafe_entry(entry, f"{key}.error_map[{number}]", whole)


def _unsafe_entry(entry: ErrorEntry, key: str, whole: AnswersTable) -> Problems:
    if not entry.http and not entry.codes:
        yield key, "must have http or codes"
    if entry.codes and not whole.code_at:
        yield f"{key}.codes", "cannot be read without code_at"
    if entry.means is not Failing.DECLINED:
        return
    allowed = MAY_BE_A_NO | SUCCESSES if entry.codes else MAY_BE_A_NO
    wrong = sorted(set(entry.http) - allowed)
    if wrong:
        listed = ", ".join(map(str, wrong))
        yield f"{key}.http", f"{listed} must not mean declined: it may have paid"


def _says(answers: AnswersTable, *meanings: Meaning) -> bool:
    placed = answers.status_at is not None
    return placed and not set(meanings).isdisjoint(answers.status_map.values())
