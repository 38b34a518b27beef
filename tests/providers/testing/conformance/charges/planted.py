"""Adapters of charges that guess, each in its own way; the kit catches every one."""

from dataclasses import replace

import orjson

from fsm.domain.money import Money
from handlers.ports.payments import Charged, Refunded
from handlers.ports.services import (
    ServiceNotKnown,
    ServiceNotSent,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
)
from providers.http.outbound import Lost, RequestNotSent, Response
from providers.rest.charges import (
    RestCharges,
    charge_request,
    refund_answer,
    refund_request,
)


class Right(RestCharges):
    """The adapter `rest` of charges by another name, for others to spoil."""

    def __init__(self, table, outbound):
        super().__init__(table, outbound, base_url=table.base_url)
        self.table = table
        self.client = self._client

    def __repr__(self):
        return f"{type(self).__name__}({self.name})"

    @classmethod
    def charges(cls, table, outbound):
        return cls(table, outbound)


class TimeoutIsNo(Right):
    async def charge(self, charge):
        answer = await super().charge(charge)
        if isinstance(answer, ServiceUnclear) and "in time" in answer.because:
            return ServiceRefused(code="timeout")
        return answer


class LostIsNotSent(Right):
    async def charge(self, charge):
        answer = await self.client.create(charge.key, charge_request(charge))
        if isinstance(answer, Lost):
            return ServiceNotSent(because="no answer")
        return await super().charge(charge)


class NotSentIsUnclear(Right):
    async def charge(self, charge):
        answer = await super().charge(charge)
        unclear = ServiceUnclear(because="?")
        return unclear if isinstance(answer, ServiceNotSent) else answer


class AcceptedIsCharged(Right):
    async def charge(self, charge):
        answer = await super().charge(charge)
        taken = isinstance(answer, ServiceUnclear) and "still at it" in answer.because
        return Charged() if taken else answer


class YesIsUnclear(Right):
    async def charge(self, charge):
        answer = await super().charge(charge)
        return ServiceUnclear(because="?") if isinstance(answer, Charged) else answer


class RefundedIsUnclear(Right):
    async def refund(self, charge):
        answer = await super().refund(charge)
        return ServiceUnclear(because="?") if isinstance(answer, Refunded) else answer


class PendingIsNotKnown(Right):
    async def charge_status(self, charge):
        answer = await super().charge_status(charge)
        return ServiceNotKnown() if isinstance(answer, ServicePending) else answer


class NotKnownIsNo(Right):
    async def charge_status(self, charge):
        answer = await super().charge_status(charge)
        no = ServiceRefused(code="unknown")
        return no if isinstance(answer, ServiceNotKnown) else answer


class NoHasNoCode(Right):
    async def charge(self, charge):
        answer = await super().charge(charge)
        if isinstance(answer, ServiceRefused):
            return replace(answer, code="")
        return answer


class EveryNoIsOne(Right):
    """It believes the word, whatever status it comes with."""

    async def charge(self, charge):
        answer = await self.client.create(charge.key, charge_request(charge))
        said = (answer.read_object() if isinstance(answer, Response) else None) or {}
        if said.get("status") == "declined":
            return ServiceRefused(code=str(said["code"]))
        return ServiceUnclear(because="?")


class ErrorOfAQuestionIsAnAnswer(Right):
    async def charge_status(self, charge):
        answer = await self.client.status(charge.reference)
        if isinstance(answer, Response) and answer.status in {401, 403, 404}:
            return ServiceNotKnown()
        return await super().charge_status(charge)


class UnknownWordIsCharged(Right):
    async def charge(self, charge):
        answer = await self.client.create(charge.key, charge_request(charge))
        said = answer.read_object() if isinstance(answer, Response) else None
        word = (said or {}).get("status")
        known = {"succeeded", "accepted", "declined", None}
        return ServiceUnclear(because="?") if word in known else Charged()


