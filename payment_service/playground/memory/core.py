"""Core in memory: its own books, of money and members; down, slow or stubborn."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from fsm.domain.errors import CoreUnavailable
from handlers.ports.core import (
    BalanceCall,
    Confirmed,
    MembershipCall,
    MembershipVerb,
    Operation,
    Refused,
)
from payment_service.playground.memory.clock import VirtualClock
from payment_service.playground.memory.effects import Effects
from payment_service.playground.memory.memberships import MemberBook

NOTIFY = "notify"


class Hold(Enum):
    """Where the money of one attempt is."""

    FROZEN = "frozen"
    COMMITTED = "committed"
    RELEASED = "released"
    RETURNED = "returned"
    BARRED = "barred"


@dataclass(frozen=True, slots=True, kw_only=True)
class BookEntry:
    """One movement in core's book; ``place`` orders it among all that happened."""

    place: int
    task_id: str
    order_id: str
    operation: Operation
    amount: int
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notification as it arrived, repeats too."""

    place: int
    event_id: str
    body: Mapping[str, object]


class CoreTrouble(Enum):
    """What core does in place of an answer."""

    DOWN = "nothing was done"
    APPLIED = "it was done, and the answer was an error"


class MemoryCore:
    """Implements ``ports.core.Core`` with the semantics of contract, section 4."""

    def __init__(self, clock: VirtualClock, effects: Effects | None = None) -> None:
        self.book: list[BookEntry] = []
        self.notices: list[Notice] = []
        self.holds: dict[str, Hold] = {}
        self.complaints: list[str] = []
        self.members = MemberBook(self.complaints)
        self.slowness = timedelta(0)
        self._clock = clock
        self._effects = effects or Effects()
        self._calls: dict[tuple[str, Operation], BalanceCall] = {}
        self._refusals: dict[Operation, list[Refused]] = {}
        self._troubles: dict[str, list[CoreTrouble]] = {}
        self._down = False

    def refuses(self, operation: Operation, code: str, *, times: int = 1) -> None:
        """Refuse the next calls of an operation for ever: these keys stay refused."""
        refusal = Refused(code=code, message=f"core refuses: {code}")
        self._refusals.setdefault(operation, []).extend([refusal] * times)

    def fails(self, call: str, trouble: CoreTrouble, *, times: int = 1) -> None:
        """Give no definite answer to the next calls (an operation, or ``notify``)."""
        self._troubles.setdefault(call, []).extend([trouble] * times)

    def mended(self, task_id: str, operation: Operation) -> None:
        """Have core's own people book by hand what it had refused to do."""
        freeze = next(
            entry
            for entry in self.book
            if entry.task_id == task_id and entry.operation is Operation.FREEZE
        )
        place, at = self._effects.tick(), self._clock.now()
        self.book.append(replace(freeze, place=place, operation=operation, at=at))
        paid_out = operation is Operation.COMMIT
        self.holds[task_id] = Hold.COMMITTED if paid_out else Hold.RELEASED

    def goes_down(self) -> None:
        self._down = True

    def comes_back(self) -> None:
        self._down = False

    @property
    def frozen(self) -> set[str]:
        """The tasks whose money is held."""
        return {task for task, hold in self.holds.items() if hold is Hold.FROZEN}

    async def balance(
        self, operation: Operation, call: BalanceCall
    ) -> Confirmed | Refused:
        if self.slowness:
            await asyncio.sleep(self.slowness.total_seconds())
        return await self._answered(operation, lambda: self._move(operation, call))

    async def membership(
        self, verb: MembershipVerb, call: MembershipCall
    ) -> Confirmed | Refused:
        return await self._answered(
            f"membership.{verb}", lambda: self.members.move(verb, call)
        )

    async def _answered(
        self, what: str, act: Callable[[], Confirmed | Refused]
    ) -> Confirmed | Refused:
        trouble = self._trouble(what)
        if trouble is CoreTrouble.DOWN:
            raise CoreUnavailable(what, "it is down")

        def failed(done: bool) -> Confirmed | Refused:
            raise CoreUnavailable(what, f"no answer, done: {done}")

        answer = await self._effects.do(f"core.{what}", act, failed)
        if trouble is CoreTrouble.APPLIED:
            raise CoreUnavailable(what, "answered 500")
        return answer

    async def notify(self, event: Mapping[str, object]) -> None:
        trouble = self._trouble(NOTIFY)
        if trouble is CoreTrouble.DOWN:
            raise CoreUnavailable(NOTIFY, "it is down")

        def failed(done: bool) -> None:
            raise CoreUnavailable(NOTIFY, f"no answer, done: {done}")

        await self._effects.do("core.notify", lambda: self._hear(event), failed)
        if trouble is CoreTrouble.APPLIED:
            raise CoreUnavailable(NOTIFY, "answered 500")

    def _trouble(self, call: str) -> CoreTrouble | None:
        waiting = self._troubles.get(call)
        if waiting:
            return waiting.pop(0)
        return CoreTrouble.DOWN if self._down else None

    def _hear(self, event: Mapping[str, object]) -> None:
        notice = Notice(
            place=self._effects.tick(),
            event_id=str(event["event_id"]),
            body=dict(event),
        )
        self.notices.append(notice)

    def _move(self, operation: Operation, call: BalanceCall) -> Confirmed | Refused:
        key = (call.task_id, operation)
        if self._calls.setdefault(key, call) != call:
            self.complaints.append(f"{key} was called with two different bodies")
        waiting = self._refusals.get(operation)
        if waiting:
            return waiting.pop(0)
        match operation:
            case Operation.FREEZE:
                return self._freeze(call)
            case Operation.COMMIT:
                return self._commit(call)
            case Operation.ROLLBACK:
                return self._rollback(call)
            case Operation.RETURN:
                return self._return(call)

    def _freeze(self, call: BalanceCall) -> Confirmed | Refused:
        hold = self.holds.get(call.task_id)
        if hold in {Hold.RELEASED, Hold.BARRED}:
            return Refused("rolled_back", "it was rolled back before")
        if hold is None:
            self._write(Operation.FREEZE, call, Hold.FROZEN)
        return Confirmed()

    def _commit(self, call: BalanceCall) -> Confirmed | Refused:
        hold = self.holds.get(call.task_id)
        if hold is Hold.FROZEN:
            self._write(Operation.COMMIT, call, Hold.COMMITTED)
        elif hold not in {Hold.COMMITTED, Hold.RETURNED}:
            self.complaints.append(f"commit of {call.task_id}, which is {hold}")
            return Refused("no_hold", "nothing is held")
        return Confirmed()

    def _rollback(self, call: BalanceCall) -> Confirmed | Refused:
        hold = self.holds.get(call.task_id)
        if hold in {Hold.COMMITTED, Hold.RETURNED}:
            self.complaints.append(f"rollback of {call.task_id}, which is committed")
            return Refused("committed", "it was committed before")
        if hold is Hold.FROZEN:
            self._write(Operation.ROLLBACK, call, Hold.RELEASED)
        elif hold is None:
            self.holds[call.task_id] = Hold.BARRED
        return Confirmed()

    def _return(self, call: BalanceCall) -> Confirmed | Refused:
        hold = self.holds.get(call.task_id)
        if hold is Hold.COMMITTED:
            self._write(Operation.RETURN, call, Hold.RETURNED)
        elif hold is not Hold.RETURNED:
            self.complaints.append(f"return of {call.task_id}, which is {hold}")
            return Refused("not_committed", "nothing was paid out")
        return Confirmed()

    def _write(self, operation: Operation, call: BalanceCall, hold: Hold) -> None:
        self.holds[call.task_id] = hold
        self.book.append(
            BookEntry(
                place=self._effects.tick(),
                task_id=call.task_id,
                order_id=call.order_id,
                operation=operation,
                amount=call.money.amount,
                currency=call.money.currency,
                at=self._clock.now(),
            )
        )
