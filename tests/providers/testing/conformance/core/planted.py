"""Cores that break a promise each; the kit has to catch every one of them."""

import asyncio
from dataclasses import replace
from typing import Any

from aiohttp import web

from providers.testing.simulator.core import (
    Ledger,
    LedgerOperation,
    LedgerRefusal,
    SimulatedCore,
    Standing,
)
from providers.testing.simulator.wire import BadCallError, reply

F, C, B, R = (
    LedgerOperation.FREEZE,
    LedgerOperation.COMMIT,
    LedgerOperation.ROLLBACK,
    LedgerOperation.RETURN,
)


class Right(SimulatedCore):
    """The simulated core by another name, for others to spoil."""

    def standing(self, call):
        return self.ledger.standing(call.task_id)


class Spoilt(Ledger):
    """A ledger that another decides for."""

    weighed: Any = None

    def apply(self, operation, call, *, at):
        return self.weighed(operation, call, at)


class Weighing(Right):
    """One whose ledger decides otherwise: `weighed` says what."""

    def __init__(self, **options):
        super().__init__(**options)
        self.ledger = Spoilt(self._journal, self.ledger._funds)
        self.ledger.weighed = self.weighed

    def right(self, operation, call, *, at):
        return Ledger.apply(self.ledger, operation, call, at=at)

    def weighed(self, operation, call, at):
        return self.right(operation, call, at=at)


def no(code="known"):
    return LedgerRefusal(status=409, code=code, message="no")


class RefusesRepeats(Weighing):
    """It calls a key that it knows a conflict."""

    def weighed(self, operation, call, at):
        done = {F: Standing.FROZEN, C: Standing.COMMITTED, B: Standing.ROLLED_BACK}
        if self.standing(call) is done.get(operation):
            return no("duplicate")
        return super().weighed(operation, call, at)


class BooksRepeats(Weighing):
    def weighed(self, operation, call, at):
        again = operation is F and self.standing(call) is Standing.FROZEN
        refusal = super().weighed(operation, call, at)
        if again:
            entry = next(e for e in self.entries if e.call == call)
            self.ledger.entries.append(entry)
        return refusal


class TakesAnotherAmount(Weighing):
    """It looks at the key, and not at what came with it."""

    def weighed(self, operation, call, at):
        known = self.ledger._tasks.get(call.task_id)
        return super().weighed(operation, known.call if known else call, at)


class Says422OfAnother(Weighing):
    def weighed(self, operation, call, at):
        refusal = super().weighed(operation, call, at)
        another = refusal and refusal.code == "mismatch"
        return replace(refusal, status=422) if another else refusal


class NeedsAHold(Weighing):
    """It refuses to let go what was never held."""

    def weighed(self, operation, call, at):
        if operation is B and self.standing(call) is None:
            return no("no_hold")
        return super().weighed(operation, call, at)


class ForgetsEarlyRollbacks(Weighing):
    """It says yes to a rollback of what was never held, and notes nothing."""

    def weighed(self, operation, call, at):
        if operation is B and self.standing(call) is None:
            return None
        return super().weighed(operation, call, at)


class PaysWithoutHold(Weighing):
    def weighed(self, operation, call, at):
        if operation is C and self.standing(call) is None:
            self.right(F, call, at=at)
        return super().weighed(operation, call, at)


class PaysWhatWasLetGo(Weighing):
    def weighed(self, operation, call, at):
        if operation is C and self.standing(call) is Standing.ROLLED_BACK:
            return None
        return super().weighed(operation, call, at)


class LetsGoWhatWasPaid(Weighing):
    def weighed(self, operation, call, at):
        if operation is B and self.standing(call) is Standing.COMMITTED:
            return None
        return super().weighed(operation, call, at)


class TakesInWhatIsHeld(Weighing):
    def weighed(self, operation, call, at):
        if operation is R and self.standing(call) is Standing.FROZEN:
            return None
        return super().weighed(operation, call, at)


class ForgetsRefusals(Weighing):
    """Under a key that was refused it holds what it has by now."""

    def weighed(self, operation, call, at):
        if operation is F and self.standing(call) is Standing.REFUSED:
            del self.ledger._tasks[call.task_id]
        return super().weighed(operation, call, at)


class HoldsByOrder(Weighing):
    """It knows one hold for each order, for ever."""

    def weighed(self, operation, call, at):
        known = [e.call for e in self.entries if e.call.order_id == call.order_id]
        if operation is F and any(e.task_id != call.task_id for e in known):
            return no("order_known")
        return super().weighed(operation, call, at)


class LetsGoOfAll(Weighing):
    """A rollback lets go of whatever the merchant has held."""

    def weighed(self, operation, call, at):
        refusal = super().weighed(operation, call, at)
        if operation is B:
            for task in [*self.ledger._tasks.values()]:
                if task.standing is Standing.FROZEN:
                    self.right(B, task.call, at=at)
        return refusal


class SaysDoneAndBooksNothing(Weighing):
    def weighed(self, operation, call, at):
        if operation is B and self.standing(call) is Standing.FROZEN:
            return None
        return super().weighed(operation, call, at)


