"""Reads what Stripe made under our references, page by page."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from fsm.domain.events import stamp
from fsm.domain.ids import is_uuid
from fsm.domain.reading import UnreadableField
from providers.answering import Answer
from providers.config import ProviderTable
from providers.config.forms import Listed
from providers.http.outbound import Outbound, Response
from providers.statements import (
    NoStatement,
    NotOffered,
    Oddity,
    Row,
    StatementPage,
    UnreadableLine,
    Walk,
)
from providers.stripe.objects import PLACES, Body, Fate, read_seen, reference_in
from providers.stripe.provider import client_of

OK: Final = 200
# As many as fit into the longest answer that is read: a payment intent is long.
PAGE: Final = {"payout": 100, "payment_intent": 20}
CANCELED: Final = "canceled"

_LISTED: Final = {
    Fate.PAID: Listed.SUCCEEDED,
    Fate.COMING: Listed.ACCEPTED,
    Fate.NOT_PAID: Listed.FAILED,
    Fate.REVERSED: Listed.RETURNED,
}


class StripeStatement:
    """The list of one account; what others made there is left out."""

    def __init__(self, table: ProviderTable, outbound: Outbound) -> None:
        if table.stripe is None:
            raise ValueError("needs stripe")
        self._makes = table.stripe.makes
        self._is_of_others = table.stripe.connect
        self._client = client_of(table, outbound, 1)

    async def pages(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[StatementPage]:
        """Yield page after page, newest first, in the words of the default form.

        :raises NotOffered: the payouts are connected accounts', each with its own list.
        :raises NoStatement: a page did not come, or is none.
        """
        if self._is_of_others:
            raise NotOffered("each connected account has its own list")
        query = {
            "created[gte]": str(int(since.timestamp())),
            "created[lte]": str(int(until.timestamp())),
            "limit": str(PAGE[self._makes]),
        }
        walk = Walk()
        async for page in walk.pages():
            body = await self._asked(walk, query, page)
            found = body.get("data")
            if not isinstance(found, list) or not all(map(_is_object, found)):
                raise NoStatement("a page has no list of objects")
            walk.comes(page, found)
            yield self._page(found, page)
            if body.get("has_more") is not True or not found:
                return
            query["starting_after"] = str(found[-1]["id"])
            walk.goes_on(page, query["starting_after"])

    def _page(self, found: list[Body], page: int) -> StatementPage:
        read = [self._line(row, page, number) for number, row in enumerate(found, 1)]
        return StatementPage(
            rows=[line for line in read if not isinstance(line, UnreadableLine)],
            odd=[line for line in read if isinstance(line, UnreadableLine)],
        )

    async def _asked(self, walk: Walk, query: dict[str, str], page: int) -> Body:
        answer = await walk.ask(page, lambda: self._sent(query))
        if not isinstance(answer, Response):
            raise NoStatement(f"no answer: {answer.because}")
        body = answer.read_object()
        if answer.status != OK or body is None:
            raise NoStatement(f"answered {answer.status}")
        return body

    async def _sent(self, query: dict[str, str]) -> Answer:
        place, until = PLACES[self._makes], self._client.deadline()
        return await self._client.get(place, query, account=None, until=until)

    def _line(self, row: Body, page: int, number: int) -> Row | UnreadableLine:
        reference = reference_in(row)
        if reference is None or not is_uuid(reference):
            return UnreadableLine(page=page, row=number, oddity=Oddity.FOREIGN)
        try:
            seen = read_seen(row, self._makes)
        except UnreadableField as error:
            return UnreadableLine(
                page=page,
                row=number,
                oddity=Oddity.UNREADABLE,
                reference=reference,
                said=f"without {error}",
            )
        at = row.get("created")
        return {
            "reference": seen.reference,
            "status": _status(seen.fate, seen.status),
            "amount": seen.amount,
            "currency": seen.currency,
            "at": stamp(datetime.fromtimestamp(at, UTC)) if type(at) is int else None,
        }


def _is_object(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("id"), str)


def _status(fate: Fate, status: str) -> str:
    if status == CANCELED:
        return Listed.CANCELLED.value
    return _LISTED[fate].value if fate in _LISTED else f"?{status}"
