"""What a payment provider can say and hear about a charge, and who knows how."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from providers.testing.conformance.vocabulary import Deal, ReceivedRequest, Reply


class ChargeCall(StrEnum):
    """What an adapter asks a payment provider for; the names are the port's."""

    CHARGE = "charge"
    STATUS = "charge_status"
    REFUND = "refund"


class ChargeSaying(StrEnum):
    """What a payment provider says in reply."""

    DONE = "charged, or refunded"
    AT_WORK = "taken, and still at work"
    DECLINED = "declined"
    NOT_FOUND = "not found"
    NEEDS_CUSTOMER = "waits for the customer"
    LOCKED_OUT = "who asks is not let in"
    UNLISTED_WORD = "a word for its state that nobody has listed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCharge:
    """What a request asks for, as the provider reads it; ``key`` is its own."""

    call: ChargeCall
    reference: str | None = None
    provider_reference: str | None = None
    key: str | None = None
    amount: int | None = None
    currency: str | None = None


class ChargeDouble(Protocol):
    """A payment provider as it is on its own side of the wire."""

    @property
    def payment_method(self) -> Mapping[str, str]:
        """Return one; all but its ``type`` is nobody else's business."""
        ...

    def read(self, request: ReceivedRequest) -> AskedCharge:
        """Say what a request asks for, from its bytes.

        :raises Unreadable: this provider knows no such request.
        """
        ...

    def replies(
        self, call: ChargeCall, saying: ChargeSaying, deal: Deal
    ) -> Mapping[str, Reply]:
        """Return every way of saying this to that call; empty: it never says so."""
        ...

    def cancelled(self, deal: Deal) -> Reply | None:
        """Return that a charge is cancelled which waits for its customer, if it can."""
        ...
