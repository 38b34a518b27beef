"""The conformance kit of charges: what an adapter makes of a payment provider's words.

As the kit of payouts: the real adapter, over real sockets, against a counterpart that
misbehaves on purpose. It is played where a table has a ``charge``.
"""

from providers.testing.conformance.charges.runner import ChargeCandidate
from providers.testing.conformance.charges.scenarios import CHARGE_SCENARIOS

__all__ = ["CHARGE_SCENARIOS", "ChargeCandidate"]
