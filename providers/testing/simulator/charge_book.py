"""The payment providers' own book of charges: what was collected, and given back."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from providers.testing.simulator.journal import Journal
from providers.testing.simulator.script import (
    PayoutState,
    ReceivedCreate,
    Script,
    script_from_record,
)

LOST: Final = frozenset({"FAILED", "CANCELLED"})


class ChargeEntryKind(StrEnum):
    REQUEST = "request"  # a call came in; `what` is the operation
    TAKEN = "taken"  # a charge exists from here on; `what` is its first state
    BECAME = "became"  # `what` is its new state
    REFUNDED = "refunded"  # all of it was given back; `key` is the refund's


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedCharge:
    """A charge as it was asked for."""

    provider: str
    reference: str
    key: str
    amount: int
    currency: str
    token: str
    order_id: str = ""
    merchant_id: str = ""
    customer_id: str = ""

    def as_create(self) -> ReceivedCreate:
        """Return it as behaviours and rules know orders: by reference and token."""
        return ReceivedCreate(
            provider=self.provider,
            reference=self.reference,
            key=self.key,
            amount=self.amount,
            currency=self.currency,
            destination=self.token,
            terminal_id="",
            callback_url="",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeEntry:
    at: float
    kind: ChargeEntryKind
    provider: str
    reference: str
    what: str = ""
    charge: str = ""
    key: str = ""
    asked: ReceivedCharge | None = None
    script: Script | None = None


@dataclass(slots=True, kw_only=True)
class BookedCharge:
    """Where one charge stands, as the entries about it say."""

    charge_id: str
    asked: ReceivedCharge
    script: Script
    state: PayoutState
    taken_at: float
    refunded_by: str = ""  # the key of the refund, once there is one

    @property
    def stands(self) -> bool:
        """Tell whether the money was collected, and is kept."""
        return self.state is PayoutState.SUCCEEDED and not self.refunded_by

    def view(self) -> dict[str, Any]:
        """Return it as the admin's calls show it."""
        asked = self.asked
        return {
            "provider": asked.provider,
            "task_id": asked.reference,
            "order_id": asked.order_id,
            "merchant_id": asked.merchant_id,
            "charge": self.charge_id,
            "amount": asked.amount,
            "currency": asked.currency,
            "state": "refunded" if self.refunded_by else str(self.state),
            "stands": self.stands,
        }