class Answering(Right):
    """One that spoils its answers, or calls before they are read."""

    async def _handle(self, request):
        answer = await super()._handle(request)
        return self.spoilt(request, answer)

    def spoilt(self, request, answer):
        del request
        return answer


class Says201(Answering):
    def spoilt(self, request, answer):
        if "/balance/" in request.path and answer.status == 200:
            answer.set_status(201)
        return answer


class SaysNothing(Answering):
    def spoilt(self, request, answer):
        done = request.method == "POST" and answer.status == 200
        return web.Response(status=200) if done else answer


class RefusesWithoutCode(Answering):
    def spoilt(self, request, answer):
        del request
        refused = answer.status in {409, 422}
        return reply({"error": "no"}, status=answer.status) if refused else answer


class SaysErrorUnder200(Answering):
    def spoilt(self, request, answer):
        del request
        refused = answer.status in {409, 422}
        return reply({"success": False}) if refused else answer


class AnotherEcho(Answering):
    def spoilt(self, request, answer):
        freeze = request.path.endswith("/freeze") and answer.status == 200
        return reply({"amount": "1.00"}) if freeze else answer


class RefusesForeignTokens(Right):
    def _authorise(self, request):
        try:
            super()._authorise(request)
        except BadCallError:
            raise BadCallError("no", status=422, code="token") from None


class LetsAnybodyIn(Right):
    def _authorise(self, request):
        pass


class OneAtATime(Right):
    """It takes a key that is under way for a conflict, and calls that final."""

    def __init__(self, **options):
        super().__init__(**options)
        self.under_way = set()

    async def _handle(self, request):
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return await super()._handle(request)
        if key in self.under_way:
            return reply({"code": "in_progress", "message": "wait"}, status=409)
        self.under_way.add(key)
        await asyncio.sleep(0.05)
        answer = await super()._handle(request)
        self.under_way.discard(key)
        return answer


class KnowsItsMembers(Right):
    """It takes a member of a body that it does not know for a mistake."""

    async def _handle(self, request):
        if request.method == "POST" and "a_new_member" in await request.text():
            return reply({"code": "unknown_member", "message": "no"}, status=422)
        return await super()._handle(request)


class NeedsATerminal(Right):
    async def _handle(self, request):
        if '"terminal_id":null' in await request.text():
            return reply({"code": "terminal", "message": "required"}, status=422)
        return await super()._handle(request)


class RefusesWhatItCannotRead(Right):
    async def _handle(self, request):
        try:
            return await super()._handle(request)
        except BadCallError as error:
            raise BadCallError(str(error), status=422) from None


class HearsOnce(Right):
    """A notification that it knows is a conflict."""

    async def _notification(self, request):
        key = request.headers["Idempotency-Key"]
        if key in self.notifications:
            return reply({"code": "known", "message": "known"}, status=409)
        return await super()._notification(request)


class KnowsOnlyWithdrawals(Right):
    async def _notification(self, request):
        if '"type":"withdrawal.' not in await request.text():
            return reply({"code": "type", "message": "unknown type"}, status=400)
        return await super()._notification(request)


class NeedsMoney(Right):
    async def _notification(self, request):
        if '"amount"' not in await request.text():
            return reply({"code": "amount", "message": "required"}, status=400)
        return await super()._notification(request)


class ListsNoRollbacks(Answering):
    def spoilt(self, request, answer):
        if not request.path.endswith("/entries"):
            return answer
        shown = [each for each in self.statement() if each["operation"] != "rollback"]
        return reply({"entries": shown, "next_cursor": None})


class ListsAnotherAmount(Answering):
    def spoilt(self, request, answer):
        if not request.path.endswith("/entries"):
            return answer
        shown = [each | {"amount": each["amount"] / 100} for each in self.statement()]
        return reply({"entries": shown, "next_cursor": None})


class GoesRound(Answering):
    def spoilt(self, request, answer):
        if not request.path.endswith("/entries") or not self.entries:
            return answer
        return reply({"entries": self.statement()[:2], "next_cursor": "again"})


class NoTimes(Answering):
    def spoilt(self, request, answer):
        if not request.path.endswith("/entries"):
            return answer
        shown = [each | {"at": "yesterday"} for each in self.statement()]
        return reply({"entries": shown, "next_cursor": None})


class GrantsOnce(Right):
    async def _membership(self, request, verbs):
        key = request.headers["Idempotency-Key"]
        known = self.memberships.get(key.partition(":")[0], {}).get("verbs", [])
        if key.endswith(":grant") and "grant" in known:
            return reply({"code": "member", "message": "known"}, status=409)
        return await super()._membership(request, verbs)


class GrantsAfterRevokes(Right):
    async def _membership(self, request, verbs):
        key = request.headers["Idempotency-Key"]
        if not key.endswith(":revoke"):
            self.book_of_members.by_task.pop(key.partition(":")[0], None)
        return await super()._membership(request, verbs)


class RevokesOnlyItsOwn(Right):
    async def _membership(self, request, verbs):
        key = request.headers["Idempotency-Key"]
        if key.endswith(":revoke") and key.partition(":")[0] not in self.memberships:
            return reply({"code": "not_granted", "message": "no"}, status=409)
        return await super()._membership(request, verbs)
