"""Memberships in core's book, in memory: which card is a member, and by whose grant.

A call is known by its key: a repeat gets the first answer. What was revoked is granted
or confirmed no more by the same task, also where it had never been granted: a call
that comes late does nothing. A revoke by a task that has granted nothing removes what
there is: so links are removed.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from handlers.ports.core import (
    Confirmed,
    MembershipCall,
    MembershipVerb,
    Refused,
)

REVOKED_BEFORE = Refused("revoked", "it was revoked before")


class Lasting(Enum):
    """For how long a card is a member."""

    FOR_NOW = "provisional"
    FOR_GOOD = "member"


class MemberCard(NamedTuple):
    """A card of a customer at a partner."""

    customer_id: str
    partner: str
    card_token: str


@dataclass(frozen=True, slots=True)
class Membership:
    """Whose grant a card is a member by, and for how long."""

    task_id: str
    lasting: Lasting


class MemberBook:
    """Core's book of members; ``complaints`` are calls that should never come."""

    def __init__(self, complaints: list[str]) -> None:
        self.members: dict[MemberCard, Membership] = {}
        self.granted: dict[str, int] = {}
        self.revoked: set[str] = set()
        self.moves: list[tuple[MembershipVerb, MembershipCall]] = []
        self._complaints = complaints
        self._calls: dict[tuple[str, MembershipVerb], MembershipCall] = {}
        self._answers: dict[tuple[str, MembershipVerb], Confirmed | Refused] = {}
        self._refusals: dict[MembershipVerb, list[Refused]] = {}

    def refuses(self, verb: MembershipVerb, code: str) -> None:
        """Refuse the next call of a verb for ever: its key stays refused."""
        refusal = Refused(code=code, message=f"core refuses: {code}")
        self._refusals.setdefault(verb, []).append(refusal)

    def mended(self, card: MemberCard, *, stands: bool, task_id: str) -> None:
        """Have core's own people put right by hand what it had refused to do."""
        self.members.pop(card, None)
        if stands:
            self.members[card] = Membership(task_id, Lasting.FOR_GOOD)
        else:
            self.revoked.add(task_id)

    def move(self, verb: MembershipVerb, call: MembershipCall) -> Confirmed | Refused:
        """Do what is asked, once for each key."""
        key = (call.task_id, verb)
        if self._calls.setdefault(key, call) != call:
            self._complaints.append(f"{key} was called with two different bodies")
        if key not in self._answers:
            self._answers[key] = self._moved(verb, call)
        return self._answers[key]

    def _moved(self, verb: MembershipVerb, call: MembershipCall) -> Confirmed | Refused:
        waiting = self._refusals.get(verb)
        if waiting:
            return waiting.pop(0)
        card = card_of(call)
        if verb is MembershipVerb.REVOKE:
            self._revoke(call.task_id, card)
        elif call.task_id in self.revoked:
            return REVOKED_BEFORE
        elif verb is MembershipVerb.GRANT:
            self._grant(call, card)
        elif self.members.get(card) != Membership(call.task_id, Lasting.FOR_NOW):
            self._complaints.append(f"{call.task_id} confirms what it has not granted")
            return Refused("not_granted", "there is nothing to confirm")
        else:
            self.members[card] = Membership(call.task_id, Lasting.FOR_GOOD)
        self.moves.append((verb, call))
        return Confirmed()

    def _grant(self, call: MembershipCall, card: MemberCard) -> None:
        if card in self.members:
            self._complaints.append(f"{call.task_id} grants what is granted already")
        self.granted[call.task_id] = self.granted.get(call.task_id, 0) + 1
        for_now = call.provisional
        lasting = Lasting.FOR_NOW if for_now else Lasting.FOR_GOOD
        self.members[card] = Membership(call.task_id, lasting)

    def _revoke(self, task_id: str, card: MemberCard) -> None:
        self.revoked.add(task_id)
        member = self.members.get(card)
        its_own = member is not None and member.task_id == task_id
        if its_own or task_id not in self.granted:
            self.members.pop(card, None)


def card_of(call: MembershipCall) -> MemberCard:
    """Return the card that a call is about."""
    return MemberCard(call.customer_id, call.partner, call.card_token)
