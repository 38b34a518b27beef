"""Whatever a service answers is read: as what it definitely says, or as unclear."""

import json

from hypothesis import given
from hypothesis import strategies as st

from handlers.ports.services import (
    Fetched,
    ServiceDone,
    ServiceNotKnown,
    ServicePending,
    ServiceRefused,
    ServiceUnclear,
    ServiceUndone,
)
from providers.http.outbound import Response
from providers.services import answers

TASK = "t-1"
NO = {409, 422}
YES = range(200, 300)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
WORDS = st.sampled_from(["done", "refused", "pending", "reversed", "", "ok"])
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "result": VALUES | st.just({}),
        "status": WORDS | VALUES,
        "code": st.sampled_from(["no", ""]) | VALUES,
        "message": VALUES,
        "customer_message": VALUES,
        "task_id": st.just(TASK) | VALUES,
        "error": VALUES,
        "ok": VALUES,
    },
)
BODIES = (
    st.binary()
    | FIELDS.map(lambda told: json.dumps(told).encode())
    | (VALUES.map(lambda told: json.dumps(told).encode()))
)
HEADERS = st.fixed_dictionaries({}, optional={"retry-after": st.text(max_size=12)})
RESPONSES = st.builds(
    Response, status=st.integers(200, 599), body=BODIES, headers=HEADERS
)


@given(RESPONSES)
def test_a_do(answer):
    said = answers.do_answer(answer, TASK)

    assert isinstance(said, ServiceDone | ServiceRefused | ServiceUnclear)
    assert answer.status in YES or not isinstance(said, ServiceDone)
    assert answer.status in NO or not isinstance(said, ServiceRefused)


@given(RESPONSES)
def test_an_undo(answer):
    said = answers.undo_answer(answer, TASK)

    assert isinstance(said, ServiceUndone | ServiceRefused | ServiceUnclear)
    assert answer.status in YES or not isinstance(said, ServiceUndone)
    assert answer.status in NO or not isinstance(said, ServiceRefused)


@given(RESPONSES)
def test_a_question(answer):
    said = answers.ask_answer(answer, TASK)

    definite = ServiceDone | ServiceRefused | ServicePending
    assert isinstance(said, definite | ServiceNotKnown | ServiceUnclear)
    assert answer.status == 200 or not isinstance(said, definite)
    assert answer.status == 404 or not isinstance(said, ServiceNotKnown)


@given(RESPONSES)
def test_a_load(answer):
    said = answers.load_answer(answer)

    assert isinstance(said, Fetched | ServiceRefused | ServiceUnclear)
    assert answer.status == 200 or not isinstance(said, Fetched)
    assert answer.status in NO | {404} or not isinstance(said, ServiceRefused)
