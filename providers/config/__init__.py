"""The configuration file: providers, services and partners; refused if unsafe."""

from providers.config.file import ConfigError, parse_config, read_config
from providers.config.health import BreakerTable
from providers.config.tables import (
    Config,
    PartnerTable,
    ProviderTable,
    ServiceTable,
    WebhookTable,
)

__all__ = [
    "BreakerTable",
    "Config",
    "ConfigError",
    "PartnerTable",
    "ProviderTable",
    "ServiceTable",
    "WebhookTable",
    "parse_config",
    "read_config",
]
