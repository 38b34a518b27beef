"""The database's clock, carried forward by this machine's stop-watch."""

import time
from datetime import datetime, timedelta
from typing import Final

from payment_service.storage.database import Database

READ: Final = "SELECT clock_timestamp()"
# It goes on while the machine is suspended, as others' waiting does.
STOPWATCH: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
DRIFT: Final = 0.001
"""By how much clocks may part, a second: ten times what bad ones do."""


class DatabaseClock:
    """Tells the database's time without asking it each time.

    Replicas on machines whose clocks disagree so still agree on what is due. What a
    reading may be off by is half its round trip, and more as it ages: one that took
    long, as behind a broken network, does not replace a better one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read_at = 0.0
        self._read: datetime | None = None
        self._off_by = 0.0

    async def calibrate(self) -> None:
        """Ask the database once, and keep the answer if it is the better one."""
        before = self.elapsed()
        rows = await self._database.run(READ, {})
        after = self.elapsed()
        off_by = (after - before) / 2
        aged = self._off_by + DRIFT * (after - self._read_at)
        if self._read is None or off_by <= aged:
            self._read, self._off_by = rows[0][0], off_by
            self._read_at = (before + after) / 2

    def now(self) -> datetime:
        """Return the database's time as far as this process knows."""
        if self._read is None:
            raise RuntimeError("the clock must be calibrated before it is read")
        return self._read + timedelta(0, self.elapsed() - self._read_at)

    def elapsed(self) -> float:
        """Return seconds that only go forward."""
        return time.clock_gettime(STOPWATCH)
