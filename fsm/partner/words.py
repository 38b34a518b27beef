"""The words of a partner's link: what it waits for, what can happen to it, its ends."""

from enum import StrEnum
from typing import Final

LINK_STEP: Final = "link"
UNLINK_STEP: Final = "unlink"

LINKED: Final = "linked"
NOT_ELIGIBLE: Final = "not_eligible"
EXPIRED: Final = "expired"
UNLINKED: Final = "unlinked"
"""How an order of a link, or of the removal of one, has ended."""

ALREADY_LINKED: Final = "already_linked"
"""The code of a link that an earlier order has made, and that stands."""
ALREADY_UNLINKED: Final = "already_unlinked"
"""The code of the removal of a link that does not stand any more."""
COUNTRY_NOT_COVERED: Final = "country_not_covered"
BIN_NOT_COVERED: Final = "bin_not_covered"
GIVEN_UP: Final = "cancelled"
"""The code of a link that somebody has given up."""
CONFIRM_REFUSED: Final = "confirm_refused"
"""The code of a provisional membership that core refuses to make good."""
STANDS: Final = "stands"
"""The code of a membership of which a person has found that it stands."""
UNCONFIGURED: Final = "partner_not_configured"
CHECK: Final = "check"
"""Under which a line of the trail holds the number of the check that was answered."""

OURS: Final = frozenset(
    {
        EXPIRED,
        ALREADY_LINKED,
        ALREADY_UNLINKED,
        COUNTRY_NOT_COVERED,
        BIN_NOT_COVERED,
        GIVEN_UP,
        CONFIRM_REFUSED,
        STANDS,
        UNCONFIGURED,
    }
)
"""Codes of ours, from which the outcome is read: a partner's own are told apart."""


class LinkWait(StrEnum):
    """What a link, or its removal, waits for: the call that is due.

    Every call has a key of its own, so the same one may be made again by anybody.
    ``VALIDATE`` asks nobody: it looks at the card, and at what there is already.
    """

    VALIDATE = "validate"
    ELIGIBILITY = "eligibility"
    GRANT = "grant"
    FALLBACK = "fallback"
    CONFIRM = "confirm"
    REVOKE = "revoke"
    REVOKE_NOTICE = "revoke_notice"


class LinkTrigger(StrEnum):
    """What can happen to it: what its partner says, what core says, what time does."""

    VALIDATED = "link.validated"
    NOT_COVERED = "link.not_covered"
    ALREADY_LINKED = "link.already_linked"
    NOT_LINKED = "link.not_linked"
    EXPIRED = "link.expired"
    ELIGIBLE = "partner.eligible"
    NOT_ELIGIBLE = "partner.not_eligible"
    MULTI_MATCH = "partner.multi_match"
    PENDING = "partner.pending"
    NOT_SENT = "partner.not_sent"
    UNCLEAR = "partner.unclear"
    NOTIFIED = "partner.notified"
    NOTICE_GIVEN_UP = "partner.notice_given_up"
    GRANTED = "membership.granted"
    GRANT_REFUSED = "membership.grant_refused"
    CONFIRMED = "membership.confirmed"
    CONFIRM_REFUSED = "membership.confirm_refused"
    REVOKED = "membership.revoked"
    REVOKE_REFUSED = "membership.revoke_refused"
