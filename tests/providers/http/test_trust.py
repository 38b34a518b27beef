"""Whom this machine trusts is read once, and again where it has changed."""

import ssl

import pytest

from providers.http import trust
from providers.http.trust import system_trust
from tests.wires.certificates import authority


@pytest.fixture(autouse=True)
def unread(monkeypatch):
    monkeypatch.setattr(trust, "_READ", {})


@pytest.fixture
def file(monkeypatch, tmp_path):
    """Have the system trust one authority, whose file it gives."""
    pem = authority(tmp_path, "Acme Root").pem
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    return pem


def names(context):
    return {str(each["subject"]) for each in context.get_ca_certs()}


def test_it_is_read_once(file):
    assert system_trust() is system_trust()
    assert file.exists()


def test_it_trusts_as_a_context_that_is_made_anew():
    made, anew = system_trust(), ssl.create_default_context()

    assert made.cert_store_stats() == anew.cert_store_stats()
    assert made.check_hostname
    assert made.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("how", ["renamed", "rewritten"])
def test_what_has_changed_is_read_again(file, tmp_path_factory, how):
    before = system_trust()
    other = authority(tmp_path_factory.mktemp("other"), "Another Root").pem
    if how == "renamed":
        other.rename(file)
    else:
        file.write_bytes(other.read_bytes())

    assert "Acme Root" in str(names(before))
    assert "Another Root" in str(names(system_trust()))


def test_another_file_is_another_trust(file, monkeypatch, tmp_path_factory):
    before = system_trust()
    other = authority(tmp_path_factory.mktemp("other"), "Another Root").pem
    monkeypatch.setenv("SSL_CERT_FILE", str(other))

    assert system_trust() is not before
    assert file.exists()


def test_one_that_knows_nobody_is_given_to_nobody_else(monkeypatch):
    made = ssl.create_default_context
    monkeypatch.setattr(
        ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    assert names(system_trust()) == set()

    monkeypatch.setattr(ssl, "create_default_context", made)

    assert system_trust().cert_store_stats() == made().cert_store_stats()
