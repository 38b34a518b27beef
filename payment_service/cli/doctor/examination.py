"""Runs the checks one after the other and prints what they found."""

import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Final

from fsm.domain.audit_keys import OPEN
from payment_service.cli.context import configuration, run_async
from payment_service.cli.doctor import anchors, bus, counterparties, store
from payment_service.cli.doctor.findings import Area, Finding, Severity
from payment_service.cli.doctor.permissions import of_calls
from payment_service.cli.errors import DONE, FOUND_WRONG, WRONG_USAGE
from payment_service.cli.partner_policy import partner_in_words
from payment_service.cli.printing import (
    BOLD,
    GREEN,
    RED,
    YELLOW,
    print_json,
    print_styled,
    print_text,
)
from payment_service.cli.provider_policy import policy_in_words
from payment_service.cli.provider_warnings import idle_settings
from payment_service.cli.service_policy import (
    charge_in_words,
    payment_in_words,
    service_in_words,
)
from payment_service.settings import (
    ROLES,
    Settings,
    SettingsError,
    needs_of,
    proxies,
)
from providers.config import Config, ConfigError
from providers.http.proxies import Proxies
from providers.signatures import BARE

SETTINGS: Final = Area("settings")
CONFIGURATION: Final = Area("configuration")
_STYLES: Final = {
    Severity.OK: (GREEN,),
    Severity.ADVICE: (YELLOW,),
    Severity.WRONG: (BOLD, RED),
}


@dataclass(slots=True)
class _Known:
    """What the first checks read and the others need."""

    settings: Settings | None = None
    config: Config | None = None
    proxies: Proxies | None = None
    usage: bool = False


def examine(*, as_json: bool) -> int:
    """Check everything; 2 where settings or configuration are wrong, 1 for the rest."""
    # What cannot be reached is a finding, not a log line.
    logging.disable(logging.CRITICAL)
    findings, known = run_async(_examined(as_json=as_json))
    wrong = sum(1 for each in findings if each.state is Severity.WRONG)
    advice = sum(1 for each in findings if each.state is Severity.ADVICE)
    if as_json:
        shown = [each.view() for each in findings]
        print_json({"ok": not wrong, "findings": shown})
    else:
        looked = f"{len(findings)} things looked at"
        print_text(f"{looked}: {wrong} wrong, {advice} could be better")
    if known.usage:
        return WRONG_USAGE
    return FOUND_WRONG if wrong else DONE


async def _examined(*, as_json: bool) -> tuple[list[Finding], _Known]:
    findings: list[Finding] = []
    known = _Known()
    async for finding in _checks(known):
        findings.append(finding)
        if not as_json:
            _show(finding)
    return findings, known


async def _checks(known: _Known) -> AsyncIterator[Finding]:
    for finding in (*_settings(known), *_ways_out(known), *_configuration(known)):
        yield finding
    settings, config = known.settings, known.config
    if settings is None:
        return
    clock = store.ClockOffset()
    if settings.database_url is not None:
        async for finding in store.check(settings, clock):
            yield finding
    async for finding in anchors.check(settings):
        yield finding
    if settings.nats_url is not None:
        async for finding in bus.check(settings, config or Config(), clock):
            yield finding
    for finding in of_calls(settings, config or Config()):
        yield finding
    if known.proxies is not None:
        ways_out = known.proxies
        async for finding in counterparties.check(
            settings, config or Config(), ways_out
        ):
            yield finding


def _settings(known: _Known) -> list[Finding]:
    try:
        known.settings = settings = Settings.read()
    except SettingsError as error:
        known.usage = True
        return [
            SETTINGS.wrong(_name(each), each, "mend it in the environment or in .env")
            for each in error.problems
        ]
    found = []
    for name in sorted(needs_of(ROLES)):
        variable = f"PAYMENT_{name.upper()}"
        if getattr(settings, name) is None:
            known.usage = True
            mend = "set it in the environment or in .env"
            found.append(SETTINGS.wrong(variable, "is missing", mend))
        else:
            found.append(SETTINGS.ok(variable, "is set"))
    for name, meant in settings.strangers().items():
        told = "is no setting" + (f": is {meant} meant?" if meant else "")
        found.append(SETTINGS.advice(name, told, "take it out, or mend its name"))
    found.append(_audit_keys(settings))
    return found


