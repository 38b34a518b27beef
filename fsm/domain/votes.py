"""What has become of a person's vote on a decision that may take two."""

from enum import StrEnum
from typing import Final

from fsm.domain.errors import NotNow

VOTER: Final = "key:"
"""How the actors begin that can decide: any other name can be taken by anybody."""

VOTED_ALREADY: Final = (
    "the same person cannot decide twice: a second one must agree, "
    "or the first vote be withdrawn"
)
NOT_THEIR_VOTE: Final = "only who gave a vote can withdraw it: decide otherwise instead"


class Vote(StrEnum):
    """How a vote counts; only one that decides is true."""

    DECIDES = "recorded"
    WAITS = "waits_for_second_person"
    CLEARS = "first_vote_cleared"

    def __bool__(self) -> bool:
        """Return whether the decision is made."""
        return self is Vote.DECIDES


def require_key(actor: str) -> None:
    """Let nobody decide but the holders of keys.

    :raises NotNow: it is somebody else.
    """
    if not actor.startswith(VOTER):
        raise NotNow(f"{actor} cannot decide: only the holder of a key can")
