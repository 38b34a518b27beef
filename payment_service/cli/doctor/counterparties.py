"""Checks the neighbours: core and services answer, providers and partners connect."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

from fsm.domain.errors import CoreUnavailable
from fsm.domain.events import stamp
from payment_service.cli.doctor import partners, services
from payment_service.cli.doctor.findings import Area, Finding
from payment_service.settings import Settings
from providers.config import Config, ConfigError, ProviderTable
from providers.core.shapes import ENTRIES
from providers.http.outbound import ConnectionLimit, Outbound, Response
from providers.http.proxies import Proxies
from providers.http.trust import expired, trusting
from providers.http.unreadable import kind_of

CORE: Final = Area("core")
PROVIDERS: Final = Area("providers")
CONNECT_SECONDS_MAX: Final = 5.0
OK: Final = 200
LOCKED: Final = frozenset({401, 403})
PORTS: Final = {"http": 80, "https": 443}
RENEW: Final = "put the authority's new one into the file"


async def check(
    settings: Settings, config: Config, ways_out: Proxies
) -> AsyncIterator[Finding]:
    """Check who is called; no provider is ever sent a request."""
    async with Outbound(proxies=ways_out) as outbound:
        if settings.core_url is not None:
            for told in _outlived(settings.core_ca):
                yield CORE.advice("PAYMENT_CORE_CA", told, RENEW)
            yield await _core(settings, outbound)
        for finding in _adapters(config, outbound, settings.public_url):
            yield finding
        for name, table in sorted(config.providers.items()):
            if table.base_url is not None:
                for told in _outlived(table.tls.authority if table.tls else None):
                    yield PROVIDERS.advice(name, told, RENEW)
                yield await _reached(name, table, table.base_url, outbound)
        async for finding in services.check(config, outbound):
            yield finding
        async for finding in partners.check(config, outbound):
            yield finding


async def _core(settings: Settings, outbound: Outbound) -> Finding:
    """Ask for the ledger of no time at all."""
    now = stamp(datetime.now(UTC))
    token = settings.core_token.get_secret_value() if settings.core_token else None
    tls = trusting(settings.core_ca) if settings.core_ca else None
    answer = await outbound.lane(1, tls=tls).request(
        "GET",
        f"{settings.core_url}{ENTRIES}?{urlencode({'from': now, 'to': now})}",
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=settings.core_timeout.total_seconds(),
    )
    url = settings.core_url or ""
    if not isinstance(answer, Response):
        mend = CoreUnavailable.mend
        return CORE.wrong("reachable", f"{url}: {answer.because}", mend)
    if answer.status in LOCKED:
        told = f"{url} answered {answer.status}"
        return CORE.wrong("reachable", told, "see PAYMENT_CORE_TOKEN")
    if (wrong := _no_ledger(answer)) is not None:
        told = f"{url}{ENTRIES} answered {wrong}"
        mend = "see whether PAYMENT_CORE_URL is core's base URL"
        return CORE.wrong("reachable", told, mend)
    return CORE.ok("reachable", f"{url} answers{_way(url, outbound)}")


def _no_ledger(answer: Response) -> str | None:
    """Say why an answer is no ledger: a page that answers everything is no core."""
    body = answer.read_object()
    if answer.status != OK:
        return str(answer.status)
    if body is None:
        return f"{answer.status}, and the body is {kind_of(answer)}"
    if not isinstance(body.get("entries"), list):
        return f"{answer.status}, and the body has no list of entries"
    return None


def _adapters(
    config: Config, outbound: Outbound, public_url: str | None
) -> list[Finding]:
    from providers.registry import (  # noqa: PLC0415 - only here
        build_payments,
        build_providers,
    )

    try:
        build_providers(config, outbound, public_url=public_url)
        build_payments(config, outbound)
    except ConfigError as error:
        mend = "install the adapter, or mend its table"
        return [PROVIDERS.wrong("adapter", each, mend) for each in error.problems]
    return []


async def _reached(
    name: str, table: ProviderTable, url: str, outbound: Outbound
) -> Finding:
    """Connect as its calls do, and greet where it is TLS; nothing is asked."""
    parts = urlsplit(url)
    whom = f"{parts.hostname}:{parts.port or PORTS[parts.scheme]}"
    lane = ConnectionLimit(outbound, 1, table.tls.context() if table.tls else None)
    failed = await lane.reach(url, seconds=CONNECT_SECONDS_MAX)
    if failed is not None:
        mend = f"see base_url of [providers.{name}]"
        if "certificate" in failed.because:
            mend = f"see tls.authority of [providers.{name}]: who vouches for it"
        elif (proxy := outbound.proxy_of(url)) is not None:
            mend = f"{mend}, and {proxy.variable} or NO_PROXY"
        return PROVIDERS.wrong(name, f"{whom}: {failed.because}", mend)
    how = "TLS" if parts.scheme == "https" else "TCP, without TLS"
    return PROVIDERS.ok(name, f"{whom} connects ({how}){_way(url, outbound)}")


def _way(url: str, outbound: Outbound) -> str:
    proxy = outbound.proxy_of(url)
    return "" if proxy is None else f" through the proxy {proxy} ({proxy.variable})"


def _outlived(authority: str | Path | None) -> Iterator[str]:
    """Name what is too old to vouch for anybody."""
    for each in expired(authority, datetime.now(UTC)) if authority else ():
        yield f"{authority} has a certificate that has expired: {each}"
