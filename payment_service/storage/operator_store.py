"""What operators change beside the orders: dead letters, cases, partitions."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from fsm.domain.acts import (
    Act,
    CaseTrigger,
    LetterTrigger,
    case_act,
    letter_act,
)
from fsm.domain.audit import Link
from fsm.domain.audit_keys import AuditKeys
from fsm.domain.dead_letters import DeadLetter
from fsm.domain.erasure import Erasure
from fsm.domain.errors import NotNow, UnknownOrder
from fsm.domain.ids import is_uuid
from fsm.domain.masking import masked_text
from fsm.domain.messages import Message
from fsm.domain.vouched import VOUCHER, asks, is_vouched
from fsm.engine.records import replace
from fsm.engine.words import CaseState
from handlers.ports.reads import CaseRecord
from handlers.ports.store import Unsent
from payment_service.storage import audit_lines, order_erasure, order_trail, replays
from payment_service.storage import dead_letter_trail as letter_trail
from payment_service.storage.database import Database
from payment_service.storage.reads import (
    CASE,
    LETTER,
    case_from,
    letter_from,
)
from payment_service.storage.tables import CASES, DEAD_LETTERS

MAKE_PARTITIONS = text("SELECT make_trail_partitions()")
LETTER_SAID = "dead letter"
CASE_SAID = "case"


class PostgresOperatorStore:
    """Marks what a person has dealt with: once, in one commit with its audit line."""

    def __init__(
        self,
        database: Database,
        keys: AuditKeys,
        *,
        on_committed: Callable[[Sequence[Unsent]], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._keys = keys
        self._on_committed = on_committed

    async def letter(self, letter_id: str) -> DeadLetter:
        """Return a dead letter that nobody has dealt with.

        :raises UnknownOrder: no such letter.
        :raises NotNow: it was replayed or discarded.
        """
        d = DEAD_LETTERS.c
        columns = (*LETTER, d.replayed_at, d.discarded_at)
        async with self._database.connection() as connection:
            wanted = select(*columns).where(d.id == _checked(letter_id, LETTER_SAID))
            row = (await connection.execute(wanted)).first()
        if row is None:
            raise UnknownOrder(letter_id, LETTER_SAID)
        if row.replayed_at is not None or row.discarded_at is not None:
            done = "replayed" if row.replayed_at is not None else "discarded"
            raise NotNow(f"dead letter {letter_id} was {done} already")
        return letter_from(row)

    async def open_dead_letters(
        self, *, subject: str | None, limit: int
    ) -> Sequence[str]:
        """Return the ids of letters that nobody has dealt with, oldest first."""
        d = DEAD_LETTERS.c
        wanted = select(d.id).where(d.replayed_at.is_(None), d.discarded_at.is_(None))
        if subject is not None:
            wanted = wanted.where(d.subject == subject)
        async with self._database.connection() as connection:
            rows = await connection.execute(wanted.order_by(d.at).limit(limit))
            return [row[0] for row in rows]

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
        """Mark a letter as replayed, with its line; False if it was dealt with.

        What it sends is posted by the same commit: nobody can bury it before the mark.

        :raises NotNow: it asks for something, and nobody here has buried it so.
        """
        act = letter_act(LetterTrigger.REPLAYED, letter_id, actor=actor, reason=reason)
        done = {"replayed_at": at, "replayed_by": actor}
        async with self._database.connection() as connection:
            if not await self._mark(connection, letter_id, act, at, **done):
                return False
            if reopens is not None:
                await replays.wait_again(connection, *reopens)
            sent = [await self._vouched(connection, letter_id, m) for m in messages]
            posted = await replays.post(connection, sent)
            await order_erasure.empty_letter(connection, letter_id)
        self._on_committed(
            [
                Unsent(seq=seq, message=message)
                for message, (_, seq) in zip(messages, posted, strict=True)
            ]
        )
        return True

    async def _vouched(
        self, connection: AsyncConnection, letter_id: str, message: Message
    ) -> Message:
        """Return what a letter sends with the word of who has buried it."""
        subject, body = message.subject, message.body
        if not asks(subject, body):
            return message
        d = DEAD_LETTERS.c
        wanted = select(d.headers).where(d.id == letter_id)
        headers = (await connection.execute(wanted)).scalar_one()
        if not is_vouched(headers, subject, body, self._keys):
            raise NotNow(f"dead letter {letter_id} is none that was buried here")
        return replace(message, headers={**message.headers, VOUCHER: headers[VOUCHER]})

    async def mark_discarded(
        self, letter_id: str, *, actor: str, reason: str, at: datetime
    ) -> bool:
        """Mark a letter as discarded, with its line; False if it was dealt with."""
        act = letter_act(LetterTrigger.DISCARDED, letter_id, actor=actor, reason=reason)
        why = masked_text(reason)
        done = {"discarded_at": at, "discarded_by": actor, "discard_reason": why}
        async with self._database.connection() as connection:
            if not await self._mark(connection, letter_id, act, at, **done):
                return False
            await order_erasure.empty_letter(connection, letter_id)
        return True

    async def _mark(
        self,
        connection: AsyncConnection,
        letter_id: str,
        act: Act,
        at: datetime,
        **values: object,
    ) -> bool:
        d = DEAD_LETTERS.c
        change = (
            update(DEAD_LETTERS)
            .where(
                d.id == _checked(letter_id, LETTER_SAID),
                d.replayed_at.is_(None),
                d.discarded_at.is_(None),
            )
            .values(**values)
            .returning(d.id)
        )
        head = await letter_trail.hold(connection, letter_id)
        if (await connection.execute(change)).first() is None:
            return False
        await letter_trail.append(connection, head, act, keys=self._keys, at=at)
        return True

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
        """Close a case; with ``agrees_with`` only while that person's vote stands.

        The ``message`` that tells of it is posted by the same commit.

        :raises UnknownOrder: no such case.
        :raises NotNow: it is closed, or being settled; or the vote is gone.
        """
        act = case_act(CaseTrigger.CLOSED, case_id, actor=actor, reason=reason)
        c = CASES.c
        agreed = true() if agrees_with is None else c.close_voter == agrees_with
        await self._change_case(
            case_id,
            act,
            at,
            and_(c.state == CaseState.OPEN, agreed),
            state=CaseState.CLOSED,
            closed_at=at,
            closed_by=actor,
            reason=masked_text(reason),
            message=message,
        )

    async def vote_to_close(
        self, case_id: str, *, voter: str, actor: str, reason: str, at: datetime
    ) -> None:
        """Keep the first of two votes to close a case.

        :raises UnknownOrder: no such case.
        :raises NotNow: it is closed, or being settled; or a vote waits already.
        """
        act = case_act(
            CaseTrigger.CLOSE_PROPOSED,
            case_id,
            actor=actor,
            reason=reason,
            voter=voter,
        )
        c = CASES.c
        free = and_(c.state == CaseState.OPEN, c.close_voter.is_(None))
        await self._change_case(case_id, act, at, free, close_voter=voter)

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
        """Take a vote to close a case back, or clear another's, as ``trigger`` says.

        :raises UnknownOrder: no such case.
        :raises NotNow: that vote does not wait any more.
        """
        act = case_act(trigger, case_id, actor=actor, reason=reason)
        c = CASES.c
        waits = and_(c.state == CaseState.OPEN, c.close_voter == voter)
        await self._change_case(case_id, act, at, waits, close_voter=None)

    async def case(self, case_id: str) -> CaseRecord:
        """Return a case.

        :raises UnknownOrder: no such case.
        """
        wanted = select(*CASE).where(CASES.c.id == _checked(case_id, CASE_SAID))
        async with self._database.connection() as connection:
            row = (await connection.execute(wanted)).first()
        if row is None:
            raise UnknownOrder(case_id, CASE_SAID)
        return case_from(row)

    async def opening_of(self, case: CaseRecord) -> Link | None:
        """Return the audit line that has opened the case of a return, if there is."""
        return await audit_lines.opening_of(case, self._database)

    async def assign_case(
        self, case_id: str, *, owner: str, actor: str, reason: str, at: datetime
    ) -> None:
        """Make somebody the owner of a case that is not over.

        :raises UnknownOrder: no such case.
        :raises NotNow: it is over.
        """
        act = case_act(
            CaseTrigger.ASSIGNED, case_id, actor=actor, reason=reason, owner=owner
        )
        await self._change_case(
            case_id, act, at, CASES.c.closed_at.is_(None), owner=owner
        )

    async def _change_case(
        self,
        case_id: str,
        act: Act,
        at: datetime,
        condition: ColumnElement[bool],
        *,
        message: Message | None = None,
        **values: object,
    ) -> None:
        """Change a case and say so in its order's trail, or neither."""
        found = await self.case(case_id)
        told = [] if message is None else [message]
        c = CASES.c
        change = update(CASES).where(c.id == case_id, condition).values(**values)
        async with self._database.connection() as connection:
            head = await order_trail.hold(connection, found.queue_id)
            done = None
            if head is not None:
                done = (await connection.execute(change.returning(c.id))).first()
            if head is not None and done is not None:
                await order_trail.append(connection, head, act, keys=self._keys, at=at)
                await replays.post(connection, told)
                return
        found = await self.case(case_id)
        if found.state is CaseState.OPEN:
            raise NotNow(f"case {case_id} has just changed: look at it again")
        raise NotNow(f"case {case_id} is {found.state}")

    async def erase(self, erasure: Erasure) -> None:
        """Take what is personal out of an order, and write the line that says so.

        :raises StaleWrite: its row is another than it was decided on.
        :raises NotNow: a case or a dead letter about it is open.
        """
        async with self._database.connection() as connection:
            await order_erasure.erase(connection, erasure)

    async def make_partitions(self) -> None:
        """Make the audit trail's partitions of this month and the next ones.

        A function of the tables' owner does: who serves may make none.
        """
        async with self._database.connection() as connection:
            await connection.execute(MAKE_PARTITIONS)


def _checked(asked: str, what: str) -> str:
    if not is_uuid(asked):
        raise UnknownOrder(asked, what)
    return asked
