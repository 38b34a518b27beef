"""Judges every answer: no 5xx, no forgery taken, nothing changed by a refusal."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fsm.domain.webhook_events import Arrival, WebhookEvent
from tests.fuzz.requests import Sent
from tests.fuzz.routes import NOW, Route
from tests.fuzz.second import loose

STORED: Final = 202
SEEN: Final = 200
UNREADABLE: Final = 400
UNSIGNED: Final = 401
# Signed as they should be, whatever else is wrong: never told that they are not.
SIGNED_WELL: Final = frozenset(
    {"doubled_key", "nested", "nested_well", "odd_aside", "odd_body", "odd_reference"}
)
IN_THE_BODY: Final = frozenset({"adyen"})
REFUSALS: Final = frozenset({400, 401, 404, 413, 415})


class Violation(Exception):
    """An answer that must never be given."""


@dataclass(slots=True)
class Inbox:
    """Keeps the ids of news in memory, as the database would keep the rows."""

    kept: set[tuple[str, str]] = field(default_factory=set)
    asked: int = 0

    async def keep(
        self, events: Sequence[WebhookEvent], *, trace_parent: str | None
    ) -> Sequence[Arrival]:
        """Store the events of a webhook; say which were seen before."""
        del trace_parent
        self.asked += 1
        return [self._arrival(webhook.provider, webhook.event_id) for webhook in events]

    def _arrival(self, provider: str, event_id: str) -> Arrival:
        key = (provider, event_id)
        new = key not in self.kept
        self.kept.add(key)
        return Arrival.STORED if new else Arrival.SEEN


@dataclass(slots=True)
class Oracle:
    """Holds every answer against a second opinion."""

    routes: Mapping[str, Route]
    inbox: Inbox
    statuses: Counter[int] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def judge(self, sent: Sent, status: int, before: tuple[int, int]) -> None:
        """Count an answer, or raise :class:`Violation`.

        ``before`` is how often the inbox was asked, and what it held.
        """
        self.statuses[status] += 1
        self.kinds[sent.kind] += 1
        after = (self.inbox.asked, len(self.inbox.kept))
        if status in REFUSALS:
            if after != before:
                raise Violation("a refused webhook has changed something")
            if sent.genuine:
                raise Violation("a genuine webhook was refused")
            in_header = sent.route not in IN_THE_BODY
            if status == UNSIGNED and in_header and sent.kind in SIGNED_WELL:
                raise Violation("one that is rightly signed was taken for a forgery")
            if sent.unreadable and status != UNREADABLE:
                raise Violation("one that is rightly signed was not told what is wrong")
            return
        if status not in {STORED, SEEN}:
            raise Violation("no answer of the contract")
        self._judge_taken(sent, status, (after[0] - before[0], after[1] - before[1]))

    def _judge_taken(self, sent: Sent, status: int, grown: tuple[int, int]) -> None:
        if sent.unreadable:
            raise Violation("what has no one meaning was taken")
        headers: dict[str, list[str]] = {}
        for name, value in sent.headers:
            # White space around a value is no part of it.
            headers.setdefault(name, []).append(value.strip(" \t"))
        route = self.routes[sent.route]
        event = route.second(headers, sent.body, NOW)
        if event is None:
            raise Violation("a forgery was taken")
        try:
            tree = loose(sent.body)
        except (ValueError, RecursionError):
            raise Violation("what is no JSON was taken") from None
        asked, added = grown
        if asked != (1 if tree and isinstance(tree, dict | list) else 0):
            raise Violation("the inbox was asked for nothing, or not asked")
        if (status == STORED) != (added > 0):
            raise Violation("the answer and the inbox do not agree")
        if isinstance(tree, dict) and tree:
            ids = [event] if route.ids is None else route.ids(sent.body)
            if any((sent.route, each) not in self.inbox.kept for each in ids if each):
                raise Violation("a webhook was taken for another event")
            self.taken[sent.route] += 1

    def idle(self) -> list[str]:
        """Return what a run has never seen, though it should have."""
        return [name for name in self.routes if not self.taken[name]]
