"""The providers' own book, appended to and never changed: the oracle for money."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from providers.testing.simulator.journal import Journal
from providers.testing.simulator.script import (
    PayoutState,
    ReceivedCreate,
    Script,
    script_from_record,
)
from providers.testing.simulator.wire import rfc3339

# A payout goes only along these; everything else a script asks for does not happen.
MOVES: Final[Mapping[PayoutState, frozenset[PayoutState]]] = {
    PayoutState.ACCEPTED: frozenset(
        {
            PayoutState.SUCCEEDED,
            PayoutState.DECLINED,
            PayoutState.FAILED,
            PayoutState.CANCELLED,
        }
    ),
    PayoutState.SUCCEEDED: frozenset({PayoutState.RETURNED}),
}
_DENIALS: Final = frozenset({"payout.failed"})
_DELIVERED: Final = range(200, 300)


class PayoutEntryKind(StrEnum):
    REQUEST = "request"  # a call came in; `what` is the operation
    TAKEN = "taken"  # a payout exists from here on; `what` is its first state
    BECAME = "became"  # `what` is its new state
    EXECUTED = "executed"  # money left
    RETURNED = "returned"  # money came back
    WEBHOOK = "webhook"  # one attempt at delivery; `what` is the type


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutEntry:
    at: float
    kind: PayoutEntryKind
    provider: str
    reference: str
    what: str = ""
    payout: str = ""
    amount: int = 0
    currency: str = ""
    key: str = ""  # of a request its idempotency key, of a webhook its id
    status: int = 0  # of a webhook: what it was answered with; 0: nothing
    order: ReceivedCreate | None = None
    script: Script | None = None


@dataclass(slots=True, kw_only=True)
class BookedPayout:
    """Where one payout stands, as the entries about it say."""

    payout_id: str
    order: ReceivedCreate
    script: Script
    state: PayoutState
    taken_at: float
    delivered: set[str] = field(default_factory=set)


class Book:
    """Entries in order, on file if there is a path, and what follows from them.

    >>> book = Book("payouts.jsonl")      # reads what is there and goes on
    >>> book.executed("task-1"), book.check()
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._journal = Journal(path)
        self.entries: list[PayoutEntry] = []
        self.payouts: dict[str, BookedPayout] = {}
        self._by_reference: defaultdict[tuple[str, str], list[BookedPayout]]
        self._by_reference = defaultdict(list)
        self._statements: defaultdict[str, list[PayoutEntry]] = defaultdict(list)
        self._creates: Counter[tuple[str, str]] = Counter()
        self._executed: Counter[str] = Counter()
        for line in self._journal.read():
            self._apply(_entry_from(line))

    def close(self) -> None:
        self._journal.close()

    def record(self, *entries: PayoutEntry) -> None:
        """Append the entries, durably first: a kill keeps all of them or the first."""
        self._journal.append(*entries)
        for entry in entries:
            self._apply(entry)

    # What the server writes.

    def take(self, order: ReceivedCreate, script: Script, *, at: float) -> BookedPayout:
        """Make a payout of the order; if it succeeds at once the money has left."""
        payout_id = f"sim_{order.provider}_{len(self.payouts) + 1}"
        taken = PayoutEntry(
            at=at,
            kind=PayoutEntryKind.TAKEN,
            provider=order.provider,
            reference=order.reference,
            what=script.state,
            payout=payout_id,
            amount=order.amount,
            currency=order.currency,
            order=order,
            script=script,
        )
        effect = _effect(order, payout_id, script.state, at=at)
        self.record(taken, *effect)
        return self.payouts[payout_id]

    def move(self, payout: BookedPayout, to: PayoutState, *, at: float) -> bool:
        """Move the payout, with the money, if there is such a way from where it is."""
        if to not in MOVES.get(payout.state, ()):
            return False
        became = PayoutEntry(
            at=at,
            kind=PayoutEntryKind.BECAME,
            provider=payout.order.provider,
            reference=payout.order.reference,
            what=to,
            payout=payout.payout_id,
        )
        self.record(became, *_effect(payout.order, payout.payout_id, to, at=at))
        return True

    # What the server asks.

    def latest(self, provider: str, reference: str) -> BookedPayout | None:
        found = self._by_reference.get((provider, reference))
        return found[-1] if found else None

    def creates(self, provider: str, reference: str) -> int:
        """Return how many creates have come in."""
        return self._creates[provider, reference]

    # What an auditor asks.

    def executed(self, reference: str | None = None) -> int:
        """Return how often money left: for one reference, or over all."""
        if reference is None:
            return self._executed.total()
        return self._executed[reference]

    def returned(self, reference: str) -> int:
        return sum(p.state is PayoutState.RETURNED for p in self.of(reference))

    def of(self, reference: str) -> list[BookedPayout]:
        return [p for p in self.payouts.values() if p.order.reference == reference]

    def executed_by_destination(self) -> Counter[str]:
        """Return how often money left to each destination token."""
        return Counter(
            self.payouts[entry.payout].order.destination
            for entry in self.entries
            if entry.kind is PayoutEntryKind.EXECUTED
        )

    def statement(self, provider: str) -> list[dict[str, Any]]:
        """Return one line a payout and one a return, in the order they came about."""
        return [self.line(entry) for entry in self.statement_entries(provider)]

    def statement_entries(self, provider: str) -> Sequence[PayoutEntry]:
        return self._statements[provider]

    def line(self, entry: PayoutEntry) -> dict[str, Any]:
        """Show an entry of a statement; a payout's line tells how it stands now."""
        now = spoken(self.payouts[entry.payout].state)
        return {
            "reference": entry.reference,
            "status": PayoutState.RETURNED
            if entry.kind is PayoutEntryKind.RETURNED
            else now,
            "amount": entry.amount,
            "currency": entry.currency,
            "at": rfc3339(entry.at),
        }

    def check(self) -> list[str]:
        """Return what is wrong with the payouts, in words; empty: nothing."""
        return [
            *(
                f"{reference}: paid {count} times"
                for reference, count in self._executed.items()
                if count > 1
            ),
            *self._mixed_references(),
            *self._foreign_keys(),
        ]

    def broken_words(self) -> list[str]:
        """Return the references that were paid after their provider had told a no.

        No caller can be blamed for these: they are what a script made the provider do.
        """
        denied: set[str] = set()
        broken = []
        for entry in self.entries:
            if entry.kind is PayoutEntryKind.WEBHOOK and entry.what in _DENIALS:
                denied.update([entry.reference] if entry.status in _DELIVERED else [])
            elif entry.kind is PayoutEntryKind.EXECUTED and entry.reference in denied:
                broken.append(entry.reference)
        return broken

    def against(self, ledger: Iterable[Mapping[str, Any]]) -> list[str]:
        """Compare with core's entries (contract section 4), once all is at rest.

        What core has committed must have been paid exactly once, with that amount, and
        what was paid must have been committed.
        """
        committed = {
            line["task_id"]: (line["amount"], line["currency"])
            for line in ledger
            if line["operation"] == "commit"
        }
        paid = {
            entry.reference: (entry.amount, entry.currency)
            for entry in self.entries
            if entry.kind is PayoutEntryKind.EXECUTED
        }
        return [
            *(f"{task}: committed, never paid" for task in committed.keys() - paid),
            *(f"{task}: paid, never committed" for task in paid.keys() - committed),
            *(
                f"{task}: committed {committed[task]}, paid {paid[task]}"
                for task in committed.keys() & paid.keys()
                if committed[task] != paid[task]
            ),
        ]

    def _mixed_references(self) -> Iterator[str]:
        seen: dict[str, tuple[object, ...]] = {}
        for payout in self.payouts.values():
            order = payout.order
            identity = (order.provider, order.amount, order.currency, order.destination)
            first = seen.setdefault(order.reference, identity)
            if first != identity:
                yield f"{order.reference}: another provider, amount or destination"

    def _foreign_keys(self) -> Iterator[str]:
        for payout in self.payouts.values():
            if payout.order.key != payout.order.reference:
                yield f"{payout.order.reference}: came under another key"

    def _apply(self, entry: PayoutEntry) -> None:
        self.entries.append(entry)
        match entry.kind:
            case PayoutEntryKind.REQUEST:
                if entry.what == "create":
                    self._creates[entry.provider, entry.reference] += 1
            case PayoutEntryKind.TAKEN:
                self._open(entry)
            case PayoutEntryKind.BECAME:
                self.payouts[entry.payout].state = PayoutState(entry.what)
            case PayoutEntryKind.EXECUTED:
                self._executed[entry.reference] += 1
            case PayoutEntryKind.RETURNED:
                self._statements[entry.provider].append(entry)
            case PayoutEntryKind.WEBHOOK:
                if entry.status in _DELIVERED:
                    self.payouts[entry.payout].delivered.add(entry.key)

    def _open(self, entry: PayoutEntry) -> None:
        if entry.order is None or entry.script is None:
            raise ValueError("a payout was taken without an order")
        payout = BookedPayout(
            payout_id=entry.payout,
            order=entry.order,
            script=entry.script,
            state=PayoutState(entry.what),
            taken_at=entry.at,
        )
        self.payouts[entry.payout] = payout
        self._by_reference[entry.provider, entry.reference].append(payout)
        self._statements[entry.provider].append(entry)


def spoken(state: PayoutState) -> PayoutState:
    """Return the state as statuses and statements name it: contract section 5."""
    match state:
        case PayoutState.CANCELLED:
            return PayoutState.FAILED
        case PayoutState.RETURNED:
            return PayoutState.SUCCEEDED
        case _:
            return state


def _effect(
    order: ReceivedCreate, payout_id: str, state: PayoutState, *, at: float
) -> list[PayoutEntry]:
    kinds = {
        PayoutState.SUCCEEDED: PayoutEntryKind.EXECUTED,
        PayoutState.RETURNED: PayoutEntryKind.RETURNED,
    }
    return [
        PayoutEntry(
            at=at,
            kind=kinds[each],
            provider=order.provider,
            reference=order.reference,
            payout=payout_id,
            amount=order.amount,
            currency=order.currency,
        )
        for each in kinds
        if each is state
    ]


def _entry_from(line: dict[str, Any]) -> PayoutEntry:
    order, script = line.pop("order"), line.pop("script")
    return PayoutEntry(
        **{**line, "kind": PayoutEntryKind(line["kind"])},
        order=None if order is None else ReceivedCreate(**order),
        script=None if script is None else script_from_record(script),
    )
