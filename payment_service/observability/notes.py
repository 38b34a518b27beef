"""Tells what the API notes about its callers: a few times, and then how often."""

from collections.abc import Callable, Mapping
from typing import Final

from payment_service.observability.repeats import Repeats

NOTED_AT_ONCE: Final = 3
OUTCOME: Final = "outcome"
PROVIDER: Final = "provider"

Tell = Callable[[str, Mapping[str, object]], None]


class Notes:
    """Hands notes on; what is repeated is counted as ``untold`` in the next of a kind.

    A kind is an event, a provider of ours and an outcome: nothing a caller may choose.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._repeats = Repeats(at_once=NOTED_AT_ONCE)

    def __call__(self, event: str, told: Mapping[str, object]) -> None:
        """Tell of it, unless it was told often enough."""
        untold = self._repeats.admit((event, told.get(PROVIDER), told.get(OUTCOME)))
        if untold is not None:
            self._tell(event, {**told, "untold": untold} if untold else told)
