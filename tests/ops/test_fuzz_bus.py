"""The bus is fuzzed: honest orders between inventions end as they should."""

from random import Random

from ops.fuzz.bus import LOG_BYTES_FREE, fuzzed
from ops.fuzz.frames import Known, frame
from tests.embedded.processes import memory_folder

MESSAGES = 3_000
CALLS = 1_500


async def test_no_invention_harms_an_honest_order():
    told = await fuzzed(MESSAGES, calls=CALLS, seed=11, within=memory_folder())

    assert told.wrong == []
    assert told.orders > 0
    assert told.letters > MESSAGES / 10
    assert told.forwarded > 0
    assert told.calls == CALLS
    assert told.log_bytes < LOG_BYTES_FREE


def test_a_seed_invents_the_same_again():
    known = Known(rows=[], requests=[b'{"order_id": "w-1", "a": 1}'])

    assert _frames(known) == _frames(known)


def _frames(known):
    dice = Random(3)
    return [frame(dice, known) for _ in range(50)]
