"""Webhooks as providers have published them verify from a TOML table alone."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from handlers.ports.provider import Rejected, Verified
from providers.config import WebhookTable, parse_config
from tests.providers.signatures.published import SAMPLES, Sample

DOCS = Path(__file__).parents[3] / "docs" / "surroundings.md"
MINUTES = timedelta(minutes=6)
ALL = pytest.mark.parametrize("sample", SAMPLES, ids=lambda each: each.provider)


def answer(sample, *, later=timedelta(0)):
    text = dedent(sample.webhook)
    config = parse_config(
        f'[providers.sample]\nadapter = "package:Class"\n'
        f"[providers.sample.webhook]\n{text}",
        ack_wait=timedelta(minutes=1),
        environment={},
    )
    webhook = config.providers["sample"].webhook
    assert isinstance(webhook, WebhookTable)
    headers = {name: [value] for name, value in sample.headers.items()}
    now = datetime.fromtimestamp(sample.at, UTC) + later
    return webhook.verifier().verify(headers, sample.body, now)


@ALL
def test_what_a_provider_has_published_holds(sample):
    assert answer(sample) == Verified(sample.event)


def swapped(text):
    """Return the text with another digit near its end, before any padding."""
    place = max(place for place, sign in enumerate(text) if sign.isalnum()) - 8
    other = "0" if text[place] != "0" else "1"
    return text[:place] + other + text[place + 1 :]


def forgeries(sample: Sample):
    place = len(sample.body) // 2
    changed = bytes([sample.body[place] ^ 1])
    yield replace(sample, body=sample.body[:place] + changed + sample.body[place + 1 :])
    for name, value in sample.headers.items():
        if name != "x-delivery":
            yield replace(sample, headers=sample.headers | {name: swapped(value)})
            yield replace(
                sample,
                headers={n: v for n, v in sample.headers.items() if n != name},
            )
    secrets = re.search(r"secrets = \[(.*?)\]", sample.webhook, re.DOTALL)
    if secrets is not None:
        *_, key = re.findall(r'"([^"]+)"', secrets[1])
        yield replace(sample, webhook=sample.webhook.replace(key, swapped(key)))


@ALL
def test_what_was_changed_in_it_does_not(sample):
    for forged in forgeries(sample):
        assert isinstance(answer(forged), Rejected), forged


@ALL
def test_it_counts_at_its_time_alone(sample):
    for later in (MINUTES, -MINUTES):
        assert isinstance(answer(sample, later=later), Rejected) is sample.timed


def test_there_are_eight_providers_and_more_and_the_page_names_each_with_its_source():
    page = " ".join(DOCS.read_text().split())

    assert len({sample.provider for sample in SAMPLES}) >= 8
    for sample in SAMPLES:
        assert sample.provider in page
        assert sample.source.split(": ")[0] in page
