"""Which proxy a call goes through: what the environment tells curl and its like.

``HTTPS_PROXY``, ``HTTP_PROXY`` and ``ALL_PROXY`` name it, ``NO_PROXY`` says who is
called without; the lower-case name goes before the upper-case one, and empty is none.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

PORTS: Final = {"http": 80, "https": 443}

_FORM: Final = "must be http://user:password@host:port, or https://, percent-encoded"
_WORDS: Final = re.compile(r"[\s,]+")
_PORTED: Final = re.compile(r"(\[[^\]]+\]|[^:\[\]]+):(\d+)", re.ASCII)

Matches = Callable[[str, int], bool]
"""Whether a host (lower case, no brackets) and a port are meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy that opens tunnels; ``variable`` is where it was set."""

    host: str
    port: int
    is_tls: bool
    variable: str
    authorization: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Return its address, without what is secret in it."""
        scheme = "https" if self.is_tls else "http"
        return f"{scheme}://{authority(self.host, self.port)}"


class Proxies:
    """The proxies of one environment.

    :raises ValueError: a variable, which is named, cannot be read; never its value.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._by_scheme = {
            scheme: _proxy(environment, f"{scheme}_proxy", "all_proxy")
            for scheme in PORTS
        }
        _, around = _told(environment, "no_proxy")
        self._around = [_matches(word) for word in _WORDS.split(around) if word]

    def find(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Return the proxy for a call; None where there is none between."""
        proxy = self._by_scheme[scheme]
        if proxy is None:
            return None
        plain = host.lower().rstrip(".")
        return None if any(is_it(plain, port) for is_it in self._around) else proxy


def authority(host: str, port: int) -> str:
    """Return ``host:port``, with brackets where the host is an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _told(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the variable that counts and its value."""
    lower, upper = name.lower(), name.upper()
    counts = lower if lower in environment else upper
    return counts, environment.get(counts, "").strip()


def _proxy(environment: Mapping[str, str], *names: str) -> Proxy | None:
    for name in names:
        variable, url = _told(environment, name)
        if url:
            return _read(variable, url if "://" in url else f"http://{url}")
    return None


def _read(variable: str, url: str) -> Proxy:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"{variable}: {_FORM}") from None
    if parts.scheme not in PORTS:
        ours = "only http:// and https:// proxies are known here"
        raise ValueError(f"{variable}: {ours}, not {parts.scheme}://")
    if not parts.hostname or port == 0 or not parts.netloc.isascii():
        raise ValueError(f"{variable}: {_FORM}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        # A password with a slash or a hash that was not escaped ends up here.
        raise ValueError(f"{variable}: {_FORM}")
    return Proxy(
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        is_tls=parts.scheme == "https",
        variable=variable,
        authorization=_authorization(parts),
    )


def _authorization(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    user = unquote_to_bytes(parts.username)
    password = unquote_to_bytes(parts.password or "")
    return "Basic " + base64.b64encode(user + b":" + password).decode()


def _matches(word: str) -> Matches:
    """Read one entry of ``NO_PROXY``: a domain, an address, a network, or all."""
    if word == "*":
        return lambda _, __: True
    if ported := _PORTED.fullmatch(word):
        is_host, only = _host(ported[1]), int(ported[2])
        return lambda host, port: port == only and is_host(host)
    is_host = _host(word)
    return lambda host, _: is_host(host)


def _host(word: str) -> Callable[[str], bool]:
    word = word.lower().strip("[]")
    try:
        network = ip_network(word, strict=False)
    except ValueError:
        pass
    else:
        return lambda host: (found := _address(host)) is not None and found in network
    domain = word.removeprefix("*").strip(".")
    return lambda host: host == domain or host.endswith(f".{domain}")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


NO_PROXIES: Final = Proxies({})
"""All calls go straight to whom they are for."""
