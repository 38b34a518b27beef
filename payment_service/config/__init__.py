"""The configuration file: providers, services and partners; refused if unsafe."""

from payment_service.config.file import ConfigError, parse_config, read_config
from payment_service.config.health import BreakerTable
from payment_service.config.tables import (
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
