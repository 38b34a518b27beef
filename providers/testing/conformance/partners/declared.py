"""The double of the adapter `rest`: a partner's table, read from the partner's side."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from providers.config.partners import (
    Eligibility,
    EligibilityTable,
    FileTable,
    PartnerAnswersTable,
    PartnerTable,
)
from providers.partners.said import DEFAULT
from providers.testing.conformance.partners.words import (
    Enquiry,
    PartnerSaying,
    Question,
)
from providers.testing.conformance.response_writer import put
from providers.testing.conformance.vocabulary import (
    WORDS_FOR_PEOPLE,
    ReceivedRequest,
    Reply,
)

OK: Final = 200
UNLISTED: Final = "conformance_unlisted"
A_CODE: Final = "not_a_customer"
ERROR: Final = 422
FIELDS: Final = ("key", "task_id", "order_id", "customer_id", "card_token")
_MEANS: Final = {
    PartnerSaying.ELIGIBLE: Eligibility.ELIGIBLE,
    PartnerSaying.NOT_ELIGIBLE: Eligibility.NOT_ELIGIBLE,
    PartnerSaying.MULTI_MATCH: Eligibility.MULTI_MATCH,
    PartnerSaying.PENDING: Eligibility.PENDING,
}


class DeclaredPartner:
    """One partner, as its table declares it."""

    def __init__(self, table: PartnerTable) -> None:
        self._table = table

    def heard(self, request: ReceivedRequest) -> Mapping[str, str]:
        """Return every value that stands in it anywhere, as it was sent."""
        told = " ".join(
            (request.target, *request.headers.values(), request.body.decode())
        )
        return dict.fromkeys(FIELDS, told)

    def replies(
        self, question: Question, saying: PartnerSaying, enquiry: Enquiry
    ) -> Mapping[str, Reply]:
        """Write out every word and listed error that says so."""
        if question is Question.REVOKED:
            return self._noticed(saying)
        if question is Question.AGAIN and self._table.file is not None:
            return {}
        answers = self._answers(question)
        if saying is PartnerSaying.UNLISTED:
            return {f"the word {UNLISTED}": _written(answers, UNLISTED, enquiry)}
        if saying is PartnerSaying.UNLISTED_ERROR:
            told = _written(answers, None, enquiry, status=ERROR, code=UNLISTED)
            return {f"HTTP {ERROR}, code {UNLISTED}": told}
        means = _MEANS.get(saying)
        found = {
            f"the word {word}": _written(answers, word, enquiry)
            for word, known in answers.results.items()
            if known is means
        }
        if means is Eligibility.NOT_ELIGIBLE:
            found |= {
                f"HTTP {status}, code {code}": _written(
                    answers, None, enquiry, status=status, code=code
                )
                for entry in answers.refusals
                for status in entry.http
                for code in entry.codes
            }
        return found

    def _noticed(self, saying: PartnerSaying) -> Mapping[str, Reply]:
        if saying is not PartnerSaying.DONE or not self._table.notices:
            return {}
        listed = self._table.revocation.done if self._table.revocation else ()
        return {f"HTTP {status}": Reply(status=status) for status in (OK, 204, *listed)}

    def _answers(self, question: Question) -> PartnerAnswersTable:
        call: EligibilityTable | None = self._table.eligibility
        if question is Question.AGAIN and self._table.fallback_check is not None:
            call = self._table.fallback_check
        return DEFAULT if call is None else call.answers


def _written(
    answers: PartnerAnswersTable,
    word: str | None,
    enquiry: Enquiry,
    *,
    status: int = OK,
    code: str = A_CODE,
) -> Reply:
    body: dict[str, object] = {}
    if word is not None:
        put(body, answers.result_at, word)
    for place in answers.code_at[:1]:
        put(body, place, code)
    for place in answers.message_at[:1]:
        put(body, place, WORDS_FOR_PEOPLE)
    for name, place in answers.echoes.items():
        put(body, place, getattr(enquiry, name, None))
    return Reply(status=status, body=orjson.dumps(body))


def double(table: PartnerTable) -> DeclaredPartner:
    """Make the double of a table."""
    return DeclaredPartner(table)


class DeclaredFile:
    """A partner's file, as its table declares it."""

    def __init__(self, table: FileTable) -> None:
        self._table = table
        columns = table.columns
        self._columns = {
            key: name
            for key in type(columns).model_fields
            if (name := getattr(columns, key)) is not None
        }

    @property
    def head(self) -> list[str]:
        """Return the first line."""
        return [*self._columns.values()]

    def word(self, means: Eligibility) -> str | None:
        """Return a word of the file's that means this."""
        words = (word for word, known in self._table.results.items() if known is means)
        return next(words, None)

    def line(self, enquiry: Enquiry, word: str) -> list[str]:
        """Return a line about this card, decided just now."""
        now = datetime.now(UTC) + timedelta(minutes=1)
        told = {name: getattr(enquiry, name) for name in FIELDS}
        told |= {"result": word, "code": A_CODE, "message": WORDS_FOR_PEOPLE}
        told["time"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        return [told[key] for key in self._columns]

    def body(self, lines: Iterable[list[str]]) -> bytes:
        """Write a file of these lines, the head first."""
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self._table.delimiter)
        writer.writerows([self.head, *lines])
        return text.getvalue().encode(self._table.encoding)
