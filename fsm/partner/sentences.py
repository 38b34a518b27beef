"""Sentences of a link: how people are told what its partner and core have said."""

from collections.abc import Mapping, Sequence
from typing import Final

from fsm.engine.rows import Task
from fsm.engine.sentences import Line, Sentences, Told
from fsm.engine.words import EngineTrigger, State
from fsm.partner.words import LinkTrigger, LinkWait

T = LinkTrigger
HAPPENED: Final[Mapping[str, str]] = {
    T.VALIDATED: "it was looked at, and nothing is in its way",
    T.NOT_COVERED: "the partner does not cover such cards: it was not asked",
    T.ALREADY_LINKED: "the card is linked already, by an earlier order",
    T.NOT_LINKED: "the link does not stand any more: nothing is revoked",
    T.EXPIRED: "the partner was waited for as long as it may be",
    T.ELIGIBLE: "the partner says that the card is eligible",
    T.NOT_ELIGIBLE: "the partner says that the card is not eligible",
    T.MULTI_MATCH: "the partner finds several matches, and does not know yet",
    T.PENDING: "the partner is still at it",
    T.NOT_SENT: "the request never left",
    T.UNCLEAR: "the partner gave no definite answer",
    T.NOTIFIED: "the partner was told that the membership is revoked",
    T.NOTICE_GIVEN_UP: "the partner was to be told as long as it may be: it is not",
    T.GRANTED: "core has granted the membership",
    T.GRANT_REFUSED: "core refuses to grant the membership",
    T.CONFIRMED: "core has made the membership good",
    T.CONFIRM_REFUSED: "core refuses to make the membership good",
    T.REVOKED: "core has revoked the membership",
    T.REVOKE_REFUSED: "core refuses to revoke the membership",
}
WAITS: Final[Mapping[str, str]] = {
    LinkWait.VALIDATE: "it is looked at, before its partner is asked",
    LinkWait.ELIGIBILITY: "its partner is asked whether the card is eligible",
    LinkWait.GRANT: "core is told to grant the membership, again and again",
    LinkWait.FALLBACK: "its partner is asked again, once it may know",
    LinkWait.CONFIRM: "core is told to make the membership good, again and again",
    LinkWait.REVOKE: "core is told to revoke the membership, again and again",
    LinkWait.REVOKE_NOTICE: "its partner is to be told that it is revoked",
}
_PROVES: Final[Mapping[State, frozenset[str]]] = {
    State.SUCCEEDED: frozenset(
        {
            T.GRANTED,
            T.CONFIRMED,
            T.ALREADY_LINKED,
            EngineTrigger.RESOLVED_POSITIVE,
        }
    ),
    State.REVERSED: frozenset({T.REVOKED, EngineTrigger.RESOLVED_NEGATIVE}),
    State.SKIPPED: frozenset({T.NOT_COVERED}),
    State.FAILED: frozenset({T.NOT_ELIGIBLE, T.EXPIRED, T.GRANT_REFUSED}),
}
_UNLINK_PROVES: Final[Mapping[State, frozenset[str]]] = {
    State.SUCCEEDED: frozenset(
        {T.REVOKED, T.NOT_LINKED, EngineTrigger.RESOLVED_POSITIVE}
    ),
    State.FAILED: frozenset({EngineTrigger.RESOLVED_NEGATIVE}),
}


class LinkSentences(Sentences):
    """What people are told of a link."""

    happened = HAPPENED
    waits = WAITS
    proves: Mapping[State, frozenset[str]] = _PROVES

    def question(self, line: Told) -> str:
        """Return which call was answered, of the partner's or of core's."""
        kind, _, said = line.trigger.partition(".")
        if kind == "membership":
            return f"membership {said.removesuffix('_refused')}"
        return "revocation" if "noti" in said else "eligibility"

    def proof(self, task: Task, lines: Sequence[Line]) -> Line | None:
        """Return the line that proves whether it is linked, or is not any more."""
        proves = self.proves.get(task.state, frozenset())
        return next((x for x in reversed(lines) if x.trigger in proves), None)


class UnlinkSentences(LinkSentences):
    """What people are told of the removal of a link."""

    proves = _UNLINK_PROVES
