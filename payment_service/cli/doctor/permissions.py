"""Says who may what: this user of NATS more than it needs, others anything at all."""

from collections.abc import AsyncIterator, Iterator
from typing import Final

from payment_service.bus import Names, NatsClient, beyond_need, takes_anybody
from payment_service.cli.doctor.findings import Area, Finding
from payment_service.settings import Settings
from payment_service.wiring.nats import access_of
from payment_service.wiring.trust import trusting
from providers.config import Config
from providers.http.targets import is_here

NATS: Final = Area("nats")
CALLS: Final = Area("calls")


async def of_nats(
    wire: NatsClient, settings: Settings, config: Config
) -> AsyncIterator[Finding]:
    """Look at NATS from outside, and at what we may do in it ourselves."""
    yield await _strangers(settings, config)
    mend = "give it the rights that `payment-service spec streams` prints, no more"
    if too_much := await beyond_need(wire, Names(settings.subject_prefix)):
        told = f"this user may also {', '.join(too_much)}"
        yield NATS.advice("rights", told, mend)
    else:
        yield NATS.ok("rights", "this user may do what it needs, and no more")
    if not wire.is_encrypted and not all(map(is_here, settings.nats_urls)):
        told = "the connection is not TLS: what is sent can be read on the way"
        yield NATS.advice("TLS", told, "use tls:// and a server with a certificate")


async def _strangers(settings: Settings, config: Config) -> Finding:
    if not await takes_anybody(settings.nats_urls, access_of(settings)):
        return NATS.ok("strangers", "a connection without credentials is refused")
    told = "anybody who reaches it may read every request and publish what we act on"
    mend = "give it users by role, as ops/nats/nats.conf has them"
    if trusted := trusting(config):
        told = f'{told}, and trust = "nats" is given to {", ".join(sorted(trusted))}'
        return NATS.wrong("strangers", told, mend)
    return NATS.advice("strangers", told, mend)


def of_calls(settings: Settings, config: Config) -> Iterator[Finding]:
    """Name who is sent what is secret without TLS, beyond this machine."""
    told = "is http:// beyond this machine: what it is sent can be read on the way"
    tokens = {f"service {n}" for n, t in config.services.items() if t.token}
    for name, url in (
        ("core", settings.core_url),
        *((f"provider {n}", t.base_url) for n, t in sorted(config.providers.items())),
        *((f"service {n}", t.base_url) for n, t in sorted(config.services.items())),
        *((f"partner {n}", t.base_url) for n, t in sorted(config.partners.items())),
    ):
        if url is not None and url.startswith("http://") and not is_here(url):
            more = ", its token too" if name in tokens else ""
            mend = "give it an https:// address"
            yield CALLS.advice(name, f"{url} {told}{more}", mend)
