"""The provider port as adapter authors import it: what a provider has to do, and say.

The protocol itself belongs to who needs it, :mod:`handlers.ports.provider`.
"""

from handlers.ports.provider import (
    Accepted,
    CancelAnswer,
    Cancelled,
    CreateAnswer,
    Declined,
    NotFound,
    NotSent,
    Payout,
    Provider,
    Providers,
    Rejected,
    Returned,
    StatusAnswer,
    Succeeded,
    TooLate,
    Unclear,
    Verified,
)

__all__ = [
    "Accepted",
    "CancelAnswer",
    "Cancelled",
    "CreateAnswer",
    "Declined",
    "NotFound",
    "NotSent",
    "Payout",
    "Provider",
    "Providers",
    "Rejected",
    "Returned",
    "StatusAnswer",
    "Succeeded",
    "TooLate",
    "Unclear",
    "Verified",
]
