"""Core over HTTP: only a definite answer to exactly our question is one."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import orjson

from fsm.domain.errors import CoreUnavailable
from fsm.domain.reading import code_in, message_in, says_error
from handlers.ports.core import (
    BalanceCall,
    Confirmed,
    Core,
    MembershipCall,
    MembershipVerb,
    Operation,
    Refused,
)
from providers.http.outbound import Lost, Outbound, RequestNotSent, Response
from providers.http.trust import trusting
from providers.http.unreadable import kind_of

IN_FLIGHT_MAX: Final = 256

DONE: Final = 200
"""By contract no other 2xx is done."""
REDIRECTS: Final = range(300, 400)

_REFUSALS: Final = frozenset({409, 422})
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
            f"balance/{operation}", asked, key=f"{call.task_id}:{operation}"
        )
        return balance_answer(operation, asked, answer)

    async def membership(
        self, verb: MembershipVerb, call: MembershipCall
    ) -> Confirmed | Refused:
        """Move the membership under the key (task_id, verb)."""
        asked = membership_request(call)
        path = "/revoke" if verb is MembershipVerb.REVOKE else ""
        answer = await self._post(
            f"memberships{path}", asked, key=f"{call.task_id}:{verb}"
        )
        return balance_answer(verb, asked, answer)

    async def notify(self, event: Mapping[str, object]) -> None:
        """Tell core the outcome of an order under the key ``event_id``."""
        answer = await self._post("notifications", event, key=str(event["event_id"]))
        if not isinstance(answer, Response):
            raise CoreUnavailable(_NOTIFY, answer.because)
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - any 2xx is done
            raise CoreUnavailable(_NOTIFY, f"status {answer.status}")

    async def _post(
        self, path: str, body: Mapping[str, object], *, key: str
    ) -> Response | RequestNotSent | Lost:
        return await self._lane.request(
            "POST",
            f"{self._base_url}/v1/{path}",
            json_body=orjson.dumps(body),
            headers={**self._headers, "Idempotency-Key": key},
            timeout=self._seconds,
        )


def balance_request(call: BalanceCall) -> dict[str, object]:
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


def membership_request(call: MembershipCall) -> dict[str, object]:
    """Return the body of a call about a membership."""
    return {
        "task_id": call.task_id,
        "customer_id": call.customer_id,
        "partner": call.partner,
        "card_token": call.card_token,
        "provisional": call.provisional,
    }


def balance_answer(
    operation: Operation | MembershipVerb,
    asked: Mapping[str, object],
    answer: Response | RequestNotSent | Lost,
) -> Confirmed | Refused:
    """Read core's answer.

    :raises CoreUnavailable: it is not definite, or it is about something else.
    """
    if not isinstance(answer, Response):
        raise CoreUnavailable(operation, answer.because)
    told = answer.read_object()
    if wrong := _contradictions(asked, told or {}):
        raise CoreUnavailable(
            operation, f"ECHO MISMATCH: core answered another {wrong}"
        )
    if answer.status == DONE and told is not None and not says_error(told):
        return Confirmed()
    refused = _refusal(told) if answer.status in _REFUSALS else None
    if refused is None:
        raise CoreUnavailable(operation, _indefinite(answer, told))
    return refused


def _indefinite(answer: Response, told: Mapping[str, object] | None) -> str:
    """Say what it is that is no answer; a wrong address is found by this line."""
    if told is None:
        what = f"status {answer.status}, and the body is {kind_of(answer)}"
    elif answer.status == DONE:
        what = f"status {answer.status}, and the body says an error"
    else:
        what = f"status {answer.status}"
    if answer.status in REDIRECTS:
        what += ", which sends elsewhere: PAYMENT_CORE_URL must be core's own address"
    return f"{what} is no definite answer"


def _contradictions(asked: Mapping[str, object], told: Mapping[str, object]) -> str:
    """Name the fields that core repeats, and repeats otherwise."""
    fields = ("task_id", "amount", "currency", "customer_id", "partner")
    return ", ".join(
        name
        for name in fields
        if name in asked
        and told.get(name) is not None
        and (type(told[name]), told[name]) != (type(asked[name]), asked[name])
    )


def _refusal(told: Mapping[str, object] | None) -> Refused | None:
    if told is None or not isinstance(told.get("message"), str):
        return None
    code = code_in(told)
    return None if code is None else Refused(code, message_in(told) or "")
