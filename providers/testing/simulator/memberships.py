"""Core's book of members: which card is one, and by whose grant (contract, section 4).

A call is known by its key, and a repeat finds what the first has done. What was revoked
is granted or confirmed no more by the same task, also where it had never been granted.
A revoke by a task that has granted nothing removes what there is: so links are removed.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

MEMBER_AFTER: Final = {"grant": "granted", "confirm": "confirmed", "revoke": "revoked"}
STANDING: Final = frozenset({"granted", "confirmed"})
CONTENT: Final = ("customer_id", "partner", "card_token")

Card: TypeAlias = tuple[str, str, str]
Json: TypeAlias = dict[str, Any]


class MemberRefused(Exception):
    """Core never does it; the code says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Memberships:
    """All memberships, by the task that has granted or revoked them."""

    def __init__(self) -> None:
        self.by_task: dict[str, Json] = {}
        self.members: dict[Card, str] = {}
        self.granted_twice: list[str] = []
        self._refused: dict[tuple[str, str], MemberRefused] = {}

    def require(self, verb: str, body: Mapping[str, Any]) -> None:
        """Hold that it can be done, now or before.

        :raises MemberRefused: it never will.
        """
        task_id = str(body["task_id"])
        known = self.by_task.get(task_id)
        if (refused := self._refused.get((task_id, verb))) is not None:
            raise refused
        if known is not None and any(known.get(n) != body.get(n) for n in CONTENT):
            raise MemberRefused("key_reused", "the task came with other content")
        if known is not None and verb in known["verbs"]:
            return
        state = None if known is None else known["state"]
        if verb != "revoke" and state == "revoked":
            self._refuse(verb, task_id, "revoked", "it was revoked before")
        if verb == "confirm" and state != "granted":
            self._refuse(verb, task_id, "not_granted", "there is nothing to confirm")

    def _refuse(self, verb: str, task_id: str, code: str, message: str) -> None:
        self._refused[task_id, verb] = refused = MemberRefused(code, message)
        raise refused

    def apply(self, verb: str, body: Mapping[str, Any]) -> None:
        """Do it, once for each key."""
        task_id, card = str(body["task_id"]), card_of(body)
        known = self.by_task.setdefault(task_id, {**body, "verbs": []})
        if verb in known["verbs"]:
            return
        if verb == "revoke":
            if self.members.get(card) == task_id or "grant" not in known["verbs"]:
                self.members.pop(card, None)
        elif verb == "grant":
            if card in self.members:
                self.granted_twice.append(task_id)
            self.members[card] = task_id
        known["verbs"].append(verb)
        known["state"] = MEMBER_AFTER[verb]

    def states(self) -> dict[str, str]:
        """Return what stands, by the task that has granted it, and what is revoked."""
        standing = {*self.members.values()}
        return {
            task_id: known["state"]
            for task_id, known in self.by_task.items()
            if task_id in standing or known["state"] == "revoked"
        }

    def check(self) -> list[str]:
        """Return what is wrong, in words; empty: nothing."""
        return [
            f"membership {task_id}: granted for a card that is a member already"
            for task_id in self.granted_twice
        ]


def card_of(body: Mapping[str, Any]) -> Card:
    """Return the card that a call is about."""
    customer_id, partner, token = (str(body.get(name)) for name in CONTENT)
    return customer_id, partner, token
