"""The configuration file: providers, services and partners; refused if unsafe."""

from providers.config.file import ConfigError, parse_config, read_config
from providers.config.health import BreakerTable
from providers.config.partners import PartnerTable
from providers.config.services import CheckoutTable, ServiceTable
from providers.config.tables import Config, ProviderTable, WebhookTable

__all__ = [
    "BreakerTable",
    "CheckoutTable",
    "Config",
    "ConfigError",
    "PartnerTable",
    "ProviderTable",
    "ServiceTable",
    "WebhookTable",
    "parse_config",
    "read_config",
]
