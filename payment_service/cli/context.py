"""Reads what a command needs: the settings and the configuration."""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, TypeVar

import uvloop

from payment_service.settings import Settings, environment
from providers.config import Config, read_config

T = TypeVar("T")


def read_settings(*needs: str, roles: Collection[str] = ()) -> Settings:
    """Read the settings that a command needs."""
    return Settings.read(needs=needs, roles=roles)


def configuration(settings: Settings) -> Config:
    """Read the configuration file."""
    return read_config(
        settings.config, ack_wait=settings.ack_wait, environment=environment()
    )


def database_url(settings: Settings) -> str:
    """Return the address of a database that was asked for by ``read_settings``."""
    return settings.database_url.get_secret_value() if settings.database_url else ""


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine on the fast loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
