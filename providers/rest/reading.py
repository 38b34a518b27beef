"""How the answers of one call are read: its places, and the words found there."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final

from fsm.domain.money import EXPONENTS
from fsm.domain.reading import UnreadableField
from providers.config.forms import AnswersTable, Failing
from providers.config.places import Place, first_of
from providers.http.outbound import Response
from providers.port import Payout
from providers.rest.amounts import minor_in
from providers.rest.parsed import ParsedAnswer, doubt_of, evidence_of, unread
from providers.rest.requests import ours

OK: Final = (200,)
RETRY_AFTER_LENGTH_MAX: Final = 32
SPOILT: Final = "?"
SUB: Final = "/"
"""Stands between a state and the word that narrows it."""
_CURRENCY_LENGTH: Final = 3


class Reading:
    """How the answers of one call are read."""

    def __init__(
        self,
        table: AnswersTable,
        *,
        reference_form: str,
        success_codes: Collection[int] = OK,
        by_theirs: bool = False,
    ) -> None:
        self._table = table
        self._form = reference_form
        self._by_theirs = by_theirs
        first = [table.items_at] if table.items_at else places_of(table)
        self._lists = any(map(_in_list, first))
        self.successes: Final = frozenset(table.success_codes or success_codes)
        self.accepted: Final = frozenset(table.accepted)

    def said(self, answer: Response, payout: Payout) -> ParsedAnswer:
        """Return what an answer says, in the words of the default form."""
        body = answer.read_json()
        if body is None or (isinstance(body, list) and not self._lists):
            said = unread(answer, payout)
            return replace(said, evidence={**said.evidence, **_retry_after(answer)})
        return self.said_in(body, answer, payout)

    def said_in(self, body: object, answer: Response, payout: Payout) -> ParsedAnswer:
        """Return what one value says that came in an answer: its body, or an item."""
        told = self._plain(body, payout)
        word = self._word(body)
        evidence = evidence_of(answer.status, told, payout)
        return ParsedAnswer(
            payout=payout,
            body=told,
            word=self._table.status_map.get(word or "", ""),
            evidence=evidence | _retry_after(answer),
            doubt=doubt_of(told, payout) or self._other_name(told, payout),
        )

    def items(self, answer: Response) -> list[object] | None:
        """Return the payouts that an answer lists; None where it is no list."""
        body, place = answer.read_json(), self._table.items_at
        found = None if body is None or place is None else place.look(body)
        return found if isinstance(found, list) else None

    def has_more(self, answer: Response) -> bool:
        """True where the list goes on elsewhere."""
        return bool(self._at(self._table.more_at, answer.read_json()))

    @property
    def is_list(self) -> bool:
        """True where answers are lists of payouts."""
        return self._table.items_at is not None

    def _word(self, body: object) -> str | None:
        """Return their word, with the one that narrows it where the map has both."""
        table = self._table
        word = text_of(self._at(table.status_at, body))
        if word is None or table.sub_status_at is None:
            return word
        told = self._at(table.sub_status_at, body)
        narrower = "" if told is None else text_of(told)
        if SUB in word or narrower is None:
            # Their own sign within a word must not look like two words.
            return None
        both = f"{word}{SUB}{narrower}"
        return both if both in table.status_map else word

    def _other_name(self, told: Mapping[str, object], payout: Payout) -> str | None:
        """Return that it is another's, where it was asked for by the provider's id."""
        theirs = told.get("provider_reference")
        if self._by_theirs and theirs not in {None, payout.provider_reference}:
            return "it is about another payout of the provider's"
        return None

    def failing(self, answer: Response, said: ParsedAnswer) -> Failing | None:
        """Return what the first line of the error map that fits says."""
        for entry in self._table.error_map:
            fits = not entry.http or answer.status in entry.http
            if fits and (not entry.codes or said.body.get("code") in entry.codes):
                return entry.means
        return None

    def _plain(self, body: object, payout: Payout) -> dict[str, object]:
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
    def _at(place: Place | None, body: object) -> object | None:
        return None if place is None else place.look(body)


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


def places_of(table: AnswersTable) -> Iterator[Place]:
    """Return every place where the answers of a call are looked into."""
    for name in type(table).model_fields:
        found = getattr(table, name) if name.endswith("_at") else None
        yield from found if isinstance(found, tuple) else [found] if found else []


def _in_list(place: Place) -> bool:
    """True where a place is one in a list, or all of it."""
    return not place.steps or place.steps[0].isdigit()


def _retry_after(answer: Response) -> dict[str, object]:
    for name, told in answer.headers.items():
        if name.lower() == "retry-after" and told.isascii() and told.isprintable():
            return {"retry_after": told[:RETRY_AFTER_LENGTH_MAX]}
    return {}
