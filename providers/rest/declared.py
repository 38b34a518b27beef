"""A provider's own wire form, spoken as its table declares it."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from fsm.domain.webhook_events import WebhookEvent
from fsm.payout.policy import AskedBy
from providers.config import ProviderTable
from providers.config.creates import CreateTable
from providers.config.forms import CancelTable, StatusTable
from providers.config.vocabulary import KEPT, PROVIDER_REFERENCE
from providers.http.outbound import ConnectionLimit, RequestNotSent
from providers.port import (
    CancelAnswer,
    CreateAnswer,
    Payout,
    StatusAnswer,
    TooLate,
    Unclear,
)
from providers.rest import answers
from providers.rest.parsed import SUCCESSES
from providers.rest.reading import OK, Reading
from providers.rest.requests import CallTemplate, Unsendable, Values, values_of
from providers.rest.sending import RequestSender, Sent
from providers.rest.several import SeveralCalls
from providers.rest.webhook_mapping import read_declared
from providers.rest.webhooks import read_webhook
from providers.retry_after import heeding

NO_STATUS: Final = "the status cannot be asked"
NOTHING: Final[Values] = MappingProxyType({})


class _Asked:
    """One call, and how its answers are read."""

    def __init__(
        self,
        call: CreateTable | StatusTable | CancelTable,
        table: ProviderTable,
        base_url: str,
        success_codes: Collection[int] = OK,
        *,
        by_theirs: bool = False,
    ) -> None:
        self.call: Final = CallTemplate(call, base_url)
        self.reading: Final = Reading(
            call.answers.over(table.answers),
            reference_form=table.reference_form,
            success_codes=success_codes,
            by_theirs=by_theirs,
        )


class DeclaredForm:
    """Makes the calls of a table, and reads the answers by it."""

    def __init__(
        self,
        table: ProviderTable,
        create: CreateTable,
        lane: ConnectionLimit,
        *,
        base_url: str,
        callback_url: str | None,
    ) -> None:
        self._table = table
        self._callback_url = callback_url
        self._sender = RequestSender(table, lane)
        self._rejection_codes = frozenset(table.rejection_codes)
        self._create = _Asked(
            create, table, base_url, SUCCESSES, by_theirs=create.names_payout
        )
        several = SeveralCalls(table, create, base_url, self._sent)
        self._several = several if create.before else None
        asking, cancel = table.asking, table.cancel
        theirs = table.asked_by is AskedBy.THEIRS
        self._status = (
            None
            if asking is None
            else _Asked(asking, table, base_url, by_theirs=theirs)
        )
        self._cancel = None if cancel is None else _Asked(cancel, table, base_url)

    async def create(self, payout: Payout) -> CreateAnswer:
        """Ask for the payout, with our reference in it."""
        if self._several is None:
            return await self._pay(payout, {}, self._table.timeout.total_seconds())
        return await self._several.create(payout, self._pay)

    async def _pay(
        self, payout: Payout, values: Values, seconds: float
    ) -> CreateAnswer:
        """Make the call that pays, once, with what the calls before it have answered.

        Never twice in one create, not with a new token either: a repeat is the
        lifecycle's, which reads its answer as one.
        """
        answer = await self._sent(self._create.call, payout, values, seconds)
        theirs = values.get(f"{KEPT}{PROVIDER_REFERENCE}")
        known = payout.provider_reference if theirs is None else str(theirs)
        said = answers.create_answer(
            answer,
            replace(payout, provider_reference=known),
            self._create.reading,
            self._rejection_codes,
        )
        return heeding(said, answer)

    async def status(self, payout: Payout) -> StatusAnswer:
        """Ask what became of it, where the table says how."""
        if self._status is None:
            return Unclear(because=NO_STATUS)
        answer = await self._sent(self._status.call, payout, again=True)
        said = answers.status_answer(answer, payout, self._status.reading)
        return heeding(said, answer)

    async def cancel(self, payout: Payout) -> CancelAnswer:
        """Ask not to pay it; a provider that cannot be asked goes on with it."""
        if self._cancel is None or self._table.cancel is None:
            return TooLate()
        answer = await self._sent(self._cancel.call, payout, again=True)
        said = answers.cancel_answer(
            answer, payout, self._cancel.reading, self._table.cancel
        )
        return heeding(said, answer)

    def read_webhook(
        self, event_id: str | None, body: Mapping[str, object], now: datetime
    ) -> WebhookEvent | None:
        """Read a verified webhook as the table says."""
        if self._table.webhook_body is None:
            return read_webhook(self._table.name, event_id, body, now)
        return read_declared(
            self._table.webhook_body,
            body,
            provider=self._table.name,
            event_id=event_id,
            reference_form=self._table.reference_form,
            now=now,
        )

    async def _sent(
        self,
        call: CallTemplate,
        payout: Payout,
        kept: Values = NOTHING,
        seconds: float | None = None,
        *,
        again: bool = False,
    ) -> Sent:
        """Make one call; what cannot be put into words was certainly not sent.

        ``kept`` is what calls before it have answered, ``seconds`` its time limit;
        ``again`` says that asking twice does nothing twice.
        """
        form = self._table.reference_form
        try:
            values = {**values_of(payout, self._callback_url, form), **kept}
            request = call.request(values)
            return await self._sender.send(request, again=again, seconds=seconds)
        except Unsendable as error:
            return RequestNotSent(str(error), ours=True)
