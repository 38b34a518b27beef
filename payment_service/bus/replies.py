"""Where an answer on ``X-Reply-To`` may go: to inboxes, and where the settings allow.

Whoever asks names the subject. An answer to one that means something to somebody would
be a message of ours, with all that we may do.
"""

from collections.abc import Iterable
from typing import Final

from payment_service.bus.access import INBOX_PREFIX
from payment_service.bus.subjects import Names, is_subject, matches
from payment_service.bus.topology import is_ours

INBOXES: Final = f"{INBOX_PREFIX}.>"


def may_be_answered(
    subject: str, *, names: Names, allowed: Iterable[str], heard: Iterable[str]
) -> bool:
    """Tell whether an answer may go there; ``heard`` is what we listen to ourselves."""
    return (
        is_subject(subject)
        and not is_ours(names, subject)
        and any(matches(each, subject) for each in (INBOXES, *allowed))
        and not any(matches(each, subject) for each in heard)
    )
