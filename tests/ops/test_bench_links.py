"""How the time of a link is told, and what the bare loop beside it does."""

import re

import orjson

from ops.bench import bare, peer_restate
from ops.bench.links import SERVICE, figures
from ops.bench.load import Timed, link
from ops.bench.mocks import ANSWERS
from ops.bench.throughput import BARE, RESTATE
from payment_service.wire.partner import read_link


def timed(*milliseconds):
    return Timed(1.0, [each / 1000 for each in milliseconds])


def test_a_links_time_is_told_beside_the_bare_loop_and_restate():
    taken = {
        SERVICE: [timed(20, 20, 20), timed(40, 40, 40), timed(30, 30, 30)],
        BARE: [timed(25, 25, 25)],
        RESTATE: [timed(29, 29, 29)],
    }
    told = figures(taken, 400.0, timed(60))

    by_name = {each.name: each for each in told}
    assert round(by_name["a link, p50"].value) == 30
    ratio = by_name["a link ÷ bare loop, p50"]
    assert (round(ratio.value, 2), ratio.verdict) == (1.2, "met")
    assert round(by_name["a link ÷ Restate, p50"].value, 2) == 1.03
    assert by_name["at half of that, p50"].verdict == "MISSED"


def test_without_restate_a_link_is_told_beside_the_bare_loop_alone():
    told = figures({SERVICE: [timed(30)], BARE: [timed(25)]}, 400.0, timed(60))

    assert [each.name for each in told if "÷" in each.name] == [
        "a link ÷ bare loop, p50"
    ]


def test_restates_link_makes_the_calls_of_the_bare_loop():
    worker = peer_restate.WORKER.read_text()
    link = worker[worker.index("async function eligibility") :]

    assert re.findall(r'post\("(/[a-z/]+)"', link) == [
        "/partner/eligibility",
        "/core/memberships",
    ]
    assert re.findall(r'context\.run\("([a-z]+)"', link) == [*bare.LINK, "notify"]


def test_the_bare_loop_of_a_link_calls_what_the_service_calls():
    paths, name = [], "validate"
    while name != "notify":
        step = bare.step_of(name, 0)
        paths.append(step.path)
        name = step.following
    paths.append(bare.step_of("notify", 0).path)

    assert paths == ["", "partner/eligibility", "core/memberships", "core/notify"]
    answered = [answer.path.strip("/") for answer in ANSWERS]
    assert {path.partition("/")[0] for path in paths if path} <= {*answered}


def test_the_load_asks_for_links_that_can_be_read():
    body = link("bench-0000001")

    assert read_link(body, ["northbank"]).order_id == "bench-0000001"
    assert orjson.loads(body)["card"]["token"] == "tok_bench-0000001"
