"""Reads a provider's own list of payouts in a declared form, page by page."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Final

from payment_service.config import ProviderTable
from payment_service.config.forms import Listed, StatementTable
from payment_service.domain.events import stamp
from payment_service.outbound import Lane, Outbound, Response
from providers.rest.proofs import proof_of
from providers.rest.reading import (
    SPOILT,
    amount_of,
    currency_of,
    reference_of,
    text_of,
)
from providers.rest.requests import Call, Unsendable
from providers.statements import NoStatement, NotOffered, Row

PAGES_MAX: Final = 1_000_000
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
        self._call = Call(form, table.base_url or "")
        self._proof = proof_of(table)
        tls = table.tls.context() if table.tls else None
        self._lane: Lane = outbound.lane(1, tls=tls)
        self._seconds = table.timeout.total_seconds()

    async def pages(self, since: datetime, until: datetime) -> AsyncIterator[list[Row]]:
        """Yield page after page, in the words of the default form.

        :raises NotOffered: the default form's first page is not found.
        :raises NoStatement: a page did not come, or is none.
        """
        cursor: str | None = None
        for page in range(1, PAGES_MAX + 1):
            values = {**_times(since, until), "cursor": cursor, "page": page}
            body = await self._asked(values, page)
            found = self._form.rows_at.look(body)
            if not isinstance(found, list):
                raise NoStatement(f"page {page} has no list of payouts")
            yield [self._row(row, page) for row in found]
            cursor = self._next(body)
            if cursor is None and not (found and self._counts):
                return
        raise NoStatement(f"it does not end after {PAGES_MAX} pages")

    @property
    def _counts(self) -> bool:
        return self._form.next_cursor_at is None and "page" in self._call.holes

    def _next(self, body: Row) -> str | None:
        place = self._form.next_cursor_at
        return None if place is None else text_of(place.look(body)) or None

    async def _asked(
        self, values: Mapping[str, object], page: int
    ) -> dict[str, object]:
        try:
            request = self._call.request(values)
            headers = {**request.headers, **self._proof.headers(request)}
        except Unsendable as error:
            raise NoStatement(str(error)) from None
        answer = await self._lane.request(
            request.method,
            request.url,
            json_body=request.body,
            headers=headers,
            timeout=self._seconds,
        )
        if not isinstance(answer, Response):
            raise NoStatement(f"no answer: {answer.because}")
        if answer.status == NOT_FOUND and page == 1 and self._form is DEFAULT:
            raise NotOffered("there is no such list")
        body = answer.read_object()
        if answer.status != OK or body is None:
            raise NoStatement(f"answered {answer.status}")
        return body

    def _row(self, row: object, page: int) -> Row:
        form = self._form
        currency = currency_of(form.currency_at.look(row))
        told = {
            "reference": reference_of(
                form.reference_at.look(row), self._reference_form
            ),
            "status": self._status(row),
            "amount": amount_of(form.amount_at.look(row), form.amount_form, currency),
            "currency": currency,
        }
        wrong = [name for name, value in told.items() if value in {None, SPOILT}]
        if wrong:
            raise NoStatement(f"page {page} has a payout without {', '.join(wrong)}")
        at = None if form.time_at is None else text_of(form.time_at.look(row))
        return {**told, "at": at}

    def _status(self, row: object) -> str | None:
        word = text_of(self._form.status_at.look(row))
        return None if word is None else self._form.status_map.get(word, f"?{word}")


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
