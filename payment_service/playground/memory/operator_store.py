"""Dead letters, cases and erasure in memory: what operators deal with."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import orjson

from fsm.domain.acts import (
    SYSTEM,
    Act,
    CaseTrigger,
    LetterTrigger,
    case_act,
    letter_act,
)
from fsm.domain.audit import Link
from fsm.domain.case_events import case_opened, case_settled
from fsm.domain.cases import ONE_OPEN, case_id, money_at_risk
from fsm.domain.dead_letters import DeadLetter
from fsm.domain.erasure import NOBODY, Erasure, is_erased
from fsm.domain.errors import NotNow, StaleWrite, UnknownOrder
from fsm.domain.masking import masked_text
from fsm.domain.messages import Message
from fsm.domain.orders import Order
from fsm.engine.steps import Case, CaseMove
from fsm.engine.words import UNSETTLED, CaseKind, CaseState
from fsm.payout.words import Trigger
from handlers.ports.reads import CaseRecord
from handlers.ports.store import Unsent
from payment_service.playground.memory.inbox import MemoryInbox
from payment_service.playground.memory.tables import DeadLettered


class MemoryOperatorStore(MemoryInbox):
    """Implements the port ``OperatorStore``."""

    async def dead_letter(
        self, letter: DeadLetter, messages: Sequence[Message]
    ) -> None:
        await self._commit(
            "store.dead_letter", lambda: self._dead_letter(letter, messages)
        )

    async def letter(self, letter_id: str) -> DeadLetter:
        dead_lettered = self.tables.letters.get(letter_id)
        if dead_lettered is None:
            raise UnknownOrder(letter_id, "dead letter")
        if not dead_lettered.open:
            raise NotNow(f"dead letter {letter_id} was dealt with already")
        return dead_lettered.letter

    async def open_dead_letters(
        self, *, subject: str | None, limit: int
    ) -> Sequence[str]:
        dead_lettered = [b.letter for b in self.tables.letters.values() if b.open]
        wanted = [b for b in dead_lettered if subject is None or b.subject == subject]
        return [b.id for b in sorted(wanted, key=lambda b: b.at)][:limit]

    async def mark_replayed(
        self,
        letter_id: str,
        *,
        actor: str,
        reason: str,
        at: datetime,
        messages: Sequence[Message] = (),
        reopens: tuple[str, str] | None = None,
    ) -> bool:
        said = letter_act(LetterTrigger.REPLAYED, letter_id, actor=actor, reason=reason)

        def act() -> tuple[bool, list[Unsent]]:
            marked = self._dealt_with(said, at, lambda b: replace(b, replayed_by=actor))
            if marked and reopens in self.tables.events:
                self._reopen(self.tables.events[reopens])
            return marked, self._posted(messages) if marked else []

        return await self._commit("desk.mark_replayed", act)

    async def mark_discarded(
        self, letter_id: str, *, actor: str, reason: str, at: datetime
    ) -> bool:
        act = letter_act(LetterTrigger.DISCARDED, letter_id, actor=actor, reason=reason)
        return self._dealt_with(act, at, lambda b: replace(b, discarded_by=actor))

    async def vote_to_close(
        self, case_id: str, *, voter: str, actor: str, reason: str, at: datetime
    ) -> None:
        case = await self._open_case(case_id)
        if case.close_voter is not None:
            raise NotNow(f"case {case_id} has just changed")
        self.tables.cases[case_id] = replace(case, close_voter=voter)
        trigger = CaseTrigger.CLOSE_PROPOSED
        act = case_act(trigger, case_id, actor=actor, reason=reason, voter=voter)
        self._say(case.queue_id, act, at)

    async def clear_vote_to_close(
        self,
        case_id: str,
        *,
        voter: str,
        trigger: CaseTrigger,
        actor: str,
        reason: str,
        at: datetime,
    ) -> None:
        case = await self._open_case(case_id)
        if case.close_voter != voter:
            raise NotNow(f"case {case_id} has just changed")
        self.tables.cases[case_id] = replace(case, close_voter=None)
        act = case_act(trigger, case_id, actor=actor, reason=reason)
        self._say(case.queue_id, act, at)

    async def _open_case(self, case_id: str) -> CaseRecord:
        case = await self.case(case_id)
        if case.state is not CaseState.OPEN:
            raise NotNow(f"case {case_id} is {case.state}")
        return case

    async def close_case(
        self,
        case_id: str,
        *,
        actor: str,
        reason: str,
        at: datetime,
        agrees_with: str | None = None,
        message: Message | None = None,
    ) -> None:
        case = await self._open_case(case_id)
        if agrees_with is not None and case.close_voter != agrees_with:
            raise NotNow(f"case {case_id} has just changed")
        said = case_act(CaseTrigger.CLOSED, case_id, actor=actor, reason=reason)

        def act() -> tuple[None, list[Unsent]]:
            self.tables.cases[case_id] = replace(
                case, state=CaseState.CLOSED, closed_at=at, reason=masked_text(reason)
            )
            self._say(case.queue_id, said, at)
            return None, self._posted([] if message is None else [message])

        await self._commit("desk.close_case", act)

    async def case(self, case_id: str) -> CaseRecord:
        case = self.tables.cases.get(case_id)
        if case is None:
            raise UnknownOrder(case_id, "case")
        return case

    async def assign_case(
        self, case_id: str, *, owner: str, actor: str, reason: str, at: datetime
    ) -> None:
        case = await self.case(case_id)
        if case.closed_at is not None:
            raise NotNow(f"case {case_id} is {case.state}")
        self.tables.cases[case_id] = replace(case, owner=owner)
        act = case_act(
            CaseTrigger.ASSIGNED, case_id, actor=actor, reason=reason, owner=owner
        )
        self._say(case.queue_id, act, at)

    async def open_case(self, order: Order, case: Case, at: datetime) -> None:
        def act() -> tuple[None, list[Unsent]]:
            return None, self._posted(self._open(case, order, at))

        await self._commit("store.open_case", act)

    async def opening_of(self, case: CaseRecord) -> Link | None:
        trail = self.tables.trail
        for (entity_id, version), line in trail.items():
            its = entity_id == case.task_id and line.at == case.opened_at
            if its and line.trigger == Trigger.RETURNED:
                return Link(line, trail[entity_id, version - 1].hash)
        return None

    async def erase(self, erasure: Erasure) -> None:
        order, line = erasure.order, erasure.line
        found = self.tables.orders.get(order.queue_id)
        if found is None or found.queue.audit_hash != order.queue.audit_hash:
            raise StaleWrite(order.queue_id)
        cases = self.tables.cases.values()
        if any(c.queue_id == order.queue_id and c.closed_at is None for c in cases):
            raise NotNow("a case is open")
        tasks = {task.task_id for task in order.queue.tasks}
        about = {
            each.letter.id: each
            for each in self.tables.letters.values()
            if _is_about(each.letter, order)
        }
        if any(each.open for each in about.values()):
            raise NotNow("a dead letter is open")
        for each in about.values():
            self.tables.letters[each.letter.id] = _emptied(each)
        blank = {t.task_id: replace(t, result=None) for t in found.queue.tasks}
        queue = found.queue.with_tasks(blank)
        queue = replace(queue, version=line.version, loaded=None)
        told = erasure.customer_message
        queue = replace(queue, audit_hash=erasure.audit_hash, customer_message=told)
        self.tables.orders[order.queue_id] = replace(
            found,
            queue=queue,
            customer_id=NOBODY,
            destination={},
            metadata={},
            details={},
            signature=erasure.signature,
        )
        for inbox_id, kept in self.tables.inbox.items():
            if kept.stored.webhook.task_id in tasks:
                self._forget_words(inbox_id)
        self.tables.trail[line.entity_id, line.version] = line

    def _open(self, opened: Case, order: Order, at: datetime) -> list[Message]:
        """Open a case, and return the event that says so where it was not there."""
        record = _case_record(opened, order, at)
        for case in self.tables.cases.values():
            alike = (case.task_id, case.kind) == (record.task_id, record.kind)
            if alike and case.closed_at is None and case.kind in ONE_OPEN:
                return []
        if record.id in self.tables.cases:
            return []
        self.tables.cases[record.id] = record
        return [case_opened(order, opened, at)]

    def _move_cases(
        self, move: CaseMove, order: Order, at: datetime
    ) -> Iterator[Message]:
        """Move the open cases about a return, and give the events of those over."""
        for case in list(self.tables.cases.values()):
            returned = case.kind is CaseKind.RETURN_AFTER_SUCCESS
            if case.task_id == move.task_id and returned and case.closed_at is None:
                self.tables.cases[case.id] = replace(
                    case,
                    state=move.state,
                    closed_at=None if move.state in UNSETTLED else at,
                    reason=move.reason or case.reason,
                )
                if move.state not in UNSETTLED:
                    yield case_settled(order, move, case.id, at)

    def _order_of(self, letter: DeadLetter) -> str | None:
        return self.tables.queues.get(letter.task_id or "") or letter.queue_id

    def _dead_letter(
        self, letter: DeadLetter, messages: Sequence[Message]
    ) -> tuple[None, list[Unsent]]:
        dead_lettered = self.tables.letters.get(letter.id)
        if dead_lettered is not None and dead_lettered.open:
            return None, []
        self.tables.letters[letter.id] = DeadLettered(letter=letter)
        if dead_lettered is not None:
            act = letter_act(
                LetterTrigger.REOPENED, letter.id, actor=SYSTEM, reason=letter.error
            )
            self._say(self._order_of(letter), act, letter.at)
        return None, self._posted(messages)

    def _dealt_with(
        self, act: Act, at: datetime, mark: Callable[[DeadLettered], DeadLettered]
    ) -> bool:
        letter_id = str(act.detail["dead_letter_id"])
        dead_lettered = self.tables.letters.get(letter_id)
        if dead_lettered is None or not dead_lettered.open:
            return False
        marked, letter = mark(dead_lettered), dead_lettered.letter
        erased = [each for each in self.tables.orders.values() if is_erased(each)]
        if any(_is_about(letter, each) for each in erased):
            marked = _emptied(marked)
        self.tables.letters[letter_id] = marked
        self._say(self._order_of(letter), act, at)
        return True


def _is_about(letter: DeadLetter, order: Order) -> bool:
    """Tell whether a letter names the order, as ``storage.erasing`` asks for it."""
    return (
        letter.queue_id == order.queue_id
        or letter.task_id in {task.task_id for task in order.queue.tasks}
        or (
            letter.order_id == order.order_id
            and orjson.dumps(order.merchant_id) in letter.body
        )
    )


def _emptied(dead_lettered: DeadLettered) -> DeadLettered:
    letter = replace(dead_lettered.letter, body=b"", headers={}, error="erased")
    return replace(dead_lettered, letter=letter)


def _case_record(case: Case, order: Order, at: datetime) -> CaseRecord:
    version = order.task(case.task_id).version
    return CaseRecord(
        id=case_id(case, version),
        kind=case.kind,
        state=case.state,
        money_at_risk=money_at_risk(case, order.money),
        currency=order.money.currency if order.money else None,
        order_id=order.order_id,
        queue_id=order.queue_id,
        task_id=case.task_id,
        opened_at=at,
        detail=case.detail,
    )
