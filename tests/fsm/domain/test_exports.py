"""An export hides what must not be seen, and tells the hashes that an auditor needs."""

import orjson
import pytest

from fsm.domain.exports import ExportWriter

# Of the form of a hash of ours, and for the eye of a mask a part of a secret.
LIKE_A_SECRET = "eyJhbGciOiJIUzI1NiJ9sk_live_whsec_AAAAAAAAA"


def told(request):
    line = {"detail": {"request": request}, "key_id": "k", "hash": "h"}
    return orjson.loads(ExportWriter().trail(line))["line"]


@pytest.mark.parametrize(
    "name",
    [
        "cascade",
        "content",
        "customer",
        "destination",
        "details",
        "exclusive_key",
        "metadata",
        "signature",
    ],
)
def test_a_hash_of_what_was_requested_is_told_whatever_it_looks_like(name):
    assert len(LIKE_A_SECRET) == 43

    shown = told({name: LIKE_A_SECRET})

    assert shown["detail"]["request"] == {name: LIKE_A_SECRET}
    assert "masked" not in shown


@pytest.mark.parametrize("name", ["destination", "signature"])
def test_what_is_no_hash_is_hidden_there(name):
    shown = told({name: "4111111111111111"})

    assert shown["detail"]["request"] == {name: "***"}
    assert shown["masked"]
