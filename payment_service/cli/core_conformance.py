"""Checks a user's own core by the scenarios of the conformance kit."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import TypeAdapter, ValidationError

from fsm.domain.durations import format_duration
from fsm.domain.masking import KNOWN
from fsm.domain.money import Money
from payment_service.cli import conformance
from payment_service.cli.arguments import length_of
from payment_service.cli.context import read_settings, run_async
from payment_service.cli.errors import Usage, in_one_line
from payment_service.settings import Settings, proxies
from providers.config.fields import HttpUrl
from providers.testing.conformance.core import (
    CORE_SCENARIOS,
    CoreCandidate,
    CoreSamples,
    CoreScenario,
)

LISTED_BY: Final = "core scenarios"
_URL: Final[TypeAdapter[str]] = TypeAdapter(HttpUrl)
_TOKEN: Final = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class CoreAsked:
    """What was given on the command line; None: as the settings and the kit have it."""

    url: str
    token: str | None
    timeout: str | None
    amount: int
    currency: str
    samples: CoreSamples


def check(asked: CoreAsked, *, only: Sequence[str], as_json: bool) -> int:
    """Play the scenarios against one core; return 1 if it fails in any.

    What will be done there is told before it is, and by name what was not taken back.
    """
    chosen = conformance.chosen_of(CORE_SCENARIOS, only, listed_by=LISTED_BY)
    candidate = _candidate(asked, read_settings())
    _tell(_plan(candidate, chosen))
    try:
        outcomes = run_async(candidate.play_all(chosen))
    finally:
        _tell(f"LEFT BEHIND: {each}" for each in candidate.left)
    return conformance.reported(
        outcomes,
        {"core": candidate.base_url, "left_behind": candidate.left},
        as_json=as_json,
        wrong=bool(candidate.left),
    )


def list_scenarios(*, as_json: bool) -> int:
    """Print every scenario and what it proves."""
    return conformance.list_scenarios(CORE_SCENARIOS, as_json=as_json)


def _candidate(asked: CoreAsked, settings: Settings) -> CoreCandidate:
    secret = settings.core_token
    token = asked.token or (secret.get_secret_value() if secret else None)
    if token is not None and not _TOKEN.fullmatch(token):
        raise Usage("--token: must be printable ASCII without spaces")
    KNOWN.learn([token] if token else [])
    url = _url(asked.url)
    limit = settings.core_timeout
    authority = settings.core_ca if url.startswith("https://") else None
    return CoreCandidate(
        base_url=url,
        token=token,
        timeout=length_of("--timeout", asked.timeout) if asked.timeout else limit,
        samples=replace(asked.samples, money=_money(asked)),
        authority=authority,
        proxies=proxies(),
    )


def _url(text: str) -> str:
    try:
        url = _URL.validate_python(text)
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise Usage(f"URL: {why}") from None
    if url.endswith("/v1"):
        raise Usage("URL: must be core's base URL, what stands before /v1")
    return url


def _money(asked: CoreAsked) -> Money:
    try:
        return Money(asked.amount, asked.currency)
    except ValueError as error:
        raise Usage(f"--amount, --currency: {error}") from None


def _plan(candidate: CoreCandidate, chosen: Sequence[CoreScenario]) -> Iterator[str]:
    """Say what will be done to core, part by part."""
    samples = candidate.samples
    yield (
        f"core at {candidate.base_url}, {len(chosen)} scenarios, each call within "
        f"{format_duration(candidate.timeout)}; this"
    )
    for area in dict.fromkeys(each.area for each in chosen):
        does = area.does.format(
            money=samples.money,
            merchant=samples.merchant_id,
            customer=samples.customer_id,
            partner=samples.partner,
        )
        yield f"- {does}"
    yield "All is made up and taken back, as far as core does it: for a test instance."


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        print(in_one_line(line), file=sys.stderr, flush=True)  # noqa: T201 - as it goes
