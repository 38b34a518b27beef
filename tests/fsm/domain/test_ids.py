"""Ids are what the standard says, and those that follow from a cause never change."""

from datetime import UTC, datetime
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.domain import ids


@given(st.lists(st.one_of(st.text(), st.integers(), st.none()), min_size=1))
def test_a_derived_id_is_the_standards(cause):
    name = "\x1f".join(map(str, cause))

    assert ids.derived_id(*cause) == str(uuid5(ids._EVENTS, name))


def test_a_derived_id_is_the_same_for_ever():
    assert ids.derived_id("accepted", "w-1") == "4fca02b1-de7c-5c43-90e0-c29c2ee8905b"


@pytest.mark.parametrize("year", [1970, 2026, 9999])
def test_a_new_id_is_a_uuid_of_its_moment(year):
    at = datetime(year, 1, 2, tzinfo=UTC)

    made = UUID(ids.new_id(at))

    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == int(at.timestamp() * 1000)
    assert str(made) == ids.new_id(at)[:13] + str(made)[13:]
