"""The bus is fuzzed: honest orders between inventions end as they should."""

from random import Random

import pytest

from tests.fuzz.bus import LOG_BYTES_FREE, fuzzed
from tests.fuzz.calls import Call, Caller
from tests.fuzz.frames import Known, frame
from tests.playground.embedded.processes import memory_folder
from tests.sampling import every_case

MESSAGES = 3_000 if every_case() else 1_000
CALLS = MESSAGES // 2


@pytest.mark.waits
@pytest.mark.sampled
async def test_no_invention_harms_an_honest_order():
    told = await fuzzed(
        MESSAGES, calls=CALLS, drains=False, seed=11, within=memory_folder()
    )

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


@pytest.mark.parametrize(
    ("path", "has_key", "status", "is_wrong"),
    [
        ("/v1/orders", False, 200, True),
        ("/v1/orders", False, 401, False),
        ("/v1/orders", True, 200, False),
        ("/v1/orders", True, 503, True),
        ("/metrics", False, 200, False),
        ("/webhooks/{provider}", False, 500, True),
        ("/v1/orders", False, 0, True),
    ],
)
def test_an_answer_that_must_never_be_is_told(path, has_key, status, is_wrong):
    caller = Caller(port=0, keys={}, dice=Random(1))

    caller._judge(Call(b"GET", path, has_key), status)

    assert bool(caller.wrong) is is_wrong
