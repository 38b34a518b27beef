"""Asks core over HTTP: each call under its own key, within its time limit."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import orjson

from fsm.domain.errors import CoreUnavailable
from handlers.ports.core import (
    BalanceCall,
    Confirmed,
    Core,
    MembershipCall,
    MembershipVerb,
    Operation,
    Refused,
)
from providers.core.answers import TAKEN, balance_answer
from providers.core.shapes import (
    BALANCE,
    KEY,
    NOTIFICATIONS,
    BalanceRequest,
    MembershipRequest,
    key_of,
    membership_path,
)
from providers.http.outbound import Lost, Outbound, RequestNotSent, Response
from providers.http.trust import trusting

IN_FLIGHT_MAX: Final = 256

_NOTIFY: Final = "notification"


class HttpCore(Core):
    """Core at the other end of an address (contract, section 4).

    ``authority`` is a file of who alone vouches for it; None: whom the system trusts.
    """

    def __init__(
        self,
        outbound: Outbound,
        *,
        base_url: str,
        token: str | None,
        timeout: timedelta,
        authority: Path | None = None,
    ) -> None:
        tls = trusting(authority) if authority else None
        self._lane = outbound.lane(IN_FLIGHT_MAX, tls=tls)
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._seconds = timeout.total_seconds()

    async def balance(
        self, operation: Operation, call: BalanceCall
    ) -> Confirmed | Refused:
        """Move the balance under the key (task_id, operation)."""
        asked = balance_request(call)
        answer = await self._post(
            f"{BALANCE}/{operation}", asked, key=key_of(call.task_id, operation)
        )
        return balance_answer(operation, asked, answer)

    async def membership(
        self, verb: MembershipVerb, call: MembershipCall
    ) -> Confirmed | Refused:
        """Move the membership under the key (task_id, verb)."""
        asked = membership_request(call)
        answer = await self._post(
            membership_path(verb), asked, key=key_of(call.task_id, verb)
        )
        return balance_answer(verb, asked, answer)

    async def notify(self, event: Mapping[str, object]) -> None:
        """Tell core the outcome of an order under the key ``event_id``."""
        answer = await self._post(NOTIFICATIONS, event, key=str(event["event_id"]))
        if not isinstance(answer, Response):
            raise CoreUnavailable(_NOTIFY, answer.because)
        if answer.status not in TAKEN:
            raise CoreUnavailable(_NOTIFY, f"status {answer.status}")

    async def _post(
        self, path: str, body: Mapping[str, object], *, key: str
    ) -> Response | RequestNotSent | Lost:
        return await self._lane.request(
            "POST",
            f"{self._base_url}{path}",
            json_body=orjson.dumps(body),
            headers={**self._headers, KEY: key},
            timeout=self._seconds,
        )


def balance_request(call: BalanceCall) -> BalanceRequest:
    """Return the body of a balance call."""
    return {
        "task_id": call.task_id,
        "queue_id": call.queue_id,
        "order_id": call.order_id,
        "merchant_id": call.merchant_id,
        "provider": call.provider,
        "terminal_id": call.terminal_id,
        "amount": call.money.amount,
        "currency": call.money.currency,
    }


def membership_request(call: MembershipCall) -> MembershipRequest:
    """Return the body of a call about a membership."""
    return {
        "task_id": call.task_id,
        "customer_id": call.customer_id,
        "partner": call.partner,
        "card_token": call.card_token,
        "provisional": call.provisional,
    }
