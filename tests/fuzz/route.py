"""What a route of the fuzzer is: a provider as its webhooks are sent and judged."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from tests.fuzz.second import Second

NOW: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
KEY: Final = b"the key of 32 bytes that is good"
OLD_KEY: Final = b"a key that is good until an hour"
DEAD_KEY: Final = b"a key that was good until a week"
NEXT_KEY: Final = b"a key that will be good tomorrow"

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be signed, when and with which key."""

    event: str
    sent: int
    key: bytes = KEY


Sign = Callable[[bytes, Wish], Pairs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A provider as its webhooks are sent and judged.

    ``ids`` reads by what ids the events of a body are known, where the scheme does not
    say that.
    """

    name: str
    table: str
    sign: Sign
    second: Second
    compose: Callable[[str, str], bytes]
    ids: Callable[[bytes], list[str]] | None = None


def payout(event: str, reference: str) -> bytes:
    """Write the default body."""
    told = {"id": event, "type": "payout.succeeded", "reference": reference}
    return json.dumps(told).encode()


def rotated(write: Callable[[bytes], str], name: str = "secrets") -> str:
    """Write the four keys, of which two count at the time that it is."""

    def table(key: bytes, window: str) -> str:
        return f"{{ value = {json.dumps(write(key))}, {window} }}"

    day = timedelta(days=1)
    told = (
        json.dumps(write(KEY)),
        table(OLD_KEY, f'not_after = "{(NOW + day / 24).isoformat()}"'),
        table(DEAD_KEY, f'not_after = "{(NOW - 7 * day).isoformat()}"'),
        table(NEXT_KEY, f'not_before = "{(NOW + day).isoformat()}"'),
    )
    return f"{name} = [{', '.join(told)}]"
