"""The bus is fuzzed: honest orders between inventions end as they should."""

from random import Random

from ops.fuzz.bus import LOG_BYTES_FREE, fuzzed
from ops.fuzz.frames import Known, frame
from tests.embedded.processes import memory_folder

MESSAGES = 3_000


async def test_no_invention_harms_an_honest_order():
    told = await fuzzed(MESSAGES, seed=11, within=memory_folder())

    assert told.wrong == []
    assert told.orders > 0
    assert told.letters > MESSAGES / 10
    assert told.log_bytes < LOG_BYTES_FREE


def test_a_seed_invents_the_same_again():
    known = Known(
        rows=[("t", "q", 3, "acme")], requests=[b'{"order_id": "w-1", "a": 1}']
    )

    assert [frame(Random(3), known) for _ in range(5)] == [
        frame(Random(3), known) for _ in range(5)
    ]
