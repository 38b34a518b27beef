"""Where a URL leads: whom to connect to, and what to ask for there."""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from providers.http.proxies import PORTS


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: the address to connect to, and what to ask for there."""

    host: str
    port: int
    scheme: str
    asked: str
    host_line: str

    @property
    def is_tls(self) -> bool:
        """True where it is secured end to end."""
        return self.scheme == "https"


@lru_cache(maxsize=4096)
def target_of(url: str) -> Target:
    """Take a URL apart; what was escaped by its writer stays as it is."""
    parts = urlsplit(url)
    host = parts.hostname
    if parts.scheme not in PORTS or not host:
        raise ValueError(f"{url!r} is not an http or https URL")
    asked = parts.path or "/"
    if parts.query:
        asked += f"?{parts.query}"
    return Target(
        host=host,
        port=parts.port or PORTS[parts.scheme],
        scheme=parts.scheme,
        asked=plain(asked),
        host_line=f"Host: {plain(parts.netloc.rpartition('@')[2])}\r\n",
    )


def is_here(url: str) -> bool:
    """Tell whether an address is this machine's own."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def plain(value: str) -> str:
    """Return what may stand on a line of its own in a request.

    :raises ValueError: it would end the line.
    """
    if "\r" in value or "\n" in value or "\0" in value:
        raise ValueError("a line of a request cannot hold a line end")
    return value
