"""Reads a provider's own list of payouts in a declared form, page by page."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Final

from fsm.domain.events import stamp
from fsm.domain.ids import is_uuid
from fsm.domain.masking import masked_prose
from fsm.domain.reading import shortened
from providers.answering import Answer
from providers.config import ProviderTable
from providers.config.forms import Listed, StatementTable
from providers.config.vocabulary import CURSOR, PAGE
from providers.http.outbound import ConnectionLimit, Outbound, Response
from providers.http.unreadable import kind_of
from providers.rest.reading import (
    SPOILT,
    amount_of,
    currency_of,
    reference_of,
    text_of,
)
from providers.rest.requests import CallTemplate, Unsendable
from providers.rest.sending import RequestSender
from providers.statements import (
    PAGE_BYTES_MAX,
    NoStatement,
    NotOffered,
    Oddity,
    Pace,
    Row,
    StatementPage,
    UnreadableLine,
    Walk,
)

OK, NOT_FOUND = 200, 404

DEFAULT: Final = StatementTable.model_validate(
    {
        "path": "/payouts",
        "query": {"from": "{from}", "to": "{to}", "cursor": "{cursor?}"},
        "rows_at": "payouts",
        "next_cursor_at": "next_cursor",
        "reference_at": "reference",
        "status_at": "status",
        "status_map": {word.value: word.value for word in Listed},
        "amount_at": "amount",
        "currency_at": "currency",
        "time_at": "at",
    }
)
"""The list in the default wire form (contract, section 5)."""


class DeclaredStatement:
    """The list of one provider, as its table declares it."""

    def __init__(
        self, table: ProviderTable, form: StatementTable, outbound: Outbound
    ) -> None:
        self._form = form
        self._reference_form = table.reference_form
        self._call = CallTemplate(form, table.base_url or "")
        tls = table.tls.context() if table.tls else None
        lane: ConnectionLimit = outbound.lane(1, tls=tls, body_max=PAGE_BYTES_MAX)
        self._sender = RequestSender(table, lane)
        self._pace = Pace(pause=form.pause, deadline=form.deadline)

    async def pages(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[StatementPage]:
        """Yield page after page, in the words of the default form.

        :raises NotOffered: the default form's first page is not found.
        :raises NoStatement: a page did not come, or is none, or was read already.
        """
        walk, cursor = Walk(self._pace), None
        async for page in walk.pages():
            values = {**_times(since, until), "cursor": cursor, "page": page}
            body = await self._asked(walk, values, page)
            found = self._form.rows_at.look(body)
            if not isinstance(found, list):
                raise NoStatement(f"page {page} has no list of payouts")
            walk.comes(page, found)
            yield self._page(found, page)
            cursor = self._next(body, page)
            if cursor is not None and self._sends_cursor:
                walk.goes_on(page, cursor)
            if cursor is None and not (found and self._counts):
                return

    @property
    def _sends_cursor(self) -> bool:
        return CURSOR in self._call.holes

    @property
    def _counts(self) -> bool:
        return self._form.next_cursor_at is None and PAGE in self._call.holes

    def _next(self, body: object, page: int) -> str | None:
        """Return the next page's cursor; what says no is none.

        :raises NoStatement: what is there is none, and the list may go on all the same.
        """
        place = self._form.next_cursor_at
        found = None if place is None else place.look(body)
        if found is None or found is False or found == "":
            return None
        cursor = text_of(found)
        if cursor is None:
            raise NoStatement(f"page {page} has a next cursor that cannot be read")
        return cursor

    async def _asked(
        self, walk: Walk, values: Mapping[str, object], page: int
    ) -> object:
        answer = await walk.ask(page, lambda: self._sent(values))
        if not isinstance(answer, Response):
            raise NoStatement(f"no answer: {answer.because}")
        if answer.status == NOT_FOUND and page == 1 and self._form is DEFAULT:
            raise NotOffered("there is no such list")
        if answer.status != OK:
            raise NoStatement(f"answered {answer.status}")
        body = answer.read_json()
        if body is None:
            raise NoStatement(f"page {page} is {kind_of(answer)}")
        return body

    async def _sent(self, values: Mapping[str, object]) -> Answer:
        """Ask for a page, signed anew each time."""
        try:
            request = self._call.request(values)
            return await self._sender.send(request, again=True)
        except Unsendable as error:
            raise NoStatement(str(error)) from None

    def _page(self, found: list[object], page: int) -> StatementPage:
        read = [self._line(row, page, number) for number, row in enumerate(found, 1)]
        return StatementPage(
            rows=[line for line in read if not isinstance(line, UnreadableLine)],
            odd=[line for line in read if isinstance(line, UnreadableLine)],
        )

    def _line(self, row: object, page: int, number: int) -> Row | UnreadableLine:
        """Read one line; what is odd about it stops no other."""
        form = self._form

        def odd(oddity: Oddity, said: str | None = None) -> UnreadableLine:
            ours = reference if isinstance(reference, str) else None
            return UnreadableLine(
                page=page, row=number, oddity=oddity, reference=ours, said=said
            )

        reference = reference_of(form.reference_at.look(row), self._reference_form)
        if not isinstance(reference, str) or not is_uuid(reference):
            reference = None
        if form.kind_at is not None:
            kind = text_of(form.kind_at.look(row))
            if kind not in form.kinds:
                return odd(Oddity.OTHER, _shown(kind))
        if reference is None:
            return odd(Oddity.FOREIGN)
        goes, value = _signed(form.amount_at.look(row))
        currency = currency_of(form.currency_at.look(row))
        word = text_of(form.status_at.look(row))
        told = {
            "reference": reference,
            "status": None if word is None else form.status_map.get(word, word),
            "amount": amount_of(value, form.amount_form, currency),
            "currency": currency,
        }
        wrong = [name for name, found in told.items() if found in {None, SPOILT}]
        if wrong:
            return odd(Oddity.UNREADABLE, f"without {', '.join(wrong)}")
        if word not in form.status_map:
            return odd(Oddity.UNREADABLE, f"nobody has listed {_shown(word)}")
        if goes is not (form.sign == "minus"):
            return odd(Oddity.OPPOSITE)
        at = None if form.time_at is None else text_of(form.time_at.look(row))
        return {**told, "at": at}


def _signed(value: object) -> tuple[bool, object]:
    """Return whether a minus stands before an amount, and the amount without it."""
    if isinstance(value, str):
        text = value.strip()
        return text.startswith("-"), text.removeprefix("-")
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        return True, -value
    return False, value


def _shown(word: str | None) -> str:
    return "without a kind" if word is None else shortened(masked_prose(word))[:32]


def statement_of(table: ProviderTable, outbound: Outbound) -> DeclaredStatement | None:
    """Return the list of a provider in its own form; None where it declares none."""
    form = form_of(table)
    if form is None or table.base_url is None:
        return None
    return DeclaredStatement(table, form, outbound)


def form_of(table: ProviderTable) -> StatementTable | None:
    """Return how the list of a provider is read."""
    return DEFAULT if table.create is None else table.statement


def _times(since: datetime, until: datetime) -> dict[str, object]:
    return {
        "from": stamp(since),
        "to": stamp(until),
        "from_date": since.astimezone(UTC).date().isoformat(),
        "to_date": until.astimezone(UTC).date().isoformat(),
    }
