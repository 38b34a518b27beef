"""The doctor says whether the books could be forged by who can write the database."""

from types import SimpleNamespace
from typing import Any

import pytest

from fsm.domain.audit_keys import parse_audit_keys
from payment_service.cli.doctor.examination import _audit_keys

KEY = "k1:" + "5a" * 32


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not set: who can write the database"),
        ("", "make a key to the API, of an admin too, and sign it"),
        (f"{KEY},open", "takes what is signed by open"),
        (KEY, "k1 signs"),
    ],
)
def test_the_doctor_looks_at_the_audit_keys(text, said):
    settings: Any = SimpleNamespace(audit_keys=parse_audit_keys(text))

    finding = _audit_keys(settings)

    assert said in finding.told
    assert bool(finding.mend) is (text != KEY)
