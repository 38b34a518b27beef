"""The conformance kit of core: what a user's own has to do before it is called.

Here core is on trial, and not the client: the real client asks it at its own address,
for tasks that the kit makes up, and takes back all of it. It is for a test instance.
"""

from providers.testing.conformance.core.made_up import CoreSamples
from providers.testing.conformance.core.runner import CoreCandidate
from providers.testing.conformance.core.scenario import CoreScenario
from providers.testing.conformance.core.scenarios import CORE_SCENARIOS

__all__ = ["CORE_SCENARIOS", "CoreCandidate", "CoreSamples", "CoreScenario"]
