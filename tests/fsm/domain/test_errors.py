import re
from collections.abc import Iterator

import pytest

from fsm.domain import errors
from fsm.domain.errors import (
    AmbiguousOrder,
    BrokenInvariant,
    BusUnavailable,
    CoreUnavailable,
    InvalidRequest,
    Later,
    NotNow,
    PaymentServiceError,
    StaleWrite,
    StoreUnavailable,
    Tampered,
    UnknownOrder,
)


def tree(kind: type[PaymentServiceError], margin: str = "") -> Iterator[str]:
    every = kind.__subclasses__()
    below = [each for each in every if each.__module__ == errors.__name__]
    for each in below:
        is_last = each is below[-1]
        yield f"{margin}{'└── ' if is_last else '├── '}{each.__name__}"
        yield from tree(each, f"{margin}{'    ' if is_last else '│   '}")


def test_the_tree_is_drawn_as_it_grows():
    drawn = str(errors.__doc__).partition("```\n")[2].partition("```")[0]
    lines = [re.match(r"[│├└─ ]*\w+", line) for line in drawn.splitlines()]

    assert [line[0] for line in lines if line] == [
        "PaymentServiceError",
        *tree(PaymentServiceError),
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidRequest("amount: must be at least 1"), 422),
        (UnknownOrder("w-1"), 404),
        (AmbiguousOrder("w-1", [{"queue_id": "q"}]), 409),
        (NotNow("it is final"), 409),
        (Tampered("q", "its amount"), 409),
        (StoreUnavailable("password=x"), 503),
        (StaleWrite("q"), 503),
        (BrokenInvariant("one_live"), 500),
    ],
)
def test_an_error_knows_its_status(error, status):
    assert error.status == status


@pytest.mark.parametrize("error", [BusUnavailable("nats://me:pw@"), StaleWrite("q")])
def test_what_is_ours_to_know_is_told_nobody(error):
    assert isinstance(error, Later)
    assert error.told() == "This cannot be done just now; try again."


def test_who_asks_for_what_is_not_there_is_told_which_kind():
    assert UnknownOrder("secret", "case").told() == "There is no such case."


def test_candidates_are_told():
    candidates = [{"queue_id": "q-1"}, {"queue_id": "q-2"}]

    assert AmbiguousOrder("w-1", candidates).members() == {"candidates": candidates}


@pytest.mark.parametrize("kind", [StoreUnavailable, BusUnavailable, CoreUnavailable])
def test_a_neighbour_that_is_away_is_mended_at_its_setting(kind):
    assert kind.mend.startswith("see PAYMENT_")
