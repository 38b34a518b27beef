"""Keys and thresholds at the command line: through the API, but for the first."""

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import pytest

from tests.cli.stage import SECONDS_MAX
from tests.forks import forks
from tests.service.stage import KEYS, staged

WHY = ("--reason", "hired")


class Desk:
    """A terminal: what its environment has is what its person can do."""

    def __init__(self, folder, **env):
        self.folder = folder
        self.env = env

    async def __call__(self, *arguments, **env):
        told = {"PATH": os.environ["PATH"], "LOGNAME": "root", **self.env, **env}
        env = {name: value for name, value in told.items() if value}
        # The API answers it from this loop, so another thread has to wait for its end.
        run = partial(forks().run, cwd=self.folder, env=env, timeout=SECONDS_MAX)
        done = await asyncio.to_thread(run, arguments)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    async def json(self, *arguments, **env):
        code, out, err = await self(*arguments, "--json", **env)
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def shell(tmp_path, database_url):
    return Desk(tmp_path, PAYMENT_DATABASE_URL=database_url)


@pytest.fixture
async def stage(database_url, nats_server, subject_prefix):
    async with staged(
        database_url, nats_server.url, subject_prefix, roles={"api"}
    ) as running:
        yield running


def at_the_api(stage, key=KEYS["admin"]):
    return {"PAYMENT_API_URL": stage.url, "PAYMENT_API_KEY": key}


async def status_of(stage, key):
    headers = {"Authorization": f"Bearer {key}"}
    async with stage.http.get(f"{stage.url}/v1/orders", headers=headers) as answer:
        return answer.status


async def test_the_first_admin_key_is_made_without_the_api_and_no_second(shell):
    code, out, err = await shell("key", "new", "anna", "--role", "admin")
    assert code == 0, err
    key = next(line for line in out.splitlines() if "psk_" in line).split()[-1]
    assert out.count("psk_") == 1
    assert len(key) > 40

    for arguments, exits in (
        (("new", "bert", "--role", "admin"), 1),
        (("new", "carl", "--role", "support"), 2),
        (("list",), 2),
        (("revoke", "anna", *WHY), 2),
        (("agree", "anna"), 2),
    ):
        code, out, err = await shell("key", *arguments)
        assert (code, out) == (exits, "")
        assert "PAYMENT_API_URL and PAYMENT_API_KEY" in err
        assert err.count("\n") == 1


async def test_an_admin_of_the_environment_makes_the_keys(shell):
    told = f"ops:admin:{'a' * 64}"

    code, _, err = await shell(
        "key", "new", "anna", "--role", "admin", PAYMENT_API_KEYS=told
    )

    assert code == 1
    assert "there is an admin key" in err


async def test_a_key_is_made_used_rotated_and_revoked(shell, stage):
    api = at_the_api(stage)
    first = await shell.json("key", "new", "ann", "--role", "support", **api)
    assert await status_of(stage, first["key"]) == 200

    second = await shell.json(
        *("key", "new", "ann-2", "--role", "support", "--person", "ann"), **api
    )
    assert second["person"] == first["person"] == "ann"
    assert await status_of(stage, first["key"]) == 200, "both are taken for a while"
    revoked = await shell.json("key", "revoke", "ann", "--reason", "rotated", **api)

    assert revoked["status"] == "revoked"
    assert await status_of(stage, first["key"]) == 401
    assert await status_of(stage, second["key"]) == 200
    _, listed, _ = await shell("key", "list", **api)
    assert "psk_" not in listed
    assert {line.split("\t")[0] for line in listed.splitlines()[1:]} == {
        "admin",
        "ann",
        "ann-2",
        "support",
        "upstream",
        "viewer",
    }


async def test_a_holder_makes_his_own_key_and_two_admins_take_it(shell, stage):
    api = at_the_api(stage)
    await shell.json("key", "new", "bert", "--role", "admin", **api)
    other = await shell.json("key", "new", "dora", "--role", "admin", **api)
    await shell.json("four-eyes", "set", "500", "--reason", "large", **api)
    digest = "ab" * 32

    made = await shell.json(
        *("key", "new", "carl", "--role", "support", "--sha256", digest), **api
    )
    code, _, err = await shell("key", "agree", "carl", **api)
    agreed = await shell.json(
        *("key", "agree", "carl", *WHY), **at_the_api(stage, other["key"])
    )

    assert made["status"] == "waits_for_second_person"
    assert "key" not in made
    assert (code, "same person" in err) == (1, True)
    assert (agreed["status"], agreed["fingerprint"]) == ("live", digest[:16])


