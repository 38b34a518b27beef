"""The double of the adapter `rest`: a table, read from the provider's side.

Its requests are the table's templates read backwards, its answers the table's words
and error map written out. A table without a form of its own has the default one.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from fsm.domain.webhook_events import WebhookEventType
from providers.config import ProviderTable
from providers.config.forms import CallTable, Failing, Listed, Meaning
from providers.config.places import WHOLE, parse_place
from providers.config.unsafe_calls import holes_of
from providers.config.vocabulary import OF_DESTINATION
from providers.rest.statement import form_of
from providers.rest.webhook_mapping import PREFIX
from providers.testing.conformance.request_parser import Reader
from providers.testing.conformance.response_writer import (
    A_REASON,
    OK,
    UNLISTED,
    WrittenAnswers,
    put,
    reply,
    write_deal,
)
from providers.testing.conformance.steps import Steps, asked_by
from providers.testing.conformance.token_desk import require_token
from providers.testing.conformance.vocabulary import (
    DESTINATION,
    Asked,
    Call,
    Deal,
    ReceivedRequest,
    Reply,
    Saying,
)

REFUSED: Final = 422
A_CODE: Final = "do_not_honor"
_STATES: Final = ("succeeded", "accepted", "declined", "failed")
_TYPES: Final = ("succeeded", "failed", "accepted", "returned")
_PLACES: Final = {
    "reference_at": "reference",
    "provider_reference_at": "provider_reference",
    "code_at": "code",
    "message_at": "message",
    "amount_at": "amount",
    "currency_at": "currency",
}
DEFAULT: Final = ProviderTable.model_validate(
    {
        "name": "default",
        "adapter": "rest",
        "base_url": "https://provider.example",
        "create": {
            "path": "/payouts",
            "headers": {"Idempotency-Key": "{reference}"},
            "body": {
                "reference": "{reference}",
                "amount": "{amount}",
                "currency": "{currency}",
                "destination": "{destination}",
                "terminal_id": "{terminal_id?}",
                "callback_url": "{callback_url?}",
            },
        },
        "status": {
            "path": "/payouts/{reference}",
            "answers": {
                "error_map": [{"http": [404], "means": "not_found"}],
                "status_map": {word: word for word in (*_STATES, "returned")},
            },
        },
        "cancel": {
            "path": "/payouts/{reference}/cancel",
            "cancelled": [OK],
            "answers": {"status_map": {"cancelled": "cancelled"}},
        },
        "answers": {
            **_PLACES,
            "status_at": "status",
            "status_map": {word: word for word in _STATES},
        },
        "webhook_body": {
            **_PLACES,
            "type_at": "type",
            "type_map": {f"{PREFIX}{word}": word for word in _TYPES},
            "event_id_at": "id",
        },
    }
)
"""The default wire form (contract, sections 5 and 7), said as a table."""

_MEANINGS: Final[Mapping[Saying, tuple[Meaning, ...]]] = {
    Saying.SUCCEEDED: (Meaning.SUCCEEDED,),
    Saying.ACCEPTED: (Meaning.ACCEPTED,),
    Saying.DECLINED: (Meaning.DECLINED, Meaning.FAILED),
    Saying.CANCELLED: (Meaning.CANCELLED,),
    Saying.RETURNED: (Meaning.RETURNED,),
    Saying.TOO_LATE: (Meaning.TOO_LATE,),
}
_ERRORS: Final = {
    (Call.CREATE, Saying.DECLINED): Failing.DECLINED,
    (Call.CREATE, Saying.EXISTS): Failing.EXISTS,
    (Call.CREATE, Saying.BUSY): Failing.RETRY_LATER,
    (Call.STATUS, Saying.BUSY): Failing.RETRY_LATER,
    (Call.STATUS, Saying.NOT_FOUND): Failing.NOT_FOUND,
    (Call.CANCEL, Saying.TOO_LATE): Failing.TOO_LATE,
}


class DeclaredDouble:
    """One provider, as its table declares it."""

    def __init__(self, table: ProviderTable) -> None:
        self._is_default: Final = table.create is None
        self._form: Final = DEFAULT if self._is_default else table
        self._table: Final = table
        self._calls: Final = _calls(self._form, asks=table.status)
        self._reader: Final = Reader(self._calls, table)
        self._steps: Final = Steps(table, self._reader)

    @property
    def destination(self) -> Mapping[str, str]:
        """Return one with every field that the table's calls say something of."""
        calls = [*self._calls.values(), *asked_by(self._table)]
        said = {hole for call in calls for hole in holes_of(call)}
        fields = (n.removeprefix(OF_DESTINATION) for n in said if OF_DESTINATION in n)
        return {name: f"conformance_{name}_8f2a" for name in fields} | DESTINATION

    def read(self, request: ReceivedRequest) -> Asked:
        """Read the templates of the calls backwards, and who asks."""
        require_token(self._table, request)
        return self._reader.read(request, self._steps.known)

    def step(self, request: ReceivedRequest) -> Reply | None:
        """Answer a call that comes before a create, as its table reads it."""
        return self._steps.reply(request)

    def replies(self, call: Call, saying: Saying, deal: Deal) -> Mapping[str, Reply]:
        """Write out every word, listed error and bare status that says so."""
        if call not in self._calls:
            return {}
        written = WrittenAnswers(
            self._calls[call].answers.over(self._form.answers),
            deal,
            reference_form=self._table.reference_form,
        )
        if saying is Saying.UNLISTED_WORD:
            return {f"the word {UNLISTED}": written.word(UNLISTED)}
        if call is Call.CREATE and saying in {Saying.DECLINED, Saying.UNLISTED_CODE}:
            return self._refusals(written, saying)
        found = written.words(*_MEANINGS.get(saying, ()))
        if saying is Saying.NOT_FOUND:
            found |= written.nothing()
        if (means := _ERRORS.get((call, saying))) is not None:
            found |= written.errors(means)
        return found | self._bare(call, saying)

    def notices(self, kind: WebhookEventType, deal: Deal) -> Mapping[str, bytes]:
        """Write out every type of a webhook that is of this kind."""
        form = self._form.webhook_body
        if form is None:
            return {}
        types = [w for w, t in form.type_map.items() if f"{PREFIX}{t}" == kind]
        if kind is WebhookEventType.UNKNOWN:
            types = [UNLISTED]
        return {word: self._notice(word, kind, deal) for word in types}

    def pages(self, deals: Sequence[Deal]) -> Sequence[Reply]:
        """Write out the list, one payout on each page where it has pages."""
        form = form_of(self._table)
        if form is None:
            return []
        paid = next(w for w, m in form.status_map.items() if m is Listed.SUCCEEDED)
        rows: list[dict[str, object]] = []
        for deal in deals:
            rows.append({})
            write_deal(rows[-1], form, deal, self._table.reference_form)
            put(rows[-1], form.status_at, paid)
            if form.kinds:
                put(rows[-1], form.kind_at, form.kinds[0])
            if form.sign == "minus":
                put(rows[-1], form.amount_at, f"-{form.amount_at.look(rows[-1])}")
        counted = "page" in holes_of(form)
        if form.next_cursor_at is None and not counted:
            bodies = [rows]
        else:
            bodies = [[row] for row in rows] + ([[]] if counted else [])
        pages = []
        for number, body in enumerate(bodies, 1):
            if form.rows_at == WHOLE:
                pages.append(reply(OK, body))
                continue
            page: dict[str, object] = {}
            put(page, form.rows_at, body)
            if number < len(bodies):
                put(page, form.next_cursor_at, str(number))
            pages.append(reply(OK, page))
        return pages

    def _refusals(self, written: WrittenAnswers, saying: Saying) -> Mapping[str, Reply]:
        """Return the definite answers no, or what only looks like them."""
        codes = self._table.rejection_codes
        no = (Meaning.DECLINED,) if self._is_default else _MEANINGS[Saying.DECLINED]
        status = REFUSED if self._is_default else None
        if saying is Saying.UNLISTED_CODE:
            told = written.unlisted()
            words = written.words(*no, status=status, code=UNLISTED)
            return told | words if codes else told
        found = written.errors(Failing.DECLINED, codes)
        for code in codes or (A_CODE,):
            words = written.words(*no, status=status, code=code)
            found |= {f"{label}, code {code}": told for label, told in words.items()}
        return found

    def _bare(self, call: Call, saying: Saying) -> dict[str, Reply]:
        """Return what is said by a bare HTTP status."""
        table, cancel = self._calls[call], self._form.cancel
        answers = table.answers.over(self._form.answers)
        statuses: Sequence[int] = ()
        if call is Call.CREATE and saying is Saying.ACCEPTED:
            statuses = answers.accepted
        elif cancel is not None and table is cancel:
            listed = {s for e in answers.error_map if not e.codes for s in e.http}
            known = {
                Saying.CANCELLED: cancel.cancelled,
                Saying.TOO_LATE: cancel.too_late,
            }
            statuses = [s for s in known.get(saying, ()) if s not in listed]
        return {f"a bare HTTP {status}": Reply(status=status) for status in statuses}

    def _notice(self, word: str, kind: WebhookEventType, deal: Deal) -> bytes:
        form, webhook = self._form.webhook_body, self._table.webhook
        body: dict[str, object] = {}
        if form is None:
            return b""
        write_deal(body, form, deal, self._table.reference_form)
        put(body, form.type_at, word)
        put(body, form.event_id_at, deal.event_id)
        put(body, form.order_at, 7)
        if webhook is not None and webhook.form and webhook.form.event_id_pointer:
            put(body, parse_place(webhook.form.event_id_pointer), deal.event_id)
        if kind is WebhookEventType.FAILED:
            for place in form.code_at[-1:]:
                put(body, place, A_REASON)
        return orjson.dumps(body)


def double(table: ProviderTable) -> DeclaredDouble:
    """Make the double of a table."""
    return DeclaredDouble(table)


def _calls(form: ProviderTable, *, asks: bool) -> Mapping[Call, CallTable]:
    status = form.asking if asks else None
    calls = {Call.CREATE: form.create, Call.STATUS: status, Call.CANCEL: form.cancel}
    return {call: table for call, table in calls.items() if table is not None}