class ChargeBook:
    """Entries in order, on file if there is a path, and what follows from them."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._journal = Journal(path)
        self.entries: list[ChargeEntry] = []
        self.charges: dict[str, BookedCharge] = {}
        self._calls: Counter[tuple[str, str, str]] = Counter()
        for line in self._journal.read():
            self._apply(_entry_from(line))

    def close(self) -> None:
        self._journal.close()

    def record(self, entry: ChargeEntry) -> None:
        """Append the entry, durably first."""
        self._journal.append(entry)
        self._apply(entry)

    # What the server writes.

    def take(self, asked: ReceivedCharge, script: Script, *, at: float) -> BookedCharge:
        """Make a charge; if it succeeds at once the money is collected."""
        charge_id = f"ch_{asked.provider}_{len(self.charges) + 1}"
        self.record(
            ChargeEntry(
                at=at,
                kind=ChargeEntryKind.TAKEN,
                provider=asked.provider,
                reference=asked.reference,
                what=script.state,
                charge=charge_id,
                asked=asked,
                script=script,
            )
        )
        return self.charges[charge_id]

    def move(self, charge: BookedCharge, to: PayoutState, *, at: float) -> None:
        """Move a charge that is still at work."""
        self.record(self._about(charge, ChargeEntryKind.BECAME, at=at, what=to))

    def refund(self, charge: BookedCharge, key: str, *, at: float) -> None:
        """Give all of a charge back."""
        self.record(self._about(charge, ChargeEntryKind.REFUNDED, at=at, key=key))

    # What the server asks.

    def latest(self, provider: str, reference: str) -> BookedCharge | None:
        found = self.of(reference, provider)
        return found[-1] if found else None

    def calls(self, operation: str, provider: str, reference: str) -> int:
        """Return how often this was asked for."""
        return self._calls[operation, provider, reference]

    # What an auditor asks.

    def of(self, reference: str, provider: str | None = None) -> list[BookedCharge]:
        """Return the charges of one task, by one provider or by all."""
        return [
            charge
            for charge in self.charges.values()
            if charge.asked.reference == reference
            and provider in (None, charge.asked.provider)
        ]

    def standing(self) -> list[BookedCharge]:
        """Return what was collected and is kept."""
        return [charge for charge in self.charges.values() if charge.stands]

    def check(self) -> list[str]:
        """Return what is wrong, in words; empty: nothing."""
        return [
            *self._twice(),
            *self._strange_keys(),
            *self._twice_by_order(),
        ]

    def against(self, orders: Mapping[str, str]) -> list[str]:
        """Compare with the states of orders by ``order_id``, once all is at rest.

        Of a failed or cancelled order nothing is kept; one that is completed was
        charged once, if it was charged here at all.
        """
        kept: Counter[str] = Counter(c.asked.order_id for c in self.standing())
        wrong = [
            f"{order_id}: {state.lower()}, and its charge is kept"
            for order_id, state in orders.items()
            if state in LOST and kept[order_id]
        ]
        unknown = kept.keys() - orders.keys()
        return wrong + [
            f"{order_id}: charged for no order" for order_id in sorted(unknown)
        ]

    def _twice(self) -> Iterator[str]:
        collected: Counter[str] = Counter(
            charge.asked.reference
            for charge in self.charges.values()
            if charge.state is PayoutState.SUCCEEDED
        )
        for reference, count in collected.items():
            if count > 1:
                yield f"task {reference}: charged {count} times"

    def _strange_keys(self) -> Iterator[str]:
        for charge in self.charges.values():
            reference = charge.asked.reference
            if charge.asked.key != reference:
                yield f"task {reference}: charged under another key"
            if charge.refunded_by not in {"", f"{reference}:refund"}:
                yield f"task {reference}: refunded under another key"

    def _twice_by_order(self) -> Iterator[str]:
        kept: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for charge in self.standing():
            asked = charge.asked
            if asked.order_id:
                kept[asked.merchant_id, asked.order_id].append(asked.reference)
        for (_, order_id), found in kept.items():
            if len(found) > 1:
                yield f"order {order_id}: charged by {len(found)} tasks"

    def _about(
        self,
        charge: BookedCharge,
        kind: ChargeEntryKind,
        *,
        at: float,
        what: str = "",
        key: str = "",
    ) -> ChargeEntry:
        return ChargeEntry(
            at=at,
            kind=kind,
            provider=charge.asked.provider,
            reference=charge.asked.reference,
            charge=charge.charge_id,
            what=what,
            key=key,
        )

    def _apply(self, entry: ChargeEntry) -> None:
        self.entries.append(entry)
        match entry.kind:
            case ChargeEntryKind.REQUEST:
                self._calls[entry.what, entry.provider, entry.reference] += 1
            case ChargeEntryKind.TAKEN:
                if entry.asked is None or entry.script is None:
                    raise ValueError("a charge was taken that nobody asked for")
                self.charges[entry.charge] = BookedCharge(
                    charge_id=entry.charge,
                    asked=entry.asked,
                    script=entry.script,
                    state=PayoutState(entry.what),
                    taken_at=entry.at,
                )
            case ChargeEntryKind.BECAME:
                self.charges[entry.charge].state = PayoutState(entry.what)
            case ChargeEntryKind.REFUNDED:
                self.charges[entry.charge].refunded_by = entry.key


def _entry_from(line: dict[str, Any]) -> ChargeEntry:
    asked, script = line.pop("asked"), line.pop("script")
    return ChargeEntry(
        **{**line, "kind": ChargeEntryKind(line["kind"])},
        asked=None if asked is None else ReceivedCharge(**asked),
        script=None if script is None else script_from_record(script),
    )
