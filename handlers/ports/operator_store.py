"""What operators change beside the orders: dead letters and cases."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from fsm.domain.acts import CaseTrigger
from fsm.domain.audit import Link
from fsm.domain.dead_letters import DeadLetter
from fsm.domain.erasure import Erasure
from fsm.domain.messages import Message
from handlers.ports.reads import CaseRecord


class OperatorStore(Protocol):
    """Marks what a person has dealt with: once, in one commit with its audit line."""

    async def letter(self, letter_id: str) -> DeadLetter:
        """Return a dead letter that nobody has dealt with.

        :raises UnknownOrder: no such letter.
        :raises NotNow: it was replayed or discarded.
        """
        ...

    async def open_dead_letters(
        self, *, subject: str | None, limit: int
    ) -> Sequence[str]:
        """Return the ids of letters that nobody has dealt with, oldest first."""
        ...

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
        """Mark a letter as replayed, and post what that sends, in one commit.

        ``reopens`` is (provider, event_id) of a webhook that waits again where it was
        given up. False, and nothing done, if somebody dealt with the letter before.
        """
        ...

    async def mark_discarded(
        self, letter_id: str, *, actor: str, reason: str, at: datetime
    ) -> bool:
        """Mark a letter as discarded; False if somebody dealt with it before."""
        ...

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
        ...

    async def vote_to_close(
        self, case_id: str, *, voter: str, actor: str, reason: str, at: datetime
    ) -> None:
        """Keep the first of two votes to close a case.

        :raises UnknownOrder: no such case.
        :raises NotNow: it is closed, or being settled; or a vote waits already.
        """
        ...

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
        ...

    async def case(self, case_id: str) -> CaseRecord:
        """Return a case.

        :raises UnknownOrder: no such case.
        """
        ...

    async def opening_of(self, case: CaseRecord) -> Link | None:
        """Return the audit line that has opened the case of a return.

        None: no line of its task says at that time that a payout came back.
        """
        ...

    async def erase(self, erasure: Erasure) -> None:
        """Take what is personal out of an order, and write the line that says so.

        All of it or nothing: its row, its webhooks' texts, its dead letters' bodies.

        :raises StaleWrite: its row is another than it was decided on.
        :raises NotNow: a case or a dead letter about it is open.
        """
        ...

    async def assign_case(
        self, case_id: str, *, owner: str, actor: str, reason: str, at: datetime
    ) -> None:
        """Make somebody the owner of a case that is not over.

        :raises UnknownOrder: no such case.
        :raises NotNow: it is over.
        """
        ...