async def test_thresholds_are_set_and_shown(shell, stage):
    api = at_the_api(stage)
    await shell.json("four-eyes", "set", "500", "--reason", "large", **api)
    looser = await shell.json(
        *("four-eyes", "set", "900", "--currency", "EUR", *WHY), **api
    )
    _, shown, _ = await shell("four-eyes", "show", **api)

    assert looser["status"] == "waits_for_second_person"
    assert "PAYMENT_FOUR_EYES_FROM asks two from none on" in shown
    assert [line.split("\t")[:4] for line in shown.splitlines()[2:]] == [
        ["default", "500 minor units", "500 minor units", "-"],
        ["EUR", "-", "5.00 EUR", "9.00 EUR by key:admin"],
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("new", "änna", "--role", "viewer"), "NAME: must be"),
        (("new", "ann", "--role", "owner"), "'owner' is not one of 'viewer'"),
        (("new", "ann", "--role", "viewer", "--merchants", "m"), "--merchants:"),
        (("new", "up", "--role", "upstream", "--merchants", "m+"), "--merchants:"),
        (("new", "ann", "--role", "viewer", "--person", "a b"), "--person:"),
        (("new", "ann", "--role", "viewer", "--expires", "soon"), "--expires:"),
        (("new", "ann", "--role", "viewer", "--sha256", "x"), "--sha256:"),
    ],
)
async def test_what_is_no_key_is_refused_before_anything_is_asked(
    shell, arguments, told
):
    code, out, err = await shell("key", *arguments)

    assert (code, out) == (2, "")
    assert told in err


@pytest.mark.parametrize(
    "amount", ["0", "-1", "1e9", "1.50", "9" * 30, "five", "\u0665"]
)
async def test_an_amount_is_in_minor_units_or_none(shell, amount):
    code, _, err = await shell("four-eyes", "set", *WHY, "--", amount)

    assert code == 2
    assert "AMOUNT: minor units" in err


async def findings(shell, **env):
    _, out, _ = await shell("doctor", "--json", **env)
    return {(f["area"], f["what"]): f for f in json.loads(out)["findings"]}


async def test_the_doctor_names_keys_that_end_or_are_forgotten(shell, database_url):
    soon = (datetime.now(UTC) + timedelta(days=9)).date()
    alone = await findings(shell)
    assert alone["settings", "PAYMENT_API_KEYS"]["state"] == "advice"
    assert alone["settings", "PAYMENT_FOUR_EYES_FROM"]["state"] == "advice"
    await shell.json("key", "new", "anna", "--role", "admin", "--expires", str(soon))
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO api_key_uses VALUES ('ops', now() - interval '91 days'), "
            "('anna', now() - interval '89 days')"
        )
        connection.execute(
            "INSERT INTO four_eyes (currency, amount, signed_by, signature) "
            "VALUES ('EUR', 5, '', '')"
        )
        connection.execute(
            "INSERT INTO api_keys SELECT 'mallory', role, sha256('m'), person, "
            "merchants, expires, made_by, made_person, made_at, takes_two, agreed_by, "
            "agreed_at, revoked_by, revoked_at, revoke_reason, signed_by, signature "
            "FROM api_keys"
        )
    told = f"ops:viewer:{'a' * 64},anna:viewer:{'b' * 64}:expires=2020-01-01"

    found = await findings(shell, PAYMENT_API_KEYS=told)

    assert "anna: end within" in found["people", "keys that end"]["told"]
    assert "anna: have expired" in found["people", "expired keys"]["told"]
    assert found["people", "unused keys"]["told"].startswith("ops: not used")
    assert found["people", "names"]["state"] == "wrong"
    assert found["people", "signatures"]["told"].startswith("mallory: not signed")
    assert "currencies without" in found["settings", "PAYMENT_FOUR_EYES_FROM"]["told"]
    assert ("settings", "PAYMENT_API_KEYS") not in found
