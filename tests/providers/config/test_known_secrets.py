import pytest
from pydantic import SecretStr

from fsm.domain.masking import KNOWN, masked_text
from payment_service.settings import Settings
from providers.config import parse_config
from providers.config.known_secrets import secrets_in

TABLE = """
[providers.acme]
adapter = "rest"
base_url = "https://acme.example"
idempotent_create = true
headers = { X-Api-Key = "header-key-canary", X-Version = "2026-01-31" }
webhook = { scheme = "standard", secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] }
"""


@pytest.fixture(autouse=True)
def nothing_known():
    yield
    KNOWN.forget()


@pytest.mark.parametrize(
    ("address", "secrets"),
    [
        ("postgresql://payment:s3cret%21pw@host/db", {"s3cret%21pw", "s3cret!pw"}),
        ("postgresql://postgres:postgres@postgres/postgres", set()),
        ("postgresql://user@host/db?password=s3cret-pw", {"s3cret-pw"}),
        (
            "nats://a:first-pw@h1:4222, nats://b:second-pw@h2:4222",
            {"first-pw", "second-pw"},
        ),
        ("nats://token-of-nats@h:4222", {"token-of-nats"}),
        ("nats://h:4222", set()),
    ],
)
def test_the_secrets_of_an_address_are_known(address, secrets):
    assert set(secrets_in(SecretStr(address))) == secrets


def test_what_is_read_at_the_start_is_hidden_from_then_on(monkeypatch):
    monkeypatch.setenv("PAYMENT_DATABASE_URL", "postgresql://u:database-canary@h/d")
    monkeypatch.setenv("PAYMENT_NATS_URL", "nats://u:nats-canary@h:4222")
    monkeypatch.setenv("PAYMENT_CORE_TOKEN", "core-canary-token")
    settings = Settings.read(env_file=None)
    parse_config(TABLE, ack_wait=settings.ack_wait, environment={})

    said = masked_text(
        "database-canary nats-canary core-canary-token header-key-canary 2026-01-31 "
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    )

    assert said == "*** *** *** *** 2026-01-31 *** ***"
