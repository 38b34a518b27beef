"""Adapters of partners that break a promise each; the kit has to catch every one."""

from dataclasses import replace

import orjson

from handlers.ports.partners import (
    Eligible,
    NotEligible,
    PartnerNotSent,
    PartnerPending,
    PartnerUnclear,
    RevokeNoted,
)
from providers.partners import RestPartner


class Right(RestPartner):
    """The adapter `rest` by another name, for others to spoil."""

    async def check_eligibility(self, call):
        return self.spoilt(await super().check_eligibility(call))

    async def check_again(self, call):
        return self.spoilt(await super().check_again(call))

    def spoilt(self, answer):
        return answer


class TakesATimeoutForANo(Right):
    def spoilt(self, answer):
        unclear = isinstance(answer, PartnerUnclear)
        return NotEligible(code="no_answer") if unclear else answer


class TakesSilenceForAYes(Right):
    def spoilt(self, answer):
        return Eligible() if isinstance(answer, PartnerUnclear) else answer


class TakesALostConnectionForNotSent(Right):
    def spoilt(self, answer):
        lost = isinstance(answer, PartnerUnclear) and "status" not in answer.because
        return PartnerNotSent(because=answer.because) if lost else answer


class CannotSayNotSent(Right):
    def spoilt(self, answer):
        unsent = isinstance(answer, PartnerNotSent)
        return PartnerUnclear(because=answer.because) if unsent else answer


class CannotWait(Right):
    def spoilt(self, answer):
        waits = isinstance(answer, PartnerPending)
        return NotEligible(code="pending") if waits else answer


class NeverHeedsRetryAfter(Right):
    def spoilt(self, answer):
        unclear = isinstance(answer, PartnerUnclear)
        return PartnerUnclear(because=answer.because) if unclear else answer


class AsksTwice(Right):
    async def check_eligibility(self, call):
        await super().check_eligibility(call)
        return await super().check_eligibility(call)


class AnotherKeyEachTime(Right):
    async def check_eligibility(self, call):
        self.count = getattr(self, "count", 0) + 1
        order = {**call.order, "try": self.count}
        return await super().check_eligibility(replace(call, order=order))


class OneKeyForAll(Right):
    async def check_eligibility(self, call):
        order = dict.fromkeys(("task_id", "order_id")) | {"card": call.order["card"]}
        return await super().check_eligibility(replace(call, key="k:1", order=order))


class LosesTheCard(Right):
    async def check_eligibility(self, call):
        order = {**call.order, "card": {"token": "****"}}
        return await super().check_eligibility(replace(call, order=order))


class ShowsTheToken(Right):
    async def check_eligibility(self, call):
        answer = await super().check_eligibility(call)
        no = isinstance(answer, NotEligible)
        return replace(answer, message=str(dict(call.order))) if no else answer


class ShowsItsSecret(Right):
    def __repr__(self):
        return orjson.dumps(
            {n: v.get_secret_value() for n, v in self._table.headers.items()}
        ).decode()


class Raises(Right):
    def spoilt(self, answer):
        if isinstance(answer, PartnerUnclear):
            raise TypeError("an answer that nobody had thought of")
        return answer


class TakesAnyNoticeForHeard(Right):
    async def notify_revoked(self, call):
        await super().notify_revoked(call)
        return RevokeNoted()


class NeverHearsThatANoticeIsDone(Right):
    async def notify_revoked(self, call):
        await super().notify_revoked(call)
        return PartnerUnclear(because="status 200")
