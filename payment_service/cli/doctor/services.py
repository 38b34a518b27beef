"""Checks the services of the checkout: reachable, and honest about what they know."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from fsm.domain.ids import new_id
from handlers.ports.services import ServiceNotKnown, ServiceUnclear
from payment_service.cli.doctor.findings import Area, Finding
from providers.config import Config, ServiceTable
from providers.config.services import STEPS
from providers.http.outbound import Outbound, Response
from providers.http.unreadable import kind_of
from providers.services import ask_answer, status_url

SERVICES: Final = Area("services")
LOCKED: Final = frozenset({401, 403})
UNABLE: Final = frozenset({405, 501})
PAGES: Final = frozenset({"an HTML page", "XML or HTML"})


async def check(config: Config, outbound: Outbound) -> AsyncIterator[Finding]:
    """Ask each about a step that it was never asked to do; nothing is done."""
    for name, table in sorted(config.services.items()):
        if table.is_step and table.asks:
            yield await _asked(name, table, outbound)
        else:
            yield await _reached(name, table, outbound)
    done = {*config.services, *config.checkout.paid_by}
    missing = [step for step in STEPS if step not in done]
    if config.services and missing:
        told = f"no [services.{missing[0]}]: every checkout is rejected"
        yield SERVICES.wrong(missing[0], told, "add its table")


async def _reached(name: str, table: ServiceTable, outbound: Outbound) -> Finding:
    seconds = table.timeout.total_seconds()
    failed = await outbound.reach(table.base_url, tls=None, seconds=seconds)
    if failed is not None:
        told = f"{table.base_url}: {failed.because}"
        return SERVICES.wrong(name, told, _address(name, table, outbound))
    return SERVICES.ok(name, f"{table.base_url} connects; nothing was asked")


async def _asked(name: str, table: ServiceTable, outbound: Outbound) -> Finding:
    task_id = new_id(datetime.now(UTC))
    url = status_url(table.base_url, name, task_id)
    answer = await outbound.lane(1).request(
        "GET",
        url,
        headers=table.sent_headers,
        timeout=table.timeout.total_seconds(),
    )
    if not isinstance(answer, Response):
        told = f"{table.base_url}: {answer.because}"
        return SERVICES.wrong(name, told, _address(name, table, outbound))
    return _judged(name, table, answer, task_id)


def _judged(name: str, table: ServiceTable, answer: Response, task_id: str) -> Finding:
    told = f"{table.base_url} answered {answer.status} to a step it never heard of"
    if answer.status in LOCKED:
        return SERVICES.wrong(name, told, f"see token of [services.{name}]")
    if answer.status in UNABLE:
        mend = f"set asks = false in [services.{name}], or let it be asked"
        return SERVICES.wrong(name, told, mend)
    match ask_answer(answer, task_id):
        case ServiceNotKnown() if kind_of(answer) in PAGES:
            mend = f"see whether base_url of [services.{name}] is its own"
            return SERVICES.advice(name, f"{told}, with {kind_of(answer)}", mend)
        case ServiceNotKnown():
            known = f"{table.base_url} answers, and knows no step it never heard of"
            return SERVICES.ok(name, known)
        case ServiceUnclear(because=because):
            mend = f"404 is due: see whether base_url of [services.{name}] is its own"
            return SERVICES.wrong(name, f"{told} ({because})", mend)
        case said:
            word = type(said).__name__.removeprefix("Service").lower()
            mend = "mend the service: what it says of a step proves nothing like that"
            return SERVICES.wrong(name, f"{told}, and says: {word}", mend)


def _address(name: str, table: ServiceTable, outbound: Outbound) -> str:
    mend = f"see base_url of [services.{name}], and whether it runs"
    if (proxy := outbound.proxy_of(table.base_url)) is not None:
        mend += f"; and {proxy.variable} or NO_PROXY"
    return mend
