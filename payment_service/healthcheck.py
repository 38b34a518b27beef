"""Asks the process of this container how it is.

``python -m payment_service.healthcheck`` exits with 0 where ``/healthz`` answers 200.
The API answers on its own port, every other role on the metrics port. It runs every few
seconds in every container, so it imports next to nothing; and what it asks never goes
through a proxy of HTTP_PROXY.
"""

import os
import socket
import sys
from typing import Final

SECONDS_MAX: Final = 2.0
PORTS: Final = (("PAYMENT_METRICS_PORT", "9100"), ("PAYMENT_HTTP_PORT", "8000"))
EVERY_ADDRESS: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
REQUEST: Final = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"
WELL: Final = b" 200 "


def main() -> int:
    """Return 0 where one of the ports says that all is well, 1 otherwise."""
    listening = os.environ.get("PAYMENT_HTTP_HOST", "")
    host = EVERY_ADDRESS.get(listening, listening)
    ports = (os.environ.get(name) or default for name, default in PORTS)
    return 0 if any(_is_well(host, port) for port in ports) else 1


def _is_well(host: str, port: str) -> bool:
    try:
        with socket.create_connection((host, port), SECONDS_MAX) as connection:
            connection.sendall(REQUEST)
            return WELL in connection.makefile("rb").readline()
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
