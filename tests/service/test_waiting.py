"""Who waits for the result of a request over NATS hears it as a second answer."""

import orjson

from payment_service.api import awaiting
from tests.service.stage import WAIT, a_withdrawal, staged


async def asked(stage, body, wait):
    """Publish a request and return a function that gives one answer after the other."""
    inbox = stage.client.new_inbox()
    answers = await stage.client.subscribe(inbox)
    headers = {"X-Reply-To": inbox, "X-Wait": wait}
    await stage.publish("withdrawal.requested", body, **headers)

    async def answer():
        return orjson.loads((await answers.next_msg(timeout=WAIT)).data)

    return answer


async def test_the_result_is_the_second_answer(
    database_url, nats_server, subject_prefix, monkeypatch
):
    # It is woken, and does not only look now and then.
    monkeypatch.setattr(awaiting, "LOOK_AGAIN_SECONDS", 3_600.0)
    async with staged(database_url, nats_server.url, subject_prefix) as stage:
        answer = await asked(stage, a_withdrawal(), "60s")
        first, second = await answer(), await answer()
        again = await asked(stage, a_withdrawal(), "60s")
        repeat, told_again = await again(), await again()

        shown = await stage.final("w-1")
        assert (first["status"], second["status"]) == ("accepted", "ended")
        assert first["queue_id"] == second["queue_id"] == shown["queue_id"]
        assert second["order"]["state"] == "COMPLETED"
        assert {*second["order"]} == {*shown}
        assert "tok_sim" not in str(second)
        assert (repeat["status"], told_again["order"]["state"]) == (
            *("duplicate", "COMPLETED"),
        )


async def test_when_the_time_is_over_the_order_is_told_as_it_is(
    database_url, nats_server, subject_prefix
):
    async with staged(
        database_url, nats_server.url, subject_prefix, sla="none"
    ) as stage:
        answer = await asked(stage, a_withdrawal(script="accept_silence"), "300ms")

        assert (await answer())["status"] == "accepted"
        told = await answer()
        assert (told["status"], told["order"]["state"]) == ("running", "ACTIVE")


async def test_a_wait_that_is_none_costs_no_order_and_is_said(
    database_url, nats_server, subject_prefix
):
    async with staged(database_url, nats_server.url, subject_prefix) as stage:
        answer = await asked(stage, a_withdrawal(), "soon")

        told = await answer()
        assert (told["status"], told["error"][:23]) == (
            *("accepted", "X-Wait is passed over: "),
        )
        assert (await stage.final("w-1"))["state"] == "COMPLETED"


async def test_a_wait_over_a_minute_is_cut_and_said_with_what_is_not_known(
    database_url, nats_server, subject_prefix
):
    async with staged(database_url, nats_server.url, subject_prefix) as stage:
        sent = {**a_withdrawal(), "webhook_url": "https://shop.example"}
        answer = await asked(stage, sent, "2h")

        told, ended = await answer(), await answer()
        assert (told["status"], "error" in told) == ("accepted", False)
        unknown, cut = told["warnings"]
        assert unknown["pointer"] == "/webhook_url"
        assert (cut["parameter"], "60s" in cut["detail"]) == ("X-Wait", True)
        assert (ended["status"], "warnings" in ended) == ("ended", False)
