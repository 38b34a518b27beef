"""A line of the log shows nothing that must not be seen, and no half of it."""

import pytest

from payment_service.observability.logs import TEXT_MAX, _complete

CARD = "4111 1111 1111 1111"


def line(**fields):
    return _complete(None, "info", {"event": "message.handled", **fields})


def test_what_must_not_be_seen_is_hidden_in_every_field():
    told = line(order_id=CARD, because=f"of {CARD}", note={"password": "x1"}, token="t")

    assert told["order_id"] == "***"
    assert told["because"] == "of ***"
    assert (told["note"], told["token"]) == ({"password": "***"}, "***")


def test_ids_and_what_is_not_there_stay():
    task_id = "0195f2c4-7c1e-7d52-b3a6-5f0f3f1d2a10"
    told = line(task_id=task_id, milliseconds=1.5)

    assert (told["task_id"], told["queue_id"], told["milliseconds"]) == (
        task_id,
        None,
        1.5,
    )


def test_what_was_raised_is_masked_too():
    assert line(error=ValueError(f"bad {CARD}"))["error"] == "bad ***"


@pytest.mark.parametrize("before", range(TEXT_MAX - 20, TEXT_MAX + 1, 4))
def test_a_text_is_cut_after_it_was_masked(before):
    told = line(because="x" * before + CARD + "y" * 10_000)["because"]

    assert len(told) <= TEXT_MAX
    assert "4111" not in told
