"""The conformance kit of services: what one has to do before a checkout may use it.

Here the service is on trial, and not the adapter: the real adapter asks it at its own
address, for steps that the kit makes up, and undoes them where they can be undone. It
is for a test instance: a step without an undo stays done.
"""

from providers.testing.conformance.services.runner import ServiceCandidate
from providers.testing.conformance.services.scenarios import SERVICE_SCENARIOS
from providers.testing.conformance.services.stage import Samples

__all__ = ["SERVICE_SCENARIOS", "Samples", "ServiceCandidate"]
