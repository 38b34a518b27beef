"""Runs the service in some of its roles."""

import socket
from typing import Final

from payment_service.cli.context import configuration, run_async
from payment_service.cli.errors import Usage, Wrong
from payment_service.settings import ROLES, Settings, proxies

TAKEN: Final = (
    "cannot listen on {}:{}: {}: see PAYMENT_HTTP_HOST, PAYMENT_HTTP_PORT "
    "and PAYMENT_METRICS_PORT"
)


def serve(roles: str) -> int:
    """Serve until a signal; return the exit code.

    Settings and configuration are refused before anything heavy is imported.
    """
    wanted = wanted_roles(roles)
    settings = Settings.read(roles=wanted)
    config = configuration(settings)
    proxies()
    from payment_service.wiring.run import run  # noqa: PLC0415 - see above

    port = settings.http_port if "api" in wanted else settings.metrics_port
    _require_free(settings.http_host, port)
    return run_async(run(settings, config, wanted))


def _require_free(host: str, port: int) -> None:
    """Look whether the port is free, before anything is connected.

    :raises Wrong: it is not.
    """
    try:
        for *kind, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            with socket.socket(*kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        because = error.strerror or str(error)
        raise Wrong(TAKEN.format(host, port, because)) from None


def wanted_roles(text: str) -> frozenset[str]:
    """Read a list of roles."""
    roles = frozenset(part.strip() for part in text.split(",")) - {""}
    if unknown := sorted(roles - {*ROLES}):
        known = ", ".join(ROLES)
        raise Usage(f"--roles: {', '.join(unknown)} is none of {known}")
    if not roles:
        raise Usage(f"--roles: name at least one of {', '.join(ROLES)}")
    return roles
