"""PostgreSQL and NATS out of wheels, for demos, benchmarks and tests."""

from payment_service.playground.embedded.nats_server import EmbeddedNats
from payment_service.playground.embedded.postgres import EmbeddedPostgres
from payment_service.playground.embedded.process import (
    EmbeddedServerError,
    WheelMissingError,
)

__all__ = [
    "EmbeddedNats",
    "EmbeddedPostgres",
    "EmbeddedServerError",
    "WheelMissingError",
]
