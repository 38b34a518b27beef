"""The world of the demo: a dozen providers, services and partners, by one seed."""

import base64
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from payment_service.playground import world
from payment_service.playground.demo import checkouts, links
from payment_service.playground.world import Cast, Places, World, service
from providers.testing.simulator import Simulator, story
from providers.testing.simulator.core import SimulatedCore

__all__ = ["World", "opened", "service"]

CONFIG: Final = """\
[providers.{name}]
adapter = "rest"
base_url = "{base_url}"
timeout = "500ms"
max_in_flight = 200
status = true
idempotent_create = true
key_lifetime = "1h"
not_found = "ambiguous"
not_found_grace = "600ms"
sla = "5s"
on_sla = "poll"
webhook = {{ scheme = "standard", secrets = ["{secret}"], rate = "1000/s" }}
poll = {{ first = "300ms", factor = 1.5, max = "1s", deadline = "4s" }}
recheck = {{ first = "300ms", factor = 1.5, max = "1s", attempts = 8 }}
"""


@asynccontextmanager
async def opened(seed: int) -> AsyncIterator[World]:
    """Start everything in a temporary folder; leave nothing behind."""
    token = secrets.token_hex(16)
    keys = {name: webhook_secret() for name in story.PROFILES}
    cast = Cast(
        core=SimulatedCore(token=token),
        core_token=token,
        simulator=Simulator(
            story.providers(seed, secrets=keys),
            services=checkouts.services(seed),
            partners=links.partners(seed),
            scale=story.STORY_SCALE,
        ),
        tables=lambda simulator: _tables(simulator, keys),
        keys={role: secrets.token_urlsafe(24) for role in ("upstream", "support")},
    )
    async with world.opened(cast, Places(), name="demo") as stage:
        yield stage


def webhook_secret() -> str:
    """Return a secret of the Standard Webhooks, by chance."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _tables(simulator: Simulator, keys: Mapping[str, str]) -> str:
    """Return the configuration file: every provider, the services, the partners."""
    told = [
        CONFIG.format(name=name, base_url=simulator.base_url(name), secret=keys[name])
        for name in story.PROFILES
    ]
    return "\n".join([*told, checkouts.tables(simulator), links.tables(simulator)])
