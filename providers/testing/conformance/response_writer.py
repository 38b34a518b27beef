"""Writes answers as a declared provider does: each word and error at its place."""

from collections.abc import Collection
from typing import Final

import orjson

from fsm.domain.money import Money
from providers.config.forms import AnswersTable, Failing, Meaning
from providers.config.places import WHOLE, Place
from providers.rest.amounts import decimal_of
from providers.rest.reading import SUB
from providers.rest.requests import theirs
from providers.testing.conformance.vocabulary import WORDS_FOR_PEOPLE, Deal, Reply

UNLISTED: Final = "conformance_unlisted"
OK: Final = 200
A_REASON: Final = "51"


class WrittenAnswers:
    """The answers of one call about one payout."""

    def __init__(
        self, answers: AnswersTable, deal: Deal, *, reference_form: str
    ) -> None:
        self._answers = answers
        self._deal = deal
        self._form = reference_form
        self._success = (answers.success_codes or (OK,))[0]

    def words(
        self, *meanings: Meaning, status: int | None = None, code: str | None = None
    ) -> dict[str, Reply]:
        """Return an answer with each word that has one of the meanings."""
        listed = self._answers.status_map.items()
        found = [word for word, meaning in listed if meaning in meanings]
        return {f"the word {word}": self.word(word, status, code) for word in found}

    def word(
        self, word: str, status: int | None = None, code: str | None = None
    ) -> Reply:
        """Return the payout with this word for its state."""
        body: dict[str, object] = {}
        write_deal(body, self._answers, self._deal, self._form)
        state, narrowed = word, None
        if self._answers.sub_status_at is not None and word in self._answers.status_map:
            state, _, narrowed = word.partition(SUB)
        put(body, self._answers.status_at, state)
        if narrowed:
            put(body, self._answers.sub_status_at, narrowed)
        self._put_code(body, code)
        return reply(status or self._success, self._listed(body))

    def nothing(self) -> dict[str, Reply]:
        """Return a list with nothing in it, where answers are lists."""
        if self._answers.items_at is None:
            return {}
        return {"an empty list": reply(self._success, self._listed())}

    def _listed(self, *items: dict[str, object]) -> object:
        """Return payouts as this provider answers them: one, or a list."""
        place = self._answers.items_at
        if place is None:
            return items[0]
        if place == WHOLE:
            return list(items)
        body: dict[str, object] = {}
        put(body, place, list(items))
        return body

    def errors(self, means: Failing, only: Collection[str] = ()) -> dict[str, Reply]:
        """Return every error that is listed with this meaning."""
        return {
            _label(status, code): self.error(status, code)
            for entry in self._answers.error_map
            if entry.means is means
            for status in entry.http or (self._success,)
            for code in entry.codes or (None,)
            if not only or code in only
        }

    def error(self, status: int, code: str | None) -> Reply:
        """Return an error."""
        body: dict[str, object] = {}
        self._put_code(body, code)
        return reply(status, body)

    def unlisted(self) -> dict[str, Reply]:
        """Return refusals that look like the listed ones, but for their codes."""
        entries = [e for e in self._answers.error_map if e.means is Failing.DECLINED]
        bare = {status for e in entries if not e.codes for status in e.http}
        statuses = {
            status
            for entry in entries
            if entry.codes
            for status in entry.http or (self._success,)
        }
        return {
            _label(status, UNLISTED): self.error(status, UNLISTED)
            for status in sorted(statuses - bare)
        }

    def _put_code(self, body: dict[str, object], code: str | None) -> None:
        if code is None:
            return
        # Of several places the first that is there counts, so the last will do.
        for place in self._answers.code_at[-1:]:
            put(body, place, code)
        for place in self._answers.message_at[-1:]:
            put(body, place, WORDS_FOR_PEOPLE)


def write_deal(
    body: dict[str, object], places: object, deal: Deal, reference_form: str
) -> None:
    """Write what is known of a payout at the places of a table."""
    amount = amount_as(getattr(places, "amount_form", ""), deal.money)
    known = {
        "reference_at": theirs(deal.reference, reference_form),
        "provider_reference_at": deal.provider_reference,
        "amount_at": amount,
        "currency_at": deal.money.currency,
    }
    for name, value in known.items():
        put(body, getattr(places, name, None), value)


def amount_as(form: str, money: Money) -> object:
    """Return an amount as this provider writes it."""
    return decimal_of(money) if form == "decimal" else money.amount


def put(body: dict[str, object], place: Place | None, value: object) -> None:
    """Put a value where a reader will look for it."""
    if place is None:
        return
    *above, last = place.steps
    for step in above:
        inner = body.setdefault(step, {})
        body = inner if isinstance(inner, dict) else {}
    body[last] = value


def reply(status: int, body: object) -> Reply:
    """Return an answer of JSON."""
    return Reply(status=status, body=orjson.dumps(body))


def _label(status: int, code: str | None) -> str:
    return f"HTTP {status}" + (f" with the code {code}" if code else "")
