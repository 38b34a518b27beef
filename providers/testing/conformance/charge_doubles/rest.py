"""A payment provider of the default wire form, for the conformance kit of charges."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

import orjson

from providers.config import ProviderTable
from providers.testing.conformance.charge_doubles.vocabulary import (
    AskedCharge,
    ChargeCall,
    ChargeSaying,
)
from providers.testing.conformance.vocabulary import (
    DESTINATION,
    WORDS_FOR_PEOPLE,
    Deal,
    ReceivedRequest,
    Reply,
    Unreadable,
)

A_CODE: Final = "do_not_honor"
PLACE: Final = "/charges"
UNLISTED: Final = "percolating"
_YES: Final = {
    ChargeCall.CHARGE: (201, "succeeded"),
    ChargeCall.STATUS: (200, "succeeded"),
    ChargeCall.REFUND: (200, "refunded"),
}
_NEEDED: Final = ("reference", "order_id", "merchant_id", "customer_id")


class RestChargeDouble:
    """Speaks the default form; ``path`` is what its ``base_url`` has before it."""

    payment_method: Final = DESTINATION

    def __init__(self, path: str, code: str) -> None:
        self._place = f"{path}{PLACE}"
        self._code = code

    def read(self, request: ReceivedRequest) -> AskedCharge:
        """Read the path, and the body where there is one."""
        path = urlsplit(request.target).path
        if not path.startswith(self._place):
            raise Unreadable(f"{path} is no place of charges")
        reference, _, verb = path.removeprefix(self._place).strip("/").partition("/")
        match request.method, bool(reference), verb:
            case "POST", False, "":
                return self._asked(ChargeCall.CHARGE, request, None)
            case "GET", True, "":
                return AskedCharge(call=ChargeCall.STATUS, reference=unquote(reference))
            case "POST", True, "refund":
                return self._asked(ChargeCall.REFUND, request, unquote(reference))
            case _:
                raise Unreadable(f"{request.method} {path} is no call")

    def replies(
        self, call: ChargeCall, saying: ChargeSaying, deal: Deal
    ) -> Mapping[str, Reply]:
        """Return the words of the contract."""
        status, yes = _YES[call]
        match saying:
            case ChargeSaying.DONE:
                return {yes: self._said(status, yes, deal)}
            case ChargeSaying.AT_WORK:
                return {"accepted": self._said(status, "accepted", deal)}
            case ChargeSaying.UNLISTED_WORD:
                words = [UNLISTED]
                if call is ChargeCall.REFUND:
                    # The charge as it was, which is no word about its refund.
                    words.append("succeeded")
                return {word: self._said(status, word, deal) for word in words}
            case ChargeSaying.DECLINED if call is ChargeCall.STATUS:
                more = {"code": self._code}
                return {
                    word: self._said(status, word, deal, **more)
                    for word in ("declined", "failed")
                }
            case ChargeSaying.DECLINED:
                more = {"code": self._code, "message": WORDS_FOR_PEOPLE}
                return {
                    f"declined with HTTP {code}": self._said(
                        code, "declined", deal, **more
                    )
                    for code in (400, 402, 422)
                }
            case ChargeSaying.NOT_FOUND if call is ChargeCall.STATUS:
                body = orjson.dumps({"code": "not_found"})
                return {"404": Reply(status=404, body=body)}
            case ChargeSaying.LOCKED_OUT:
                body = orjson.dumps({"code": "expired_token"})
                return {"401": Reply(status=401, body=body)}
            case _:
                return {}

    def cancelled(self, deal: Deal) -> None:
        """Return nothing: none of its charges waits for a customer."""
        del deal

    def _asked(
        self, call: ChargeCall, request: ReceivedRequest, reference: str | None
    ) -> AskedCharge:
        try:
            body = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            raise Unreadable("its body is not JSON") from None
        needed = _NEEDED if call is ChargeCall.CHARGE else ("reference",)
        missing = [n for n in needed if not isinstance(body.get(n), str)]
        if missing:
            raise Unreadable(f"its body has no {missing[0]}")
        if reference not in {None, body["reference"]}:
            raise Unreadable("its path is about another charge")
        if call is ChargeCall.CHARGE and body.get("payment_method") != DESTINATION:
            raise Unreadable("its payment_method is another")
        amount = body.get("amount")
        return AskedCharge(
            call=call,
            reference=body["reference"],
            key=request.headers.get("idempotency-key"),
            amount=amount if type(amount) is int else None,
            currency=body.get("currency"),
        )

    def _said(self, status: int, word: str, deal: Deal, **more: str) -> Reply:
        body = {
            "status": word,
            "reference": deal.reference,
            "provider_reference": deal.provider_reference,
            "amount": deal.money.amount,
            "currency": deal.money.currency,
            **more,
        }
        return Reply(status=status, body=orjson.dumps(body))


def charge_double(table: ProviderTable) -> RestChargeDouble:
    """Make the double of a table."""
    listed = table.rejection_codes
    path = urlsplit(table.base_url or "").path
    return RestChargeDouble(path, listed[0] if listed else A_CODE)
