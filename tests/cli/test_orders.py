"""Orders at the command line: searched, and shown with why each provider was tried."""

import json

import pytest

from handlers.ports.reads import Page, Search
from payment_service.cli import orders as listed
from tests.cli.stage import PROVIDERS, Here


@pytest.fixture
def shell(tmp_path):
    """Run commands in this process: how they start is tested elsewhere."""
    return Here(tmp_path)


def test_no_order_is_said_so(at_database):
    assert at_database("order", "list").out == "No order matches.\n"
    assert at_database("order", "list", "--json").json["orders"] == []


def test_an_unknown_order_is_one_line(at_database):
    answer = at_database("order", "show", "w-404")

    assert answer.code == 1
    assert answer.err == (
        "payment-service: no order or task 'w-404': "
        "the command's own `list` shows those that there are\n"
    )


def test_orders_are_listed_newest_first_and_in_pages(at_database, orders):
    first = at_database("order", "list", "--limit", "3", "--json").json
    rest = at_database("order", "list", "--cursor", first["next_cursor"], "--json").json

    found = [order["order_id"] for order in first["orders"] + rest["orders"]]
    assert sorted(found) == sorted(orders)
    assert found == [
        o.order_id for o in sorted(orders.values(), key=_age, reverse=True)
    ]
    assert rest["next_cursor"] is None


def _age(order):
    return order.created_at


async def left_out(_sought):
    return Page(items=(), left_out=2)


def test_what_a_list_leaves_out_is_said(shell, monkeypatch, capsys):
    del shell
    monkeypatch.setattr(listed, "_page", left_out)
    sought = Search(limit=9)

    assert listed.list_(sought, as_json=False) == 0
    assert "2 of these are left out, since this version" in capsys.readouterr().out
    listed.list_(sought, as_json=True)
    assert json.loads(capsys.readouterr().out)["left_out"] == 2


def test_orders_are_searched(at_database, orders):
    def found(*options):
        page = at_database("order", "list", "--json", *options).json
        return {order["order_id"] for order in page["orders"]}

    assert found("--state", "completed") == {"w-paid", "w-lost"}
    assert found("--task-state", "MANUAL_CHECK") == {"w-silent"}
    assert found("--customer", "c-9", "--merchant", "m-1", "--from", "1h") == {*orders}
    assert found("--customer", "nobody") == set()
    assert found("--to", "2026-01-01") == set()
    assert found("--provider", "nova", "--kind", "withdrawal") == {*orders}


def test_a_customers_whole_story_is_shown_newest_first(at_database, orders):
    whole = at_database("customer", "show", "c-9", "--json").json
    first = at_database("customer", "show", "c-9", "--limit", "2", "--json").json
    rest = at_database(
        *("customer", "show", "c-9", "--cursor", first["next_cursor"], "--json")
    ).json

    assert whole["orders"] == first["orders"] + rest["orders"]
    assert [order["order_id"] for order in whole["orders"]] == [
        o.order_id for o in sorted(orders.values(), key=_age, reverse=True)
    ]
    for order in whole["orders"]:
        shown = at_database("order", "show", order["queue_id"], "--json").json
        assert order["events"] == shown["events"]
        assert order["in_words"]
    assert "tok_sim" not in str(whole)


def test_a_customers_story_is_told_for_people(at_database, orders):
    answer = at_database("customer", "show", "c-9")

    assert answer.code == 0
    for order_id in orders:
        assert f"withdrawal {order_id}" in answer.out
    assert answer.out.count("Audit trail") == len(orders)
    assert "tok_sim" not in answer.out
    nobody = at_database("customer", "show", "nobody")
    assert (nobody.code, nobody.out) == (
        *(0, "Nothing was asked for by this customer.\n"),
    )


@pytest.mark.usefixtures("orders")
def test_an_order_is_shown_with_the_proof_of_each_attempt(at_database):
    shown = at_database("order", "show", "w-declined", "--json").json

    assert [a["provider"] for a in shown["attempts"]] == list(PROVIDERS)
    first, second, _ = shown["attempts"]
    assert any("definite no" in sentence for sentence in first["because"])
    assert first["proof"]["trigger"] == "provider.declined"
    assert first["proof"]["detail"]["evidence"]["http_status"] >= 400
    assert "its turn came" in second["because"][0]
    assert shown["timers"] == []
    assert shown["cases"] == []
    assert {event["version"] for event in shown["events"]} >= {1, 2, 3, 4}


@pytest.mark.usefixtures("orders")
def test_what_was_not_tried_says_why(at_database):
    paid = at_database("order", "show", "w-paid", "--json").json["attempts"]
    silent = at_database("order", "show", "w-silent", "--json").json["attempts"]

    assert "another attempt has succeeded" in paid[1]["because"][0]
    assert silent[0]["because"][-1] == "it waits for a person's decision"
    assert silent[1]["because"] == ["not tried yet: it waits for its turn"]


def test_an_order_is_shown_for_people_without_its_token(at_database, orders):
    answer = at_database("order", "show", orders["w-silent"].queue_id)

    assert answer.code == 0
    for words in ("Attempts", "Audit trail", "Timers", "Open cases", "decision"):
        assert words in answer.out
    assert "tok_sim" not in answer.out
    assert "125.50 EUR" in answer.out
