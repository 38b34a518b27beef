"""What a user says about the database is kept; what he does not say is added."""

import pytest

from payment_service.storage.address import given_settings, parameters

ONE = "postgresql://me:p@one/payments"
TWO = "postgresql://me:p@one,two:5433/payments"


def test_what_is_not_said_is_added():
    told = parameters(ONE, name="payment-service worker")

    assert told["application_name"] == "payment-service worker"
    assert (told["connect_timeout"], told["keepalives_idle"]) == ("5", "10")
    assert "target_session_attrs" not in told
    assert "options" not in told


def test_of_several_hosts_the_one_that_takes_writes_is_meant():
    assert parameters(TWO, name="x")["target_session_attrs"] == "read-write"


def test_several_hosts_may_be_named_by_libpqs_own_variable(monkeypatch):
    monkeypatch.setenv("PGHOST", "one,two")

    assert "target_session_attrs" not in parameters(ONE, name="x")
    told = parameters("postgresql:///payments", name="x")
    assert told["target_session_attrs"] == "read-write"


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("connect_timeout", "9"),
        ("target_session_attrs", "any"),
        ("application_name", "mine"),
        ("keepalives_idle", "60"),
        ("tcp_user_timeout", "1"),
        ("sslmode", "verify-full"),
    ],
)
def test_what_is_said_in_the_address_is_kept(said, value):
    assert parameters(f"{TWO}?{said}={value}", name="x")[said] == value


def test_an_encoding_that_cannot_hold_every_name_is_not_kept():
    assert parameters(f"{ONE}?client_encoding=LATIN1", name="x") == parameters(
        ONE, name="x"
    )


@pytest.mark.parametrize(
    ("variable", "parameter"),
    [
        ("PGCONNECT_TIMEOUT", "connect_timeout"),
        ("PGTARGETSESSIONATTRS", "target_session_attrs"),
        ("PGAPPNAME", "application_name"),
    ],
)
def test_what_libpqs_variables_say_is_left_to_libpq(monkeypatch, variable, parameter):
    monkeypatch.setenv(variable, "9")

    assert parameter not in parameters(TWO, name="x")


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ("-csearch_path=pay", {"search_path": "pay"}),
        ("-c%20a=1%20-c%20B-c=2", {"a": "1", "b_c": "2"}),
        ("--lock-timeout=3s", {"lock_timeout": "3s"}),
        ("-c%20search_path=a,%5C%20b", {"search_path": "a, b"}),
        ("-c", {}),
        ("%5C", {}),
    ],
)
def test_settings_in_options_are_known(options, given):
    assert given_settings(f"{ONE}?options={options.replace('=', '%3D')}") == given
