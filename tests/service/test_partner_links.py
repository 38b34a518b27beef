"""Two invented partners through the whole service: one at once, one over days by file.

A day of theirs lasts half a second here.
"""

import asyncio

import pytest

from providers.testing.simulator import InjectedFault
from tests.service.stage import staged

DAY = 24 * 3600.0
DAY_HERE = 0.5
SCALE = 0.002  # of the stage's simulator
WAITS = 'fallback = {{ first = "125ms", max = "500ms", deadline = "{}" }}'
FALLBACK, SOON = WAITS.format("9s"), WAITS.format("1500ms")
FILE = """
[partners.southbank.file]
path = "/files/links.csv"
fresh = "1ms"
columns = { task_id = "reference", card_token = "card", result = "outcome", code = "reason", time = "decided at" }
results = { eligible = "eligible", not_eligible = "not_eligible" }
"""  # noqa: E501 - as in a file


@pytest.fixture
async def stage(granted, nats_server, subject_prefix):
    async with running(granted, nats_server, subject_prefix) as stage:
        yield stage


def running(granted, nats_server, prefix, *, matches="provisional", waits=FALLBACK):
    lines = f'multi_match = "{matches}"\n{waits}\n'
    partners = {"northbank": lines, "southbank": lines + FILE}
    return staged(granted.service, nats_server.url, prefix, partners=partners)


def a_link(order_id="l-1", *, partner="northbank", script="succeed", **card):
    token = f"tok_sim:{script}#{order_id}"
    return {
        "order_id": order_id,
        "merchant_id": "m-1",
        "customer_id": "c-9",
        "partner": partner,
        "card": {"token": token, "bin": "451012", "country": "CA", **card},
        "metadata": {"channel": "app"},
    }


def in_days(stage, days, becomes, order_id="l-1", **fields):
    """Have a partner know after so many of its days what became of a card."""
    script = {
        "base": "accept_silence",
        "steps": [{"after": days * DAY, "becomes": becomes}],
        "pace": DAY_HERE / (DAY * SCALE),
        **fields,
    }
    token = f"tok_sim:succeed#{order_id}"
    stage.simulator.set_script(script, destination=token)


async def ended(stage, request):
    """Ask for a link; return the final order and its one task's state."""
    answer = await stage.ask(request, "partner.link.requested")
    assert answer["status"] == "accepted", answer
    order = await stage.final(request["order_id"])
    (task,) = order["tasks"]
    return order, task


def members(stage):
    return stage.core.book_of_members.states()


def books_agree(stage):
    """Hold core's book of members against the partners' own."""
    wrong = stage.core.check() + stage.simulator.partners.book.against(members(stage))
    return wrong == []


def calls(stage, operation, task):
    return stage.simulator.partners.book.calls(operation, task["task_id"])


async def test_a_partner_that_answers_at_once_links_at_once(stage):
    order, task = await ended(stage, a_link())

    assert (order["state"], order["result"]) == ("COMPLETED", "linked")
    assert (task["state"], task["provider"]) == ("SUCCEEDED", "northbank")
    assert members(stage) == {task["task_id"]: "granted"}
    assert (calls(stage, "eligibility", task), calls(stage, "fallback", task)) == (1, 0)
    assert books_agree(stage)


async def test_a_partner_that_says_no_links_nothing(stage):
    order, task = await ended(stage, a_link(script="decline"))

    assert (order["result"], task["state"]) == ("not_eligible", "FAILED")
    assert task["code"] == "do_not_honor"
    assert members(stage) == {}


async def test_a_card_that_is_not_covered_is_never_asked_about(stage):
    order, task = await ended(stage, a_link(bin="520000"))

    assert (order["result"], task["code"]) == ("not_eligible", "bin_not_covered")
    assert stage.simulator.partners.book.entries == []


@pytest.mark.parametrize(
    ("becomes", "result", "state"),
    [
        ("succeeded", "linked", "confirmed"),
        ("failed", "not_eligible", "revoked"),
    ],
)
async def test_what_is_known_after_four_days_stands_in_the_file(
    stage, becomes, result, state
):
    in_days(stage, 4, becomes, code="other_person")
    began = asyncio.get_running_loop().time()

    order, task = await ended(stage, a_link(partner="southbank"))

    assert order["result"] == result
    assert asyncio.get_running_loop().time() - began >= 4 * DAY_HERE
    assert members(stage) == {task["task_id"]: state}
    assert calls(stage, "eligibility", task) == 1
    assert calls(stage, "fallback", task) == 0
    fetched = [e for e in stage.simulator.partners.book.entries if e.what == "file"]
    assert len(fetched) > 3
    assert (calls(stage, "revocation", task) > 0) is (state == "revoked")
    assert books_agree(stage)
    if becomes == "failed":
        assert task["code"] == "other_person"


async def test_what_is_known_after_days_is_told_to_a_fallback_check(stage):
    in_days(stage, 2, "succeeded")

    order, task = await ended(stage, a_link())

    assert order["result"] == "linked"
    assert members(stage) == {task["task_id"]: "confirmed"}
    assert calls(stage, "fallback", task) > 1
    assert books_agree(stage)


async def test_a_link_that_nobody_decides_expires_and_is_revoked(
    granted, nats_server, subject_prefix
):
    async with running(granted, nats_server, subject_prefix, waits=SOON) as stage:
        in_days(stage, 40, "succeeded")

        order, task = await ended(stage, a_link(partner="southbank"))

        assert (order["result"], task["state"]) == ("expired", "REVERSED")
        assert members(stage) == {task["task_id"]: "revoked"}
        assert books_agree(stage)


