"""Says where one person decides alone, and which keys are about to end or forgotten."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from fsm.domain.four_eyes import FourEyes
from fsm.domain.keys import ApiKey
from fsm.domain.money import EXPONENTS
from fsm.domain.roster import KeyRecord, four_eyes_of
from payment_service.cli.doctor.findings import Area, Finding
from payment_service.settings import Settings
from payment_service.storage.database import Database
from payment_service.storage.people import PostgresPeople

AREA: Final = Area("people")
SETTINGS: Final = Area("settings")
EXPIRES_WITHIN: Final = timedelta(days=14)
UNUSED_FOR: Final = timedelta(days=90)
NAMED_MAX: Final = 10


async def check(
    database: Database, settings: Settings, now: datetime
) -> AsyncIterator[Finding]:
    """Look at keys and thresholds of database and environment together."""
    people = PostgresPeople(database, settings.audit_keys)
    for finding in alone(
        four_eyes_of(await people.thresholds(), settings.four_eyes_from)
    ):
        yield finding
    found, uses = await people.keys(), await people.uses()
    for finding in (
        *_nobody(settings, found),
        *_named_twice(settings, found),
        *_untrusted(await people.names(), found),
        *_ending(settings, found, now),
        *_forgotten(settings, found, uses, now),
    ):
        yield finding


def alone(four_eyes: FourEyes) -> Iterator[Finding]:
    """Say where one person alone decides about any amount."""
    mend = (
        "set it to the amount (minor units) from which two decide, or "
        "`payment-service four-eyes set`"
    )
    if not four_eyes.exists:
        told = "no second person is asked, whatever the amount"
        yield SETTINGS.advice("PAYMENT_FOUR_EYES_FROM", told, mend)
    elif any(four_eyes.begins_at(currency) is None for currency in EXPONENTS):
        told = "no second person is asked in currencies without an amount of their own"
        mend = "set a default: `payment-service four-eyes set AMOUNT`, or the floor"
        yield SETTINGS.advice("PAYMENT_FOUR_EYES_FROM", told, mend)


def _nobody(settings: Settings, found: list[KeyRecord]) -> Iterator[Finding]:
    if not settings.api_keys and not any(record.is_live for record in found):
        told = "no key: the API answers 401 to all but probes and webhooks"
        mend = "make one: `payment-service key new NAME --role admin`"
        yield SETTINGS.advice("PAYMENT_API_KEYS", told, mend)


def _named_twice(settings: Settings, found: list[KeyRecord]) -> Iterator[Finding]:
    ours = {key.name.lower() for key in settings.api_keys}
    twice = [r.key.name for r in found if r.is_live and r.key.name.lower() in ours]
    if twice:
        told = f"{_list(twice)}: both in PAYMENT_API_KEYS and in the database"
        yield AREA.wrong("names", told, "rename or revoke one of the two")


def _untrusted(names: list[str], found: list[KeyRecord]) -> Iterator[Finding]:
    signed = {record.key.name for record in found}
    if odd := [name for name in names if name not in signed]:
        told = f"{_list(odd)}: not signed by PAYMENT_AUDIT_KEYS, and not taken"
        mend = "see who wrote them; or give back the audit key that signed them"
        yield AREA.wrong("signatures", told, mend)


def _ending(
    settings: Settings, found: list[KeyRecord], now: datetime
) -> Iterator[Finding]:
    keys = [*settings.api_keys, *(r.key for r in found if r.is_live)]
    today = now.date()
    ends = [k.name for k in keys if _ends_soon(k, now)]
    over = [k.name for k in keys if not k.is_taken_on(today)]
    days = EXPIRES_WITHIN.days
    if ends:
        told = f"{_list(ends)}: end within {days} days"
        mend = "make the next: `payment-service key new NAME-2 --person NAME`"
        yield AREA.advice("keys that end", told, mend)
    if over:
        told = f"{_list(over)}: have expired"
        yield AREA.advice("expired keys", told, "revoke them, or take them out")


def _ends_soon(key: ApiKey, now: datetime) -> bool:
    today = now.date()
    if key.expires is None or not key.is_taken_on(today):
        return False
    return key.expires <= today + EXPIRES_WITHIN


def _forgotten(
    settings: Settings,
    found: list[KeyRecord],
    uses: Mapping[str, datetime],
    now: datetime,
) -> Iterator[Finding]:
    limit = now - UNUSED_FOR
    since = {r.key.name: r.made_at for r in found if r.is_live}
    # Of those in the environment nobody knows since when they are there.
    since |= {key.name: now for key in settings.api_keys}
    unused = [name for name, at in since.items() if uses.get(name, at) < limit]
    if unused:
        told = f"{_list(unused)}: not used for {UNUSED_FOR.days} days"
        mend = "`payment-service key revoke` those that nobody needs"
        yield AREA.advice("unused keys", told, mend)


def _list(names: list[str]) -> str:
    more = len(names) - NAMED_MAX
    shown = ", ".join(sorted(names)[:NAMED_MAX])
    return f"{shown} and {more} more" if more > 0 else shown
