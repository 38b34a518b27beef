"""The conformance kit of partners: what an adapter makes of a partner that misbehaves.

As with providers, the adapter is the real one, made by the registry from its table, and
the counterpart speaks the partner's wire form by its *double*:

- `rest`: derived from the table itself (:mod:`.declared`);
- `package.module:Class`: the function ``double(table)`` of the module
  ``package.module.double``, ``package.double`` or ``package.module_double``.
"""

from providers.testing.conformance.partners.runner import (
    PARTNER_SCENARIOS,
    PartnerCandidate,
    PartnerScenario,
)

__all__ = ["PARTNER_SCENARIOS", "PartnerCandidate", "PartnerScenario"]
