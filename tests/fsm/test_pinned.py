"""Pins what is decided: a hash over every (state, waiting, facts) for each trigger.

A refactoring keeps every hash. Where a rule is meant to change,
``python -m tests.fsm.test_pinned`` writes the new ones.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest

from fsm.payout.table import TABLE
from tests.fsm.pinning import ORDER_CANCELLED, ORDER_TOLD, WORDS_THEN, decided, now

EVERY: Final = tuple(dict.fromkeys(row.trigger for row in TABLE))
DIGESTS: Final = Path(__file__).with_name("pinned.json")
PINNED: Final[dict[str, str]] = json.loads(DIGESTS.read_text())


def digest(trigger: str) -> str:
    """Return the hash over all that is decided about one trigger."""
    hashed = sha256()
    for line in decided(trigger):
        hashed.update(line.encode())
    return hashed.hexdigest()[:16]


@pytest.mark.parametrize("trigger", PINNED)
def test_what_is_decided_is_what_was_decided_before(trigger):
    assert digest(trigger) == PINNED[trigger]


def test_every_trigger_is_pinned():
    pinned = {now(name) for name in PINNED} - {ORDER_CANCELLED, ORDER_TOLD}

    assert pinned == {trigger.value for trigger in EVERY}


if __name__ == "__main__":
    names = [WORDS_THEN.get(trigger.value, trigger.value) for trigger in EVERY]
    digests = {name: digest(name) for name in (*names, ORDER_CANCELLED, ORDER_TOLD)}
    DIGESTS.write_text(json.dumps(digests, indent=2) + "\n")
