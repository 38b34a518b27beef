"""Checks the partners of card links: reachable, and their files readable."""

from collections.abc import AsyncIterator
from typing import Final

from payment_service.cli.doctor.findings import Area, Finding
from providers.config import Config, ConfigError, PartnerTable
from providers.http.outbound import ConnectionLimit, Outbound
from providers.partners import files_of
from providers.partners.fetched import FileLost, FileNotThere
from providers.partners.report import FileContent

PARTNERS: Final = Area("partners")
CONNECT_SECONDS_MAX: Final = 5.0
LINES_SHOWN: Final = 3


async def check(config: Config, outbound: Outbound) -> AsyncIterator[Finding]:
    """Connect to each, and fetch its file; nobody is asked about a card."""
    for finding in _adapters(config, outbound):
        yield finding
    for name, table in sorted(config.partners.items()):
        if table.base_url is not None:
            yield await _reached(name, table, table.base_url, outbound)
        async for finding in _files(name, table, outbound):
            yield finding


def _adapters(config: Config, outbound: Outbound) -> list[Finding]:
    from providers.registry import build_partners  # noqa: PLC0415 - only here

    try:
        build_partners(config, outbound)
    except ConfigError as error:
        mend = "install the adapter, or mend its table"
        return [PARTNERS.wrong("adapter", each, mend) for each in error.problems]
    return []


async def _reached(
    name: str, table: PartnerTable, url: str, outbound: Outbound
) -> Finding:
    lane = ConnectionLimit(outbound, 1, table.tls.context() if table.tls else None)
    failed = await lane.reach(url, seconds=CONNECT_SECONDS_MAX)
    if failed is None:
        return PARTNERS.ok(name, f"{url} connects; nothing was asked")
    mend = f"see base_url of [partners.{name}], and whether it runs"
    if (proxy := outbound.proxy_of(url)) is not None:
        mend += f"; and {proxy.variable} or NO_PROXY"
    return PARTNERS.wrong(name, f"{url}: {failed.because}", mend)


async def _files(
    name: str, table: PartnerTable, outbound: Outbound
) -> AsyncIterator[Finding]:
    """Fetch the newest file, and say what of it is left out."""
    files = files_of(table, outbound)
    if files is None:
        return
    path = next(files.paths())
    what = f"{name} file"
    match await files.read(path):
        case FileNotThere():
            yield PARTNERS.ok(what, f"{path} is not there, or not yet")
        case FileLost(because=because):
            mend = f"see file of [partners.{name}]"
            yield PARTNERS.wrong(what, f"{path}: {because}", mend)
        case FileContent() as report if report.odd_count:
            shown = "; ".join(map(str, report.odd[:LINES_SHOWN]))
            told = f"{path}: {report.odd_count} lines are left out: {shown}"
            yield PARTNERS.advice(what, told, "have the partner mend its file")
        case FileContent() as report:
            told = f"{path} says something of {report.line_count} cards"
            yield PARTNERS.ok(what, told)
