"""The services of a checkout over HTTP: steps are done, asked about, undone; loads."""

from providers.services.answers import ask_answer
from providers.services.client import (
    ConfiguredServices,
    HttpService,
    build_services,
    status_url,
)

__all__ = [
    "ConfiguredServices",
    "HttpService",
    "ask_answer",
    "build_services",
    "status_url",
]
