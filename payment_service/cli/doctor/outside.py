"""Checks the neighbours: core answers, providers can be connected to."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode, urlsplit

from payment_service.cli.doctor.findings import Area, Finding
from payment_service.config import Config, ConfigError, ProviderTable
from payment_service.domain.events import stamp
from payment_service.outbound import Outbound, Response
from payment_service.settings import Settings
from payment_service.unreadable import kind_of

CORE: Final = Area("core")
PROVIDERS: Final = Area("providers")
CONNECT_SECONDS_MAX: Final = 5.0
OK: Final = 200
LOCKED: Final = frozenset({401, 403})


async def check(settings: Settings, config: Config) -> AsyncIterator[Finding]:
    """Check who is called; no provider is ever sent a request."""
    async with Outbound() as outbound:
        if settings.core_url is not None:
            yield await _core(settings, outbound)
        for finding in _adapters(config, outbound):
            yield finding
    for name, table in sorted(config.providers.items()):
        if table.base_url is not None:
            yield await _reached(name, table)


async def _core(settings: Settings, outbound: Outbound) -> Finding:
    """Ask for the ledger of no time at all."""
    now = stamp(datetime.now(UTC))
    token = settings.core_token.get_secret_value() if settings.core_token else None
    answer = await outbound.lane(1).request(
        "GET",
        f"{settings.core_url}/v1/balance/entries?{urlencode({'from': now, 'to': now})}",
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=settings.core_timeout.total_seconds(),
    )
    url = settings.core_url or ""
    if not isinstance(answer, Response):
        mend = "see PAYMENT_CORE_URL, and whether core runs"
        return CORE.wrong("reachable", f"{url}: {answer.because}", mend)
    if answer.status in LOCKED:
        told = f"{url} answered {answer.status}"
        return CORE.wrong("reachable", told, "see PAYMENT_CORE_TOKEN")
    if (wrong := _no_ledger(answer)) is not None:
        told = f"{url}/v1/balance/entries answered {wrong}"
        mend = "see whether PAYMENT_CORE_URL is core's base URL"
        return CORE.wrong("reachable", told, mend)
    return CORE.ok("reachable", f"{url} answers")


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


def _adapters(config: Config, outbound: Outbound) -> list[Finding]:
    from providers.registry import build_providers  # noqa: PLC0415 - only here

    try:
        build_providers(config, outbound)
    except ConfigError as error:
        mend = "install the adapter, or mend its name"
        return [PROVIDERS.wrong("adapter", each, mend) for each in error.problems]
    return []


async def _reached(name: str, table: ProviderTable) -> Finding:
    """Connect, and greet where it is TLS; nothing is asked."""
    parts = urlsplit(table.base_url or "")
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    try:
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            _, writer = await asyncio.open_connection(host, port, ssl=secure or None)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    except ssl.SSLCertVerificationError as error:
        told = f"{host}: {error.verify_message}"
        return PROVIDERS.wrong(name, told, "the certificate must be of a known issuer")
    except TimeoutError:
        told = f"{host}:{port} did not connect in {CONNECT_SECONDS_MAX:.0f} s"
    except OSError as error:
        told = f"{host}:{port}: {error.strerror or error}"
    else:
        how = "TLS" if secure else "TCP, without TLS"
        return PROVIDERS.ok(name, f"{host}:{port} connects ({how})")
    return PROVIDERS.wrong(name, told, f"see base_url of [providers.{name}]")