def _audit_keys(settings: Settings) -> Finding:
    """Say whether who can write the database could sign what he writes."""
    if not settings.audit_keys.secret:
        mend = "set it to id:hex-of-32-random-bytes (openssl rand -hex 32)"
        told = (
            "is not set: who can write the database can change a destination or "
            "the audit trail, make a key to the API, of an admin too, and sign it"
        )
        return SETTINGS.advice("PAYMENT_AUDIT_KEYS", told, mend)
    if OPEN in settings.audit_keys:
        told = "takes what is signed by open, which everybody can"
        mend = "take open out once no order from before the key is under way"
        return SETTINGS.advice("PAYMENT_AUDIT_KEYS", told, mend)
    return SETTINGS.ok("PAYMENT_AUDIT_KEYS", f"{settings.audit_keys.signer} signs")


def _ways_out(known: _Known) -> list[Finding]:
    """Read what calls out need of the environment."""
    try:
        known.proxies = proxies()
    except SettingsError as error:
        known.usage = True
        mend = "mend it in the environment or in .env"
        return [SETTINGS.wrong(_name(e), e, mend) for e in error.problems]
    return []


def _name(problem: str) -> str:
    return problem.split(" ", 1)[0].rstrip(":")


def _configuration(known: _Known) -> list[Finding]:
    settings = known.settings
    if settings is None:
        return []
    try:
        known.config = config = configuration(settings)
    except ConfigError as error:
        known.usage = True
        mend = f"mend it in {settings.config}"
        return [CONFIGURATION.wrong("file", each, mend) for each in error.problems]
    if not config.providers:
        mend = "add a [providers.NAME] table"
        return [CONFIGURATION.wrong("providers", f"none in {settings.config}", mend)]
    found = [
        CONFIGURATION.ok(f"provider {name}", " ".join(policy_in_words(table)))
        for name, table in sorted(config.providers.items())
    ]
    found += [
        CONFIGURATION.ok(f"service {name}", " ".join(service_in_words(table)))
        for name, table in sorted(config.services.items())
    ]
    found += [
        CONFIGURATION.ok(f"partner {name}", " ".join(partner_in_words(table)))
        for name, table in sorted(config.partners.items())
    ]
    found += _collecting(config)
    for name, table in sorted(config.providers.items()):
        for told, mend in idle_settings(table):
            found.append(CONFIGURATION.advice(f"provider {name}", told, mend))
    return [*found, *_webhooks(settings, config)]


def _collecting(config: Config) -> Iterator[Finding]:
    """Say who collects for checkouts, and which of them nobody has collect."""
    names = config.checkout.payment
    if names:
        yield CONFIGURATION.ok("checkout payment", payment_in_words(names))
    for name, table in sorted(config.providers.items()):
        if table.charge is None:
            continue
        yield CONFIGURATION.ok(f"charges of {name}", " ".join(charge_in_words(table)))
        if name not in names:
            told = "collects for no new checkout: [checkout] payment does not name it"
            mend = "leave it while orders that it has charged run, or name it there"
            yield CONFIGURATION.advice(f"charges of {name}", told, mend)
    if names and "payment" in config.services:
        told = "is asked for no new checkout: [checkout] payment has providers collect"
        mend = "leave it while orders that it was asked for run, then take it out"
        yield CONFIGURATION.advice("service payment", told, mend)


def _webhooks(settings: Settings, config: Config) -> list[Finding]:
    """Check the way back: providers must know where webhooks go."""
    names = [name for name, table in config.providers.items() if table.webhook]
    if not names:
        return []
    told = f"secrets for {', '.join(sorted(names))}"
    found = [CONFIGURATION.ok("webhooks", told), *_bare_tokens(config)]
    if settings.public_url is None:
        told = "not set: providers are not told where to send webhooks"
        mend = "set it to the API's address as providers reach it"
        found.append(SETTINGS.advice("PAYMENT_PUBLIC_URL", told, mend))
    elif not settings.public_url.startswith("https://"):
        told = f"{settings.public_url} is not https"
        mend = "give providers an https address"
        found.append(SETTINGS.advice("PAYMENT_PUBLIC_URL", told, mend))
    else:
        found.append(SETTINGS.ok("PAYMENT_PUBLIC_URL", settings.public_url))
    return found


def _bare_tokens(config: Config) -> list[Finding]:
    """Warn of providers whose webhooks anybody can write who once saw the token."""
    told = "a token in a header: it proves nothing of what the body says"
    mend = "sign the body where the provider can; else ask the status of what it says"
    return [
        CONFIGURATION.advice(f"webhooks of {name}", told, mend)
        for name, table in sorted(config.providers.items())
        if table.webhook is not None and table.webhook.scheme in BARE
    ]


def _show(finding: Finding) -> None:
    told = f" {finding.area:<13} {finding.what}: {finding.told}"
    mend = f" → {finding.mend}" if finding.mend else ""
    print_styled(f"{finding.state:<6}", *_STYLES[finding.state], more=told + mend)
