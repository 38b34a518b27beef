"""The one test that the plugin needs where nobody has written one."""

from providers.testing.conformance.plugin import Trial


def test_provider(provider_scenario: Trial) -> None:
    """Play a scenario for a provider of the configuration."""
    provider_scenario.check()
