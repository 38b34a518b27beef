"""The kinds of requests: the subject that a request of each kind comes on.

The one table of them below the wire; `payment_service.wire.readers` says how each is
read, and which path takes it over HTTP.
"""

from collections.abc import Mapping
from typing import Final

from fsm.domain.messages import WITHDRAWAL_CANCEL, WITHDRAWAL_REQUESTED
from fsm.engine.words import Kind

SUBJECTS: Final[Mapping[Kind, str]] = {
    Kind.WITHDRAWAL: WITHDRAWAL_REQUESTED,
    Kind.CHECKOUT: "checkout.requested",
    Kind.PARTNER_LINK: "partner.link.requested",
    Kind.PARTNER_UNLINK: "partner.unlink.requested",
}
KINDS: Final[Mapping[str, Kind]] = {subject: kind for kind, subject in SUBJECTS.items()}
"""By subject, the kind of order that is asked for."""

SHADOW_OUTCOME: Final = "shadow.outcome"
NOT_BUILT: Final = frozenset({SHADOW_OUTCOME})
"""Requests of the contract that are refused, as their senders are told."""

ALL: Final = (
    *SUBJECTS.values(),
    WITHDRAWAL_CANCEL,
    SHADOW_OUTCOME,
)
"""Every subject that upstream systems may ask on."""