class EmptyIsCharged(Right):
    async def charge(self, charge):
        answer = await self.client.create(charge.key, charge_request(charge))
        if isinstance(answer, Response) and answer.status < 300 and not answer.body:
            return Charged()
        return ServiceUnclear(because="?")


class MoneyHidden(Right):
    async def charge_status(self, charge):
        answer = await super().charge_status(charge)
        if isinstance(answer, Charged):
            return replace(answer, amount=None, currency=None)
        return answer


class AnyChargeWillDo(Right):
    async def charge_status(self, charge):
        answer = await self.client.status(charge.reference)
        said = answer.read_object() if isinstance(answer, Response) else None
        if (said or {}).get("status") == "succeeded":
            return Charged()
        return ServiceUnclear(because="?")


class FloatAmounts(Right):
    async def charge(self, charge):
        body = charge_request(charge) | {"amount": float(charge.money.amount)}
        await self.client.create(charge.key, body)
        return ServiceUnclear(because="?")


class KeyOfChance(Right):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.count = 0

    async def charge(self, charge):
        self.count += 1
        key = f"{charge.key}-{self.count}"
        await self.client.create(key, charge_request(charge))
        return ServiceUnclear(because="?")


class RepeatsByItself(Right):
    async def charge(self, charge):
        answer = await super().charge(charge)
        if isinstance(answer, ServiceUnclear):
            return await super().charge(charge)
        return answer


class RefundsByTheKeyOfTheCharge(Right):
    async def refund(self, charge):
        return await super().refund(replace(charge, key=charge.reference))


class RefundsAnother(Right):
    async def refund(self, charge):
        other = charge.reference.replace("0", "1", 1)
        return await super().refund(replace(charge, reference=other))


class TakenIsRefunded(Right):
    async def refund(self, charge):
        answer = await super().refund(charge)
        taken = isinstance(answer, ServiceUnclear) and "still at it" in answer.because
        return Refunded() if taken else answer


class ShownIsRefunded(Right):
    """It takes the charge, as it is shown, for its refund."""

    async def refund(self, charge):
        answer = await self._refunded(charge)
        said = answer.read_object() if isinstance(answer, Response) else None
        if (said or {}).get("status") == "succeeded":
            return Refunded()
        return refund_answer(answer, charge)

    async def _refunded(self, charge):
        return await self.client.refund(
            charge.reference, refund_request(charge), key=charge.key
        )


class AnyAnswerRefunds(ShownIsRefunded):
    async def refund(self, charge):
        answer = await self._refunded(charge)
        return (
            Refunded() if isinstance(answer, Response) else ServiceUnclear(because="?")
        )


class LostIsRefunded(ShownIsRefunded):
    async def refund(self, charge):
        answer = await self._refunded(charge)
        if isinstance(answer, RequestNotSent):
            return ServiceNotSent(because="?")
        return Refunded() if isinstance(answer, Lost) else refund_answer(answer, charge)


class OtherMoneyIsRefunded(ShownIsRefunded):
    async def refund(self, charge):
        answer = await self._refunded(charge)
        said = answer.read_object() if isinstance(answer, Response) else None
        amount = (said or {}).get("amount")
        if said is not None and isinstance(amount, int):
            money = Money(amount, str(said["currency"]))
            return refund_answer(answer, replace(charge, money=money))
        return refund_answer(answer, charge)


class RefusedRefundIsUnclear(Right):
    async def refund(self, charge):
        answer = await super().refund(charge)
        unclear = ServiceUnclear(because="?")
        return unclear if isinstance(answer, ServiceRefused) else answer


class Raises(Right):
    async def charge(self, charge):
        answer = await super().charge(charge)
        if isinstance(answer, ServiceUnclear):
            raise RuntimeError("nobody knows")  # noqa: TRY004 - of no type
        return answer


class ShowsWhatIsPaidWith(Right):
    async def charge(self, charge):
        answer = await self.client.create(charge.key, charge_request(charge))
        told = answer.read_object() if isinstance(answer, Response) else None
        said = orjson.dumps(told).decode()
        return ServiceRefused(code="declined", message=said)
