"""Which events a delivery holds, and by what each of them is known."""

import pytest

from handlers.ports.provider import Verified
from providers.config.events import EventId, InHeader
from providers.config.places import WHOLE, parse_place
from providers.events import EVENT_ID_LENGTH_MAX, EVENTS_MAX, Events, TooManyEvents

ID, TYPE = parse_place("data.id"), parse_place("event")


def known_by(*parts, headers=None, **body):
    told = {"event": "transfer.success", "data": {"id": "TRF_1"}} | body
    events = Events(naming=EventId(parts))
    (one,) = events.of(Verified("outside"), headers or {}, told)
    return one.event_id


def test_an_id_is_what_the_scheme_says_where_the_table_says_nothing():
    (one,) = Events().of(Verified("outside"), {}, {"id": "inside"})

    assert one.event_id == "outside"


def test_an_id_is_made_of_several_places():
    assert known_by(ID, TYPE) == "TRF_1:transfer.success"
    assert known_by(ID, TYPE, event="transfer.reversed") == "TRF_1:transfer.reversed"


def test_no_part_of_an_id_runs_into_its_neighbour():
    ids = {
        known_by(ID, TYPE, data={"id": first}, event=second)
        for first, second in [("a:b", "c"), ("a", "b:c"), ("a%3Ab", "c"), ("a%", ":")]
    }

    assert len(ids) == 4


def test_a_header_may_be_a_part():
    part = InHeader("x-event")

    assert known_by(ID, part, headers={"x-event": ["7"]}) == "TRF_1:7"


@pytest.mark.parametrize("headers", [{}, {"x-event": [""]}, {"x-event": ["7", "8"]}])
def test_an_event_of_which_a_part_is_missing_is_known_by_what_it_says(headers):
    part = InHeader("x-event")
    first = known_by(ID, part, headers=headers)

    assert first.startswith("sha256:")
    assert first == known_by(ID, part, headers=headers)
    assert first != known_by(ID, part, headers=headers, event="transfer.reversed")


@pytest.mark.parametrize("odd", [None, {}, [], 1.5, ""])
def test_what_is_no_word_is_no_part(odd):
    assert known_by(ID, TYPE, event=odd).startswith("sha256:")


def test_a_number_and_a_truth_are_parts():
    assert known_by(ID, TYPE, event=7) == "TRF_1:7"
    assert known_by(ID, TYPE, event=True) == "TRF_1:true"


@pytest.mark.parametrize("odd", ["x" * 300, "a\nb", " a "])
def test_an_id_that_no_inbox_takes_is_its_hash(odd):
    whole = known_by(ID, data={"id": odd})

    assert whole.startswith("sha256:")
    assert len(known_by(ID, TYPE, data={"id": odd})) <= EVENT_ID_LENGTH_MAX


def test_a_hash_is_of_what_is_said_and_not_of_how_it_is_written():
    told = {"event": "transfer.success", "data": {"id": "TRF_1"}}

    assert known_by(**told) == known_by(**dict(reversed(told.items())))
    assert known_by(**told) != known_by(**told, sent_at=1)


@pytest.mark.parametrize(
    ("at", "body"),
    [
        (parse_place("data.events"), {"data": {"events": [{"id": 1}, {"id": 2}]}}),
        (parse_place("data.events"), [{"id": 1}, {"id": 2}]),
        (WHOLE, [{"id": 1}, {"id": 2}]),
        (None, [{"id": 1}, {"id": 2}]),
    ],
)
def test_several_events_are_each_known_by_themselves(at, body):
    told = Events(at=at).of(Verified("of the delivery"), {}, body)

    assert [one.body for one in told] == [{"id": 1}, {"id": 2}]
    assert {one.event_id for one in told} == {None}


def test_an_event_that_is_no_list_of_one_is_one():
    told = Events(at=parse_place("event")).of(Verified("d"), {}, {"event": {"id": 1}})

    assert [(one.event_id, one.body) for one in told] == [(None, {"id": 1})]


@pytest.mark.parametrize("body", [None, [], {}, "ping", 5, False])
@pytest.mark.parametrize("at", [None, parse_place("events")])
def test_what_says_nothing_has_no_event(at, body):
    assert Events(at=at).of(Verified("d"), {}, body) == []


def test_more_events_than_one_transaction_takes_are_refused():
    events = Events()

    assert len(events.of(Verified("d"), {}, [{}] * EVENTS_MAX)) == EVENTS_MAX
    with pytest.raises(TooManyEvents):
        events.of(Verified("d"), {}, [{}] * (EVENTS_MAX + 1))
