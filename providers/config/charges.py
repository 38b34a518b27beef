"""The table of a payment provider's charges: how it is treated where it collects."""

from datetime import timedelta

from fsm.charge.policy import ChargePolicy
from providers.config.fields import Duration
from providers.config.services import RetryTable
from providers.config.table import Table


class ChargeTable(Table):
    """``[providers.*] charge``: there where checkouts may have the provider collect.

    Without a ``key_lifetime`` a charge that may have arrived is never made again, and
    without ``absent_after`` nothing that is not known proves that nothing was charged.
    """

    key_lifetime: Duration | None = None
    absent_after: Duration | None = None
    retry: RetryTable = RetryTable()
    deadline: Duration | None = None

    def policy(self, timeout: timedelta) -> ChargePolicy:
        """Return how the provider may be treated, as the core sees it.

        A repeat has to arrive while its key lives, so the last one is sent a call's
        ``timeout`` before its end.
        """
        lives = timedelta(0)
        if self.key_lifetime is not None:
            lives = self.key_lifetime - timeout
        return ChargePolicy(
            retry=self.retry.backoff,
            attempts=self.retry.attempts,
            deadline=self.deadline,
            key_lifetime=lives,
            absent_after=self.absent_after,
        )
