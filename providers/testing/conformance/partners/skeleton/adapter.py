"""Acme behind the port of partners: it calls, reads, and raises for no answer."""

from collections.abc import Mapping
from typing import Final

import orjson

from handlers.ports.partners import (
    CheckAnswer,
    Eligible,
    MultiMatch,
    NoticeAnswer,
    PartnerCall,
    PartnerPending,
    PartnerUnclear,
    RevokeNoted,
)
from providers.config.partners import PartnerTable
from providers.http.outbound import Lost, Outbound, RequestNotSent, Response
from providers.partners.said import card_of, not_eligible, unanswered, unclear

OK: Final = 200
DONE: Final = frozenset({200, 202, 204})


class AcmePartner:
    """Acme, as its table says; the registry makes it."""

    def __init__(self, table: PartnerTable, outbound: Outbound) -> None:
        if table.base_url is None:
            raise ValueError("needs a base_url")
        self.name: Final = table.name
        self.policy: Final = table.policy
        self._lane = outbound.lane(table.max_in_flight)
        self._base_url = table.base_url
        self._headers = {n: v.get_secret_value() for n, v in table.headers.items()}
        self._seconds = table.timeout.total_seconds()

    async def check_eligibility(self, call: PartnerCall) -> CheckAnswer:
        """Ask whether a customer's card can be linked."""
        return read(await self._post("checks", call), call)

    async def check_again(self, call: PartnerCall) -> CheckAnswer:
        """Ask what became of several matches."""
        return read(await self._post("checks", call), call)

    async def notify_revoked(self, call: PartnerCall) -> NoticeAnswer:
        """Tell Acme that the membership is revoked."""
        answer = await self._post("revokes", call)
        if not isinstance(answer, Response):
            return unanswered(answer)
        if answer.status in DONE:
            return RevokeNoted()
        return unclear(answer, "which says nothing definite")

    async def _post(
        self, path: str, call: PartnerCall
    ) -> Response | RequestNotSent | Lost:
        return await self._lane.request(
            "POST",
            f"{self._base_url}/{path}",
            json_body=orjson.dumps(asked(call)),
            headers={**self._headers, "Idempotency-Key": call.key},
            timeout=self._seconds,
        )


def asked(call: PartnerCall) -> Mapping[str, object]:
    """Return what Acme is told of a card."""
    card = card_of(call.order)
    return {
        "reference": call.task_id,
        "customer": call.order.get("customer_id"),
        "card": card["card_token"],
        "country": card["card_country"],
    }


def read(answer: Response | RequestNotSent | Lost, call: PartnerCall) -> CheckAnswer:
    """Read what Acme says: pure and total, and what is not definite is unclear."""
    if not isinstance(answer, Response):
        return unanswered(answer)
    told = answer.read_object()
    if answer.status != OK or told is None:
        return unclear(answer, "which says nothing definite")
    if told.get("reference") != call.task_id:
        return PartnerUnclear(because="it is about another reference")
    match told.get("verdict"):
        case "match":
            return Eligible()
        case "several":
            return MultiMatch()
        case "later":
            return PartnerPending()
        case "no_match":
            words = {"code": told.get("reason"), "message": told.get("text")}
            return not_eligible(words, card_of(call.order))
        case _:
            return unclear(answer, "without a verdict that is known")
