"""Checks what can be checked of ``trust = "nats"``: that NATS asks who somebody is."""

from typing import Final

import structlog

from payment_service import bus
from payment_service.config import Config, ConfigError
from payment_service.settings import Settings
from payment_service.wiring.nats import access_of

LOG: Final = structlog.get_logger("payment_service")
ANYBODY: Final = (
    "NATS takes a connection without credentials, so anybody could forward: "
    "give it users (ops/nats/nats.conf), or the forwarder secrets"
)


def trusting(config: Config) -> list[str]:
    """Return the names of the forwarders that NATS vouches for."""
    return [name for name, table in config.forwarders.items() if table.trust]


async def require_trust(
    wire: bus.Wire, names: bus.Names, settings: Settings, config: Config
) -> None:
    """Refuse trust in a server that lets anybody in; warn where we may do too much.

    A user of ours without limits says that permissions may not be in use here.

    :raises ConfigError: a connection without credentials is taken.
    :raises BusUnavailable: NATS did not answer.
    """
    trusted = trusting(config)
    if not trusted:
        return
    if await bus.takes_anybody(settings.nats_urls, access_of(settings)):
        raise ConfigError(f"[forwarders.{name}] trust: {ANYBODY}" for name in trusted)
    if too_much := await bus.beyond_need(wire, names):
        LOG.warning("nats.unlimited", may=too_much, trusted_for=trusted)
