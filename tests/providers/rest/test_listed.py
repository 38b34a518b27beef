"""A status answer that is a list: ours is found in it, and nobody else's counts."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from handlers.ports.provider import (
    Accepted,
    Declined,
    NotFound,
    Returned,
    Succeeded,
    Unclear,
)
from providers.config.forms import StatusTable
from providers.http.outbound import Response
from providers.rest.answers import status_answer
from providers.rest.reading import Reading
from tests.providers.rest.test_declared import PAYOUT, TASK

ANSWERS = {
    "items_at": "data",
    "more_at": "has_more",
    "status_at": "state",
    "status_map": {
        "PAID": "succeeded",
        "NEW": "accepted",
        "NO": "declined",
        "BACK": "returned",
    },
    "reference_at": "ref",
    "provider_reference_at": "id",
    "amount_at": "sum",
    "code_at": ["code", "error.code"],
    "error_map": [{"codes": ["NONE"], "means": "not_found"}],
}
THEIRS = {"path": "/x/{provider_reference}"}


def read(body, status=200, *, payout=PAYOUT, by_theirs=False, **changes):
    told: Any = {n: v for n, v in (ANSWERS | changes).items() if v is not None}
    table = StatusTable(path="/x", answers=told)
    form = Reading(table.answers, reference_form="uuid", by_theirs=by_theirs)
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return status_answer(Response(status=status, body=raw), payout, form)


def ours(state, **more):
    return {"ref": TASK, "state": state, **more}


def others(state="PAID"):
    return {"ref": "somebody-elses", "state": state}


@pytest.mark.parametrize(
    ("items", "kind"),
    [
        ([], NotFound),
        ([ours("PAID")], Succeeded),
        ([ours("NEW")], Accepted),
        ([ours("NO")], Declined),
        ([ours("BACK")], Returned),
        ([ours("HUH")], Unclear),
        ([others("NO"), ours("PAID"), others("NO")], Succeeded),
        # Not ours: not even a sign that ours is missing.
        ([others()], Unclear),
        ([others("NO")], Unclear),
        ([{"state": "PAID"}], Unclear),
        ([{"state": "NO", "ref": None}], Unclear),
        ([None, "x", 7, [], {}], Unclear),
        # Several of ours.
        ([ours("NO"), ours("PAID")], Succeeded),
        ([ours("PAID"), ours("NO")], Succeeded),
        ([ours("NO"), ours("NEW")], Accepted),
        ([ours("NO"), ours("NO")], Declined),
        ([ours("NO"), ours("BACK")], Returned),
        ([ours("PAID"), ours("PAID")], Unclear),
        ([ours("PAID", id="p-1"), ours("PAID", id="p-1")], Succeeded),
        ([ours("PAID", id="p-1"), ours("PAID", id="p-2")], Unclear),
        ([ours("PAID"), ours("NEW")], Unclear),
        ([ours("PAID"), ours("BACK")], Unclear),
        ([ours("NO"), ours("HUH")], Unclear),
        ([ours("PAID"), ours("NO", sum="x")], Unclear),
    ],
)
def test_what_a_list_says_of_ours(items, kind):
    assert type(read({"data": items})) is kind
    assert type(read(items, items_at="", more_at=None)) is kind


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": None},
        {"data": {}},
        {"data": "none"},
        {"data": [], "has_more": True},
        {"data": [], "has_more": "next-page"},
        [],
        b"",
        b"[]x",
        b'{"data": []',
    ],
)
def test_what_is_no_whole_list_proves_no_absence(body):
    assert type(read(body)) is Unclear


@pytest.mark.parametrize("status", [201, 204, 400, 401, 404, 500])
def test_an_empty_list_with_another_status_proves_no_absence(status):
    assert type(read({"data": []}, status)) is Unclear


def test_a_listed_error_still_says_not_found():
    assert type(read({"error": {"code": "NONE"}}, 404)) is NotFound


def test_contradicting_payouts_are_told_in_the_trail():
    unclear = read({"data": [ours("PAID"), ours("NEW")]})

    assert unclear.because.endswith("under our reference: succeeded, accepted")
    assert unclear.evidence == {"http_status": 200, "items": 2}


def test_the_money_of_an_item_is_told():
    assert read({"data": [ours("PAID", sum=12551)]}).amount == 12551


def test_an_item_without_our_reference_is_ours_by_the_providers_id_once_that_is_known():
    item = {"id": "p-1", "state": "PAID"}

    assert type(read({"data": [item]})) is Succeeded
    assert type(read({"data": [{**item, "id": "p-2"}]})) is Unclear
    unnamed = replace(PAYOUT, provider_reference=None)
    assert type(read({"data": [item]}, payout=unnamed)) is Unclear


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"id": "p-1", "state": "PAID"}, Succeeded),
        ({"state": "PAID"}, Succeeded),
        ({"id": "p-2", "state": "PAID"}, Unclear),
        ({"id": "p-2", "state": "NO"}, Unclear),
        ({"id": "p-1", "ref": "somebody-elses", "state": "NO"}, Unclear),
    ],
)
def test_who_is_asked_by_its_own_id_must_not_answer_about_another(body, kind):
    answer = read(body, by_theirs=True, items_at=None, more_at=None)

    assert type(answer) is kind


@pytest.mark.parametrize(
    ("places", "kind"),
    [
        ({"status_at": "0.state", "reference_at": "0.ref"}, Succeeded),
        ({"status_at": "/0/state", "reference_at": "/0/ref"}, Succeeded),
        ({"status_at": "1.state", "reference_at": "1.ref"}, Unclear),
        ({}, Unclear),
    ],
)
def test_a_bare_list_is_read_where_a_place_is_in_one(places, kind):
    bare = {"items_at": None, "more_at": None}
    assert type(read([ours("PAID")], **bare, **places)) is kind
