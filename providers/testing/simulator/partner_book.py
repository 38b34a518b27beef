"""The partners' own book: whose cards were asked about, and what was said of each."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from providers.testing.simulator.journal import Journal
from providers.testing.simulator.script import Script, script_from_record


class LinkState(StrEnum):
    """What a partner really knows of a card, whatever it says about it."""

    ELIGIBLE = "eligible"
    NOT_ELIGIBLE = "not_eligible"
    MULTI_MATCH = "multi_match"


class LinkEntryKind(StrEnum):
    REQUEST = "request"  # a call came in; `what` is the operation
    TAKEN = "taken"  # the card is known from here on; `what` is its first state
    BECAME = "became"  # `what` is its new state
    SAID = "said"  # `what` was answered under `key`
    REVOKED = "revoked"  # the partner was told of a revoke


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedLink:
    """A card as it was asked about."""

    partner: str
    task_id: str
    order_id: str = ""
    customer_id: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEntry:
    at: float
    kind: LinkEntryKind
    task_id: str
    what: str = ""
    key: str = ""
    asked: ReceivedLink | None = None
    script: Script | None = None


@dataclass(slots=True, kw_only=True)
class BookedLink:
    """Where one card stands, as the entries about it say."""

    asked: ReceivedLink
    script: Script
    state: LinkState
    taken_at: float
    decided_at: float
    said: dict[str, str] = field(default_factory=dict)
    told_revoked: bool = False

    def view(self) -> dict[str, Any]:
        """Return it as the admin's calls show it."""
        asked = self.asked
        return {
            "partner": asked.partner,
            "task_id": asked.task_id,
            "order_id": asked.order_id,
            "customer_id": asked.customer_id,
            "state": self.state,
            "said": [*self.said.values()],
            "told_revoked": self.told_revoked,
        }


STANDING: Final = frozenset({"granted", "confirmed"})


class PartnerBook:
    """Entries in order, on file if there is a path, and what follows from them."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._journal = Journal(path)
        self.entries: list[LinkEntry] = []
        self.links: dict[str, BookedLink] = {}
        self._calls: Counter[tuple[str, str]] = Counter()
        self._early_revokes: set[str] = set()
        for line in self._journal.read():
            self._apply(_entry_from(line))

    def close(self) -> None:
        self._journal.close()

    def record(self, entry: LinkEntry) -> None:
        """Append the entry, durably first."""
        self._journal.append(entry)
        self._apply(entry)

    def calls(self, operation: str, task_id: str) -> int:
        """Return how often this was asked for."""
        return self._calls[operation, task_id]

    # What an auditor asks.

    def against(self, memberships: Mapping[str, str]) -> list[str]:
        """Compare with core's memberships by `task_id`, once all is at rest.

        What stands for good was eligible; what is revoked was told to be, unless the
        partner was never asked about it.
        """
        return [*self._compared(memberships)]

    def _compared(self, memberships: Mapping[str, str]) -> Iterator[str]:
        for task_id, state in memberships.items():
            link = self.links.get(task_id)
            if link is None:
                if state in STANDING:
                    yield f"{task_id}: {state} for a card that was never asked about"
            elif state in STANDING and link.state is not LinkState.ELIGIBLE:
                yield f"{task_id}: {state}, and the partner says {link.state}"
        for task_id, link in self.links.items():
            if link.told_revoked and memberships.get(task_id) in STANDING:
                yield f"{task_id}: the partner was told of a revoke, and it stands"

    def _apply(self, entry: LinkEntry) -> None:
        self.entries.append(entry)
        match entry.kind:
            case LinkEntryKind.REQUEST:
                self._calls[entry.what, entry.task_id] += 1
            case LinkEntryKind.TAKEN:
                self._take(entry)
            case LinkEntryKind.BECAME:
                link = self.links[entry.task_id]
                link.state, link.decided_at = LinkState(entry.what), entry.at
            case LinkEntryKind.SAID:
                self.links[entry.task_id].said[entry.key] = entry.what
            case LinkEntryKind.REVOKED:
                if entry.task_id in self.links:
                    self.links[entry.task_id].told_revoked = True
                self._early_revokes.add(entry.task_id)

    def _take(self, entry: LinkEntry) -> None:
        if entry.asked is None or entry.script is None:
            raise ValueError("a card was taken that nobody asked about")
        self.links[entry.task_id] = BookedLink(
            asked=entry.asked,
            script=entry.script,
            state=LinkState(entry.what),
            taken_at=entry.at,
            decided_at=entry.at,
            told_revoked=entry.task_id in self._early_revokes,
        )


def _entry_from(line: dict[str, Any]) -> LinkEntry:
    asked, script = line.pop("asked"), line.pop("script")
    return LinkEntry(
        **{**line, "kind": LinkEntryKind(line["kind"])},
        asked=None if asked is None else ReceivedLink(**asked),
        script=None if script is None else script_from_record(script),
    )