async def test_a_partner_that_holds_grants_nothing_before_it_knows(
    granted, nats_server, subject_prefix
):
    async with running(granted, nats_server, subject_prefix, matches="hold") as stage:
        in_days(stage, 2, "succeeded")

        order, task = await ended(stage, a_link(partner="southbank"))

        assert order["result"] == "linked"
        verbs = stage.core.memberships[task["task_id"]]["verbs"]
        assert verbs == ["grant"]
        assert books_agree(stage)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "applied_drop", "operation": "southbank.eligibility", "times": 2},
        {"kind": "down", "operation": "southbank.*", "times": 4},
        {"kind": "error", "operation": "southbank.file", "times": 3},
    ],
)
async def test_a_partner_that_is_away_for_a_while_loses_no_link(stage, fault):
    in_days(stage, 1, "succeeded")
    stage.simulator.faults.set(InjectedFault.parse(fault))

    order, _ = await ended(stage, a_link(partner="southbank"))

    assert order["result"] == "linked"
    assert sum(stage.simulator.faults.happened.values()) == fault["times"]
    assert books_agree(stage)


@pytest.mark.parametrize("operation", ["membership", "revoke"])
async def test_core_that_does_it_and_does_not_say_does_it_once(stage, operation):
    in_days(stage, 1, "failed")
    lost = {"kind": "applied_drop", "operation": operation, "times": 2}
    stage.core.faults.set(InjectedFault.parse(lost))

    order, task = await ended(stage, a_link())

    assert order["result"] == "not_eligible"
    assert members(stage) == {task["task_id"]: "revoked"}
    assert stage.core.check() == []


async def test_partners_are_measured_and_shown_as_providers_are(stage):
    await ended(stage, a_link())

    async with stage.http.get(f"{stage.url}/metrics") as answer:
        page = await answer.text()
    status, told = await stage.call("GET", "/v1/providers", role="viewer")

    labels = 'operation="eligibility",outcome="eligible",provider="northbank"'
    assert f"provider_request_seconds_count{{{labels}}} 1.0" in page
    assert status == 200
    assert {"northbank", "southbank"} <= {each["name"] for each in told["providers"]}


async def test_links_and_removals_are_counted_by_kind_and_timed(stage):
    await ended(stage, a_link())
    await ended(stage, a_link("l-2", script="decline"))
    said = {"reason": "the customer has asked", "order_id": "u-1"}
    path = "/v1/partner-links/l-1/unlink"
    await stage.call("POST", path, role="upstream", body=said)
    await stage.final("u-1")

    wanted = [
        f'{name}{{kind="{kind}",outcome="completed"}} {count}'
        for name in ("orders_total", "order_duration_seconds_count")
        for kind, count in (("partner_link", "2.0"), ("partner_unlink", "1.0"))
    ]
    wanted += [
        f'provider_request_seconds_count{{operation="{operation}",'
        f'outcome="{outcome}",provider="northbank"}} 1.0'
        for operation, outcome in (
            ("eligibility", "eligible"),
            ("eligibility", "noteligible"),
            ("revoke_notice", "revokenoted"),
        )
    ]
    async with stage.http.get(f"{stage.url}/metrics") as answer:
        page = (await answer.text()).splitlines()
    assert [line for line in wanted if line not in page] == []


async def test_a_paused_partner_is_asked_nothing_until_it_is_resumed(stage):
    path = "/v1/providers/northbank"
    await stage.call("POST", f"{path}/pause", role="admin", body={"reason": "audit"})

    async def kept_out():
        _, told = await stage.call("GET", "/v1/providers", role="viewer")
        return any(
            each["name"] == "northbank" and each["state"] == "paused"
            for each in told["providers"]
        )

    await stage.until(kept_out)
    await asyncio.sleep(2)  # until every worker has heard of it
    await stage.ask(a_link(), "partner.link.requested")
    await stage.task_in("l-1", "EXECUTING")
    assert stage.simulator.partners.book.entries == []

    await stage.call("POST", f"{path}/resume", role="admin", body={})
    order = await stage.final("l-1")

    assert order["result"] == "linked"


async def test_a_link_that_is_removed_is_no_member_and_its_partner_is_told(stage):
    order, task = await ended(stage, a_link())
    assert order["result"] == "linked"

    status, answer = await stage.call(
        "POST",
        "/v1/partner-links/l-1/unlink",
        role="upstream",
        body={"reason": "the customer has asked", "order_id": "u-1"},
    )
    assert status == 202, answer
    removed = await stage.final("u-1")
    (unlink,) = removed["tasks"]

    assert (removed["state"], removed["result"]) == ("COMPLETED", "unlinked")
    assert stage.core.book_of_members.members == {}
    assert calls(stage, "revocation", unlink) == 1
    assert (await stage.order("l-1"))["result"] == "linked"
    assert task["state"] == "SUCCEEDED"


async def test_a_card_that_was_removed_is_asked_about_anew(stage):
    in_days(stage, 1, "succeeded")
    await ended(stage, a_link(partner="southbank"))
    await stage.call(
        "POST",
        "/v1/partner-links/l-1/unlink",
        role="upstream",
        body={"reason": "the customer has asked", "order_id": "u-1"},
    )
    await stage.final("u-1")
    token = a_link()["card"]["token"]
    stage.simulator.set_script(None, destination=token)
    stage.simulator.set_script("decline", destination=token)

    again = a_link("l-2", partner="southbank", token=token)
    order, task = await ended(stage, again)

    # What the file says of the first link is not about this one.
    assert (order["result"], task["code"]) == ("not_eligible", "do_not_honor")
    assert stage.core.book_of_members.members == {}
