"""Time, by one clock for all replicas."""

from datetime import datetime, timedelta
from typing import Final, Protocol

SENDING_SHARE: Final = 6
"""What is sent for a message is sent within this part of the message's AckWait."""


def send_within(ack_wait: timedelta) -> timedelta:
    """Return how old the claim of a call that moves money may be when it is sent."""
    return ack_wait / SENDING_SHARE


class Clock(Protocol):
    """The database's clock as seen from this process, and a local stop-watch."""

    def now(self) -> datetime:
        """Return the database's time; it may be off by a round trip, not by hours."""
        ...

    def elapsed(self) -> float:
        """Return seconds on a clock that only goes forward, for local limits."""
        ...
