"""The database's clock, carried forward by this machine's stop-watch."""

import time
from datetime import datetime, timedelta
from typing import Final

from payment_service.storage.database import Database

READ: Final = "SELECT clock_timestamp()"


class DatabaseClock:
    """Tells the database's time without asking it each time.

    Replicas on machines whose clocks disagree so still agree on what is due.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read_at = 0.0
        self._read: datetime | None = None

    async def calibrate(self) -> None:
        """Ask the database once; off by half a round trip at most."""
        before = time.monotonic()
        rows = await self._database.run(READ, {})
        after = time.monotonic()
        self._read = rows[0][0]
        self._read_at = (before + after) / 2

    def now(self) -> datetime:
        """Return the database's time as far as this process knows."""
        if self._read is None:
            raise RuntimeError("the clock must be calibrated before it is read")
        return self._read + timedelta(seconds=time.monotonic() - self._read_at)

    def elapsed(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic()
