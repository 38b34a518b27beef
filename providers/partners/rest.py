"""A partner over HTTP: the contract's form, or the one that its table declares.

It calls once and never again: what follows from an answer, or from none, is for those
to decide who know what is written down.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Literal

import orjson

from fsm.partner.policy import LinkPolicy
from handlers.ports.partners import (
    CheckAnswer,
    NoticeAnswer,
    PartnerCall,
    RevokeNoted,
)
from providers.answering import Answer
from providers.config.forms import RequestTable
from providers.config.partners import EligibilityTable, PartnerTable
from providers.http.outbound import Outbound, RequestNotSent
from providers.partners.fetched import HttpFiles
from providers.partners.reconciling import FileNote, Reconciliation, nobody_reads
from providers.partners.said import (
    DEFAULT,
    card_of,
    eligibility_said,
    notice_said,
    text_in,
)
from providers.rest.auth import proof_of
from providers.rest.requests import CallTemplate, PreparedRequest, Unsendable

ELIGIBILITY: Final = "/eligibility"
REVOCATIONS: Final = "/revocations"
TEXTS: Final = ("order_id", "queue_id", "merchant_id", "customer_id", "partner")

Check = Literal["first", "fallback"]


def now() -> datetime:
    """Return the time of this machine, which names the days of files."""
    return datetime.now(UTC)


class RestPartner:
    """A partner at the other end of an address (contract, section 5)."""

    def __init__(
        self,
        table: PartnerTable,
        outbound: Outbound,
        *,
        clock: Callable[[], datetime] = now,
        note: FileNote = nobody_reads,
    ) -> None:
        if table.base_url is None:
            raise ValueError("needs a base_url")
        self.name: Final = table.name
        self.policy: Final[LinkPolicy] = table.policy
        self._table = table
        tls = table.tls.context() if table.tls else None
        self._lane = outbound.lane(table.max_in_flight, tls=tls)
        self._seconds = table.timeout.total_seconds()
        self._proof = proof_of(table)
        self._first = _question(table.eligibility, table.base_url, ELIGIBILITY)
        again = table.fallback_check or table.eligibility
        self._again = _question(again, table.base_url, ELIGIBILITY)
        self._revoked = _question(table.revocation, table.base_url, REVOCATIONS)
        self._files = files_of(table, outbound, clock=clock, note=note)

    async def check_eligibility(self, call: PartnerCall) -> CheckAnswer:
        """Ask whether a customer's card can be linked."""
        return await self._checked(call, self._first, self._table.eligibility, "first")

    async def check_again(self, call: PartnerCall) -> CheckAnswer:
        """Ask what became of several matches, or look into the partner's file."""
        if self._files is not None:
            return await self._files.answer(call)
        told = self._table.fallback_check or self._table.eligibility
        return await self._checked(call, self._again, told, "fallback")

    async def notify_revoked(self, call: PartnerCall) -> NoticeAnswer:
        """Tell of a revoke; done where the partner wants to hear of none."""
        if not self._table.notices:
            return RevokeNoted()
        answer = await self._sent(self._revoked, call, values_of(call, "revoked"), {})
        listed = self._table.revocation.done if self._table.revocation else ()
        return notice_said(answer, listed)

    async def _checked(
        self,
        call: PartnerCall,
        question: "Question",
        told: EligibilityTable | None,
        check: Check,
    ) -> CheckAnswer:
        values = values_of(call, check)
        more = {} if check == "first" else {"check": check}
        answer = await self._sent(question, call, values, more)
        answers = DEFAULT if told is None else told.answers
        return eligibility_said(answer, values, answers)

    async def _sent(
        self,
        question: "Question",
        call: PartnerCall,
        values: Mapping[str, object],
        more: Mapping[str, object],
    ) -> Answer:
        """Make one call; what cannot be put into words was certainly not sent."""
        try:
            request = question(call, values, more)
            headers = {**request.headers, **self._proof.headers(request)}
        except Unsendable as error:
            return RequestNotSent(str(error), ours=True)
        return await self._lane.request(
            request.method,
            request.url,
            json_body=request.body,
            headers=headers,
            timeout=self._seconds,
        )


Question = Callable[
    [PartnerCall, Mapping[str, object], Mapping[str, object]], PreparedRequest
]
"""(call, what templates can say, what the default form says more) -> the request."""


def _question(table: RequestTable | None, base_url: str, path: str) -> Question:
    if table is not None:
        template = CallTemplate(table, base_url)
        return lambda _call, values, _more: template.request(values)

    def default(
        call: PartnerCall, _values: Mapping[str, object], more: Mapping[str, object]
    ) -> PreparedRequest:
        return PreparedRequest(
            method="POST",
            url=f"{base_url}{path}",
            headers={"Idempotency-Key": call.key},
            body=orjson.dumps({**call.order, **more}),
        )

    return default


def values_of(call: PartnerCall, check: str) -> dict[str, object]:
    """Return what the templates of a call about a card can say."""
    texts = {name: text_in(call.order, name) for name in TEXTS}
    known: dict[str, str | None] = {**texts, **card_of(call.order)}
    known |= {"key": call.key, "task_id": call.task_id, "check": check}
    return {"n": call.n, **{name: value or None for name, value in known.items()}}


def files_of(
    table: PartnerTable,
    outbound: Outbound,
    *,
    clock: Callable[[], datetime] = now,
    note: FileNote = nobody_reads,
) -> Reconciliation | None:
    """Return the files that a partner reconciles by; None where it has none."""
    file = table.file
    if file is None:
        return None
    source = HttpFiles(table, file, outbound)
    return Reconciliation(table.name, file, source, now=clock, note=note)
