"""The page about people says what the code does."""

import re
from pathlib import Path

from fsm.domain.keys import ATTRIBUTES, KeyRole, parse_api_keys
from fsm.domain.roster import FINGERPRINT_LENGTH
from payment_service.api.app import create_app
from payment_service.api.auth import _INCLUDED
from payment_service.api.keyring import KEPT_FOR
from payment_service.cli.commands import four_eyes, key
from payment_service.wiring.people import LOOK_EVERY, USES_EVERY
from tests.api.fakes import World, deps_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/people.md").read_text()
SETTINGS = (ROOT / "docs/configuration.md").read_text()


def test_every_role_is_told_and_no_other():
    told = re.findall(r"^\| `(\w+)` \| ", PAGE, re.MULTILINE)

    assert [role for role in told if role in set(KeyRole)] == ["viewer", *told[1:4]]
    assert set(told[:4]) == set(KeyRole) == set(_INCLUDED)


def test_every_command_about_keys_and_thresholds_is_shown():
    for group, name in ((key.group, "key"), (four_eyes.group, "four-eyes")):
        for command in group.registered_commands:
            assert f"payment-service {name} {command.name}" in PAGE


def test_the_attributes_of_a_key_are_those_that_are_read():
    told = re.findall(r"`:(\w+)=([^`]+)`", PAGE)

    assert [name for name, _ in told] == list(ATTRIBUTES)
    more = "".join(f":{name}={value}" for name, value in told)
    (made,) = parse_api_keys(f"shop:upstream:{'a' * 64}{more}")
    assert made.person == "P"
    assert sorted(made.merchants or ()) == ["m-1", "m-2"]
    for name in ATTRIBUTES:
        assert name in SETTINGS


def test_the_times_are_those_of_the_code():
    assert f"after {LOOK_EVERY.total_seconds():.0f} s and a query" in PAGE
    assert f"taken for {KEPT_FOR.total_seconds() / 60:.0f} minutes" in PAGE
    assert USES_EVERY.total_seconds() == 60
    assert "the last use is written once a minute" in PAGE
    assert f"the first {FINGERPRINT_LENGTH} digits" in PAGE


def test_every_call_about_keys_and_thresholds_is_told():
    document = create_app(deps_of(World())).openapi()
    calls = {
        f"`{method.upper()} {path}`"
        for path, operations in document["paths"].items()
        if path.startswith(("/v1/keys", "/v1/four-eyes"))
        for method in operations
    }

    assert calls == set(re.findall(r"`(?:GET|POST) /v1/(?:keys|four)[^`]*`", PAGE))
