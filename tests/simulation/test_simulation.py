"""Chosen seeds, in chunks; each chunk leaves its counters to the last one.

``make simulate-long`` goes through 20,000.
"""

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.simulation.campaign import Tally, tally
from tests.simulation.expected import missing
from tests.simulation.rates import (
    CALM,
    CHARGES_EVERY,
    CHECKOUTS_EVERY,
    LINKS_AT,
    LINKS_EVERY,
    Setting,
    dials,
    gated,
)
from tests.simulation.sample import SEEDS, TIMES, choose
from tests.simulation.simulation import Simulation, simulate

CHUNKS = 8
# Where the chosen ones do not show it any more, others do before this one.
SEEDS_MAX = 1_000

# Seeds that once found something, with what it was; they pass for good now. What the
# last four show is amnesia's, and has to stay excused by that alone.
FOUND = {
    887: "a webhook that amnesia had lost was settled by a worker that remembered it",
    872: "a hold that was released in a forgotten past cannot be committed",
    3220: "a webhook waited for a turn that would never come",
    3820: "what was frozen in a forgotten past was cancelled without a rollback",
    4384: "a forgotten past's version was taken for the same version of this one",
}
# The same of seeds that play checkouts or links, too.
FOUND_BESIDE = {
    64732: "a return may be a move or a remark, and only a move names the attempt",
    64775: "what was paid in a forgotten past was given up before its turn",
    76429: "what core has committed in a forgotten past was not needed in this one",
    43884: "what was undone in a forgotten past is not done in an order that completes",
}

# One whose checkouts payment providers collect for.
CHARGED = 18


@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_seed_breaks_a_promise(chunk, tmp_path_factory):
    done = tally(SEEDS[chunk::CHUNKS])

    assert done.failed == [], "\n".join(done.stories)
    total = leave(done, chunk, shared(tmp_path_factory))
    assert total is None or missing(until_all_is_seen(total)) == []


def until_all_is_seen(total: Tally) -> Tally:
    """Go on with other seeds for as long as something has yet to happen."""
    others = (seed for seed in range(SEEDS_MAX) if seed not in SEEDS)
    while missing(total) and (few := [*islice(others, 10)]):
        more = tally(few)
        assert more.failed == [], "\n".join(more.stories)
        total.add(more)
    return total


def shared(tmp_path_factory) -> Path:
    """Return a folder that all workers of this run share."""
    base: Path = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = folder / "simulation"
    folder.mkdir(exist_ok=True)
    return folder


def leave(done: Tally, chunk: int, folder: Path) -> Tally | None:
    """Leave a chunk's counters; return the sum of all to whoever comes last."""
    written = folder / f"{chunk}.writing"
    written.write_text(json.dumps([done.seen, done.faults]))
    written.rename(folder / f"{chunk}.json")
    chunks = [folder / f"{n}.json" for n in range(CHUNKS)]
    if not all(each.exists() for each in chunks):
        return None
    total = Tally(seeds=len(SEEDS))
    for each in chunks:
        seen, faults = json.loads(each.read_text())
        total.seen.update(seen)
        total.faults.update(faults)
    return total


@pytest.mark.parametrize("seed", [*FOUND, *FOUND_BESIDE])
def test_what_was_found_once_stays_mended(seed):
    report = simulate(seed)

    assert report.offences == [], str(report)


@pytest.mark.parametrize("seed", [3, CHARGED, 44, 79])
def test_the_same_seed_is_the_same_run(seed):
    assert simulate(seed).fingerprint == simulate(seed).fingerprint


def test_a_seed_is_the_same_run_in_another_process():
    ask = "from tests.simulation.simulation import simulate as s; "
    ask += "print(*(s(n).fingerprint for n in (5, 6, 7)))"
    answers = {
        subprocess.run(
            [sys.executable, "-c", ask],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }

    assert len(answers) == 1
    assert answers.pop().split() == [simulate(n).fingerprint for n in (5, 6, 7)]


@pytest.mark.parametrize("seed", [1, 3, CHARGED])
def test_without_faults_everybody_is_served_quickly(seed):
    report = Simulation(seed, turned=CALM).run()

    assert report.offences == []
    assert report.faults["message lost"] == 0
    assert report.faults["service: done_lost"] == 0
    assert report.seen["payment: charge, charged"] > 0 or seed != CHARGED


def test_every_third_seed_plays_checkouts_beside_its_withdrawals():
    played = [simulate(seed).seen for seed in range(CHECKOUTS_EVERY)]
    ended = [
        sum(many for what, many in seen.items() if what.startswith("checkout "))
        for seen in played
    ]

    assert ended[0] >= 4
    assert ended[1:] == [0, 0]
    assert all(seed % CHECKOUTS_EVERY for seed in FOUND), "it is another run by now"


def test_in_a_third_of_those_seeds_payment_providers_collect():
    played = [simulate(seed).seen for seed in range(0, CHARGES_EVERY, CHECKOUTS_EVERY)]
    charged = [seen["payment: charge, charged"] for seen in played]

    assert charged[0] > 0
    assert charged[1:] == [0, 0]
    assert CHARGED % CHARGES_EVERY == 0


def test_one_seed_of_five_links_cards_beside_all_else():
    played = [simulate(seed).seen for seed in range(LINKS_EVERY)]
    ended = [sum("partner_link" in what for what in seen) for seen in played]

    assert [seed for seed, many in enumerate(ended) if many] == [LINKS_AT]
    assert all(seed % LINKS_EVERY != LINKS_AT for seed in FOUND), "it is another run"


def test_each_dial_is_at_zero_for_some_seeds_and_up_for_others():
    from random import Random  # noqa: PLC0415

    drawn = [
        gated(Random(f"{seed}:gates"), dials(Random(seed)), Setting())[0]
        for seed in range(100)
    ]

    for name in type(CALM).__slots__:
        values = [getattr(dial, name) for dial in drawn]
        assert 0 in values, name
        assert any(values), name


def test_a_failing_seed_says_how_to_replay_it():
    report = simulate(2)
    told = str(report)

    assert "python -m tests.simulation --seed 2 --trace" in told
    assert len(report.last) == min(report.events, 200)


def test_few_are_chosen_and_show_as_much_as_all():
    telling = {seed: {"often", f"once in {seed}"} for seed in range(9)}
    others = {seed: {"often"} for seed in range(9, 99)}

    few = choose(telling | others)

    assert few == [*telling]
    assert choose(others) == [*others][:TIMES]


def test_some_of_the_chosen_have_checkouts_and_some_have_none():
    assert len({*SEEDS}) == len(SEEDS) >= CHUNKS
    assert {seed % CHECKOUTS_EVERY == 0 for seed in SEEDS} == {True, False}
